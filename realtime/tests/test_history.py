"""The event log in the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from gateway.db.scope import tenant_scope
from realtime.models import Event
from realtime.services import MOST_DATA, publish
from realtime.tests.clients import api_key, emit
from tests import factories

pytestmark = pytest.mark.django_db
PATH = "/api/v1/events"


def test_a_page_holds_the_newest_cloud_events_first() -> None:
    who = factories.member(factories.tenant())
    *_, last = emit(who.tenant.pk, "1", "2", "3", size=1)
    body = factories.client(who).get(PATH, {"per_page": "2", "channel": "storage"}).json()
    assert body["meta"] == {"page": 1, "per_page": 2, "total": 3}
    assert [event["subject"] for event in body["data"]] == ["3", "2"]
    event = body["data"][0]
    assert event.pop("time")
    assert event == {
        "specversion": "1.0",
        "id": last,
        "source": f"/tenants/{who.tenant.slug}/storage",
        "type": "storage.object.created",
        "subject": "3",
        "data": {"size": 1},
    }


def test_filters() -> None:
    who = factories.member(factories.tenant())
    emit(who.tenant.pk, "b/one", "b/two", "c/one")
    emit(who.tenant.pk, "b/one", kind="storage.object.deleted")
    emit(who.tenant.pk, "w", kind="workspaces.workspace.settled")
    now = timezone.now()
    client = factories.client(who)
    queries: tuple[tuple[dict[str, str], list[str]], ...] = (
        ({"channel": "storage"}, ["b/one", "c/one", "b/two", "b/one"]),
        ({"channel": "workspaces,devices"}, ["w"]),
        ({"type": "storage.object.deleted"}, ["b/one"]),
        ({"type": "storage.*"}, ["b/one", "c/one", "b/two", "b/one"]),
        ({"type": "storage.*", "subject": "b/one"}, ["b/one", "b/one"]),
        ({"type": "storage.*", "subject": "b/*"}, ["b/one", "b/two", "b/one"]),
        ({"type": "storage.*", "since": (now + timedelta(hours=1)).isoformat()}, []),
        ({"channel": "workspaces", "since": (now - timedelta(hours=1)).isoformat()}, ["w"]),
        ({"channel": "workspaces", "until": (now - timedelta(hours=1)).isoformat()}, []),
        ({"channel": "workspaces", "until": "8679-02-11T20:57:58+23:49"}, ["w"]),
    )
    for query, expected in queries:
        answer = client.get(PATH, query)
        assert answer.status_code == 200, answer.content
        assert [event["subject"] for event in answer.json()["data"]] == expected, query


@pytest.mark.parametrize(
    "query",
    [{"channel": "nothing"}, {"type": "x"}, {"since": "yesterday"}, {"until": "2026-01-01T00:00:00"}]
    + [
        {"until": "9999-12-31T23:59:59-23:00"},
        {"since": "2026-13-01T00:00:00Z"},
        {"subject": "a\0b"},
        {"type": "storage.\0"},
    ],
)
def test_bad_filters(query: dict[str, str]) -> None:
    answer = factories.client(factories.member(factories.tenant())).get(PATH, query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["errors"]


def test_it_is_the_tenants_own_and_needs_the_permission() -> None:
    who, other = factories.member(factories.tenant(), role="viewer"), factories.tenant()
    emit(other.pk, "foreign")
    subjects = {event["subject"] for event in factories.client(who).get(PATH).json()["data"]}
    assert "foreign" not in subjects
    assert APIClient().get(PATH).status_code == 401
    _, narrow = api_key(factories.member(other), permissions=["storage.bucket.read"])
    assert APIClient(HTTP_X_API_KEY=narrow).get(PATH).status_code == 403


def test_the_log_is_append_only_and_its_events_are_small() -> None:
    tenant = factories.tenant()
    emit(tenant.pk, "kept")
    with tenant_scope(tenant.pk):
        for attempt in (Event.objects.all().delete, lambda: Event.objects.update(subject="altered")):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                attempt()
        with pytest.raises(DatabaseError, match="event_data_bounded"), transaction.atomic():
            publish(tenant.pk, "storage.object.created", data={"filler": "x" * MOST_DATA})
        with pytest.raises(ValueError, match="not an event type"):
            publish(tenant.pk, "storage.created")
        assert Event.objects.get(type__startswith="storage.").subject == "kept"
