"""The rows of the `live` process, which Django's resolver does not know: streams and WebSockets."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.utils import timezone
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from gateway.db.scope import platform_scope, tenant_scope
from realtime import routing
from realtime.tests.clients import Stream, api_key, token
from realtime.tests.conftest import Live, live
from tenants.models import ApiKey, Membership
from tenants.permissions import PERMISSIONS
from tenants.principal import Principal
from tenants.services import users
from tests import factories
from workspaces.consumers import routing as instances
from workspaces.models import Service, Workspace

from . import realtime, services
from .table import ACTORS, Row

__all__ = ["live"]  # the fixture

pytestmark = pytest.mark.django_db(transaction=True)
STREAMS = [*realtime.STREAMS, *services.STREAMS]


def credentials(needed: str) -> dict[str, dict[str, str]]:
    """The headers of every actor, who all name the same tenant, in which there is what the rows name."""
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
    _, narrow = api_key(people["admin"], sorted(PERMISSIONS.keys() - {needed}))
    old, expired = api_key(people["admin"])
    with platform_scope("tests"):
        ApiKey.objects.filter(pk=old.pk).update(expires_at=timezone.now())
    with tenant_scope(home.pk):
        owned = {"tenant": home, "owner": people["admin"].user, "name": "row"}
        Service.objects.create(**owned, kind="external", offset=1)
        Workspace.objects.create(**owned, offset=2)
    return sent | {"anonymous": {}, "narrow": {"X_API_Key": narrow}, "expired": {"X_API_Key": expired}}


def filled(row: Row) -> str:
    """Its path, with the ids of what there is."""
    with platform_scope("tests"):
        found = {"{external}": Service.objects.first(), "{nowhere}": Workspace.objects.first()}
    path = row.path
    for mark, instance in found.items():
        assert instance is not None
        path = path.replace(mark, str(instance.public_id))
    return path


def status_of(live: Live, row: Row, headers: dict[str, str]) -> int:
    path = filled(row)
    if path.endswith("/events"):
        with Stream(live.port, path=path, **headers) as stream:
            return stream.status
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with connect(f"ws://127.0.0.1:{live.port}{path}", additional_headers=given, proxy=None):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_every_route_has_a_row() -> None:
    paths = [re.sub(r"\{\w+\}", str(uuid4()), row.path).removeprefix("/") for row in STREAMS]
    for route in (*routing.http, *routing.websocket, *instances.http, *instances.websocket):
        assert any(route.pattern.match(path) for path in paths), route


@pytest.mark.parametrize("row", STREAMS, ids=str)
def test_who_gets_what(live: Live, row: Row) -> None:
    sent = credentials(str(row.needs))
    assert {actor: status_of(live, row, sent[actor]) for actor in ACTORS} == row.expected
