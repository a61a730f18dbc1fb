"""One-time tickets for browsers."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from gateway.db.scope import platform_scope, tenant_scope
from realtime import tickets
from realtime.services import valkey
from realtime.tests.clients import Stream, api_key, cookie, emit, token
from realtime.tests.conftest import Live
from realtime.tests.test_credentials import MOST_SECONDS
from realtime.tests.test_websocket import open_socket, take
from tenants.principal import Principal
from tenants.services import api_keys
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/realtime/tickets"


def ticket(who: Principal) -> str:
    answer = factories.client(who).post(PATH)
    assert answer.status_code == 201
    assert answer.json()["data"]["expires_in"] == 60
    return str(answer.json()["data"]["ticket"])


def test_a_ticket_opens_one_stream_in_its_tenant(live: Live) -> None:
    who, other = factories.member(factories.tenant()), factories.tenant()
    given = ticket(who)
    with Stream(live.port, f"ticket={given}", X_Tenant=other.slug) as stream:
        emit(other.pk, "foreign")
        emit(who.tenant.pk, "own")
        assert [event["subject"] for event in stream.take(1)] == ["own"]
    with Stream(live.port, f"ticket={given}") as again:
        assert (again.status, again.problem["detail"]) == (401, "The ticket is not valid, or was used.")


def test_a_ticket_opens_a_socket_from_any_origin(live: Live) -> None:
    who = factories.member(factories.tenant())
    with open_socket(live, f"ticket={ticket(who)}", Origin="https://app.example") as socket:
        emit(who.tenant.pk, "seen")
        assert take(socket, 1)[0]["subject"] == "seen"


def test_a_ticket_needs_the_permission() -> None:
    _, narrow = api_key(factories.member(factories.tenant()), permissions=["storage.bucket.read"])
    assert APIClient().post(PATH).status_code == 401
    assert APIClient(HTTP_X_API_KEY=narrow).post(PATH).status_code == 403


def test_a_ticket_is_kept_sealed_and_for_a_minute() -> None:
    who = factories.member(factories.tenant())
    given = ticket(who)
    name = tickets._name(given)
    assert given not in name
    assert 0 < valkey().ttl(name) <= 60
    sealed = valkey().get(name)
    assert isinstance(sealed, bytes)
    assert b"tenant" not in sealed


def test_what_ends_the_credential_ends_its_tickets_and_their_streams(live: Live) -> None:
    who = factories.member(factories.tenant())
    key, text = api_key(who)
    client = APIClient(HTTP_X_API_KEY=text)
    used, unused = (client.post(PATH).json()["data"]["ticket"] for _ in range(2))
    with Stream(live.port, f"ticket={used}") as stream:
        assert stream.status == 200
        with tenant_scope(who.tenant.pk):
            api_keys.revoke_key(key, actor=who)
        assert stream.seconds_to_end() < MOST_SECONDS
    with Stream(live.port, f"ticket={unused}") as refused:
        assert refused.status == 401


def test_a_ticket_of_a_session_ends_with_it(live: Live) -> None:
    from django.contrib.sessions.models import Session

    who = factories.member(factories.tenant())
    with Stream(live.port, token=token(who)) as spared:
        browser = APIClient(enforce_csrf_checks=False, HTTP_COOKIE=cookie(who))
        given = browser.post(PATH).json()["data"]["ticket"]
        with Stream(live.port, f"ticket={given}") as stream:
            assert stream.take(1, seconds=1.5) == []
            with platform_scope("sessions are no tenant's to see"):
                Session.objects.all().delete()
            assert stream.seconds_to_end() < MOST_SECONDS
        emit(who.tenant.pk, "still there")
        assert spared.take(1)
