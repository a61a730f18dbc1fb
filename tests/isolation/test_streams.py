"""Live and past events of another tenant reach no reader, by whatever filter or place to resume after."""

from __future__ import annotations

import json

import pytest

from realtime.tests.clients import Stream, emit, token
from realtime.tests.conftest import Live, live
from realtime.tests.test_websocket import open_socket
from tenants.principal import Principal
from tests import factories

__all__ = ["live"]  # the fixture

pytestmark = pytest.mark.django_db(transaction=True)
# What either side has: each reader would get all of it, were it not for the tenant.
QUERIES = ["", "channels=storage", "types=storage.object.created", "types=storage.*"]


@pytest.fixture
def sides() -> tuple[Principal, Principal]:
    return factories.member(factories.tenant("quokka")), factories.member(factories.tenant("axolotl"))


def happen(sides: tuple[Principal, Principal], subject: str) -> str:
    """Something in both tenants, ours last; the id of the other's."""
    ours, other = sides
    (there,) = emit(other.tenant.pk, subject)
    emit(ours.tenant.pk, subject)
    return there


@pytest.mark.parametrize("query", QUERIES)
def test_a_stream_has_the_own_events_alone(
    live: Live, sides: tuple[Principal, Principal], query: str
) -> None:
    happen(sides, "before")
    with Stream(live.port, query, token=token(sides[0]), last="0") as stream:
        happen(sides, "after")
        subjects, sources = [], set()
        for event in stream.events():
            subjects.append(event["subject"])
            sources.add(event["source"].split("/")[2])
            if event["subject"] == "after":
                break
        assert subjects.count("before") == subjects.count("after") == 1 and sources == {"quokka"}


def test_another_tenants_event_is_no_place_to_look_from(
    live: Live, sides: tuple[Principal, Principal]
) -> None:
    there = happen(sides, "before")
    with Stream(live.port, "channels=storage", token=token(sides[0]), last=there) as stream:
        happen(sides, "after")
        taken = stream.take(2)
    assert [(event["subject"], event["source"]) for event in taken] == [
        ("before", "/tenants/quokka/storage"),
        ("after", "/tenants/quokka/storage"),
    ]


@pytest.mark.parametrize("query", QUERIES)
def test_a_socket_has_the_own_events_alone(
    live: Live, sides: tuple[Principal, Principal], query: str
) -> None:
    happen(sides, "before")
    with open_socket(
        live, f"{query}&last_event_id=0".lstrip("&"), Authorization=factories.bearer(sides[0])
    ) as socket:
        happen(sides, "after")
        sources = set()
        while True:
            event = json.loads(socket.recv(timeout=30))
            sources.add(event["source"].split("/")[2])
            if event["subject"] == "after":
                break
    assert sources == {"quokka"}


def test_a_stream_of_another_tenant_is_not_opened(live: Live, sides: tuple[Principal, Principal]) -> None:
    with Stream(live.port, token=token(sides[0]), X_Tenant="axolotl") as stream:
        assert (stream.status, stream.problem["code"]) == (404, "tenant_not_found")
