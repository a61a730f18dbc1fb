"""The rows of the `live` process, which Django's resolver does not know: the event stream and the WebSocket."""

from __future__ import annotations

import pytest
from django.utils import timezone
from websockets.exceptions import InvalidStatus

from gateway.db.scope import platform_scope, tenant_scope
from realtime import routing
from realtime.tests.clients import Stream, api_key, token
from realtime.tests.conftest import Live, live
from realtime.tests.test_websocket import open_socket
from tenants.models import ApiKey, Membership
from tenants.permissions import PERMISSIONS
from tenants.principal import Principal
from tenants.services import users
from tests import factories

from .realtime import STREAMS
from .table import ACTORS, Row

__all__ = ["live"]  # the fixture

pytestmark = pytest.mark.django_db(transaction=True)


def credentials() -> dict[str, dict[str, str]]:
    """The headers of every actor, who all name the same tenant."""
    home, staff = factories.tenant("home"), factories.staff()
    people: dict[str, Principal] = {
        role: factories.member(home, role) for role in ("viewer", "member", "admin")
    }
    people |= {
        "foreign": factories.member(factories.tenant()),
        "staff": staff,
        "deactivated": factories.member(home),
    }
    sent = {
        actor: {"Authorization": f"Bearer {token(who)}", "X_Tenant": "home"} for actor, who in people.items()
    }
    with tenant_scope(home.pk):
        users.deactivate_user(Membership.objects.get(user=people["deactivated"].user), actor=people["admin"])
    _, narrow = api_key(people["admin"], sorted(PERMISSIONS.keys() - {"event.read"}))
    old, expired = api_key(people["admin"])
    with platform_scope("tests"):
        ApiKey.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    return sent | {"anonymous": {}, "narrow": {"X_API_Key": narrow}, "expired": {"X_API_Key": expired}}


def status_of(live: Live, row: Row, headers: dict[str, str]) -> int:
    if row.status == 101:
        try:
            with open_socket(live, **headers):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code
    with Stream(live.port, **headers) as stream:
        return stream.status


def test_every_route_has_a_row() -> None:
    for route in (*routing.http, *routing.websocket):
        assert any(route.pattern.match(row.path.removeprefix("/")) for row in STREAMS), route


@pytest.mark.parametrize("row", STREAMS, ids=str)
def test_who_gets_what(live: Live, row: Row) -> None:
    sent = credentials()
    assert {actor: status_of(live, row, sent[actor]) for actor in ACTORS} == row.expected
