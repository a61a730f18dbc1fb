"""Event streams end to end: a real server, a real database, a real reader."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from realtime.tests.clients import Stream, api_key, cookie, emit, token
from realtime.tests.conftest import Live
from tests import factories
from tests.instance import until as until_true

pytestmark = pytest.mark.django_db(transaction=True)


def until(stream: Stream, last: str) -> list[str]:
    """The subjects that come, up to the first that is `last`."""
    subjects: list[str] = []
    for event in stream.events():
        subjects.append(event["subject"])
        if event["subject"] == last:
            break
    return subjects


def test_what_is_published_arrives_as_a_cloud_event(live: Live) -> None:
    reader = factories.member(factories.tenant())
    with Stream(live.port, token=token(reader)) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert int(stream.headers["x-streams-remaining"]) > 0
        (event_id,) = emit(reader.tenant.pk, "b/k", size=3)
        (event,) = stream.take(1)
        assert stream.last == event_id
    assert event.pop("time").endswith("Z")
    assert event == {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/tenants/{reader.tenant.slug}/storage",
        "type": "storage.object.created",
        "subject": "b/k",
        "data": {"size": 3},
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["created", "deleted", "bucket", "key"]),
        ("channels=storage", ["created", "deleted", "bucket"]),
        ("channels=tenants,%20storage", ["created", "deleted", "bucket", "key"]),
        ("types=storage.object.deleted", ["deleted"]),
        ("types=storage.object.*", ["created", "deleted"]),
        ("types=storage.bucket.created,tenants.*", ["bucket", "key"]),
        ("channels=tenants&types=storage.*", []),
    ],
)
def test_filters_hold_for_replayed_and_for_live_events(live: Live, query: str, expected: list[str]) -> None:
    reader = factories.member(factories.tenant())
    (start,) = emit(reader.tenant.pk, "start")

    def happen() -> None:
        emit(reader.tenant.pk, "created")
        emit(reader.tenant.pk, "deleted", kind="storage.object.deleted")
        emit(reader.tenant.pk, "bucket", kind="storage.bucket.created")
        emit(reader.tenant.pk, "key", kind="tenants.api_key.created")

    happen()
    with Stream(live.port, query, token=token(reader), last=start) as stream:
        replayed = [event["subject"] for event in stream.take(len(expected))]
        happen()
        happen()  # what came beyond the expected would stand between
        followed = [event["subject"] for event in stream.take(len(expected) * 2)]
        assert expected or stream.take(1, seconds=2) == []
    assert (replayed, followed) == (expected, expected * 2)


@pytest.mark.parametrize(
    ("query", "field", "words"),
    [
        ("channels=nothing", "channels", "'nothing' is not a channel"),
        ("types=storage", "types", "'storage' is not a type"),
        ("types=nothing.at.all", "types", "'nothing' is not a channel"),
        ("types=storage.*.created", "types", "is not a type"),
        ("types=%00.a.b", "types", "is not a type"),
        ("types=" + ",".join(f"storage.a.b{n}" for n in range(51)), "types", "more than 50"),
        ("last_event_id=abc", "Last-Event-ID", "not the id of an event"),
        ("last_event_id=-1", "Last-Event-ID", "not the id of an event"),
        ("last_event_id=%D9%A1", "Last-Event-ID", "not the id of an event"),
        ("last_event_id=99999999999999999999999", "Last-Event-ID", "not the id of an event"),
        ("last_event_id=999999999999999999", "Last-Event-ID", "ahead of the tenant's log"),
    ],
)
def test_a_bad_request_is_refused_before_the_stream_begins(
    live: Live, query: str, field: str, words: str
) -> None:
    reader = factories.member(factories.tenant())
    with Stream(live.port, query, token=token(reader)) as stream:
        assert (stream.status, stream.headers["content-type"]) == (400, "application/problem+json")
    assert words in stream.problem["errors"][field][0]
    assert stream.problem["request_id"] == stream.headers["x-request-id"]


def test_a_reader_resumes_without_loss_or_duplicates(live: Live) -> None:
    reader = factories.member(factories.tenant())
    first, *_ = emit(reader.tenant.pk, "1", "2", "3")
    with Stream(live.port, token=token(reader), last=first) as stream:
        emit(reader.tenant.pk, "4")
        assert [event["subject"] for event in stream.take(3)] == ["2", "3", "4"]
        emit(reader.tenant.pk, "5")
        assert [event["subject"] for event in stream.take(1)] == ["5"]
    with Stream(live.port, "last_event_id=0", token=token(reader)) as stream:
        subjects = until(stream, "5")
        emit(reader.tenant.pk, "6")
        assert until(stream, "6") == ["6"]
    assert subjects[-5:] == ["1", "2", "3", "4", "5"]


def test_a_long_log_is_replayed_in_pages(live: Live) -> None:
    reader = factories.member(factories.tenant())
    (start,) = emit(reader.tenant.pk, "start")
    ids = emit(reader.tenant.pk, *(str(n) for n in range(450)))
    ids += emit(reader.tenant.pk, *(f"large-{n}" for n in range(12)), filler="x" * 60_000)
    for query in ("", "types=storage.object.*"):
        with Stream(live.port, query, token=token(reader), last=start) as stream:
            assert [event["id"] for event in stream.take(len(ids))] == ids
            ids += emit(reader.tenant.pk, "after")
            assert [event["id"] for event in stream.take(1)] == ids[-1:]


def test_one_that_saw_nothing_yet_can_resume_too(live: Live) -> None:
    reader = factories.member(factories.tenant())
    with Stream(live.port, token=token(reader)) as stream:
        until_true(lambda: stream.take(1, seconds=0.5) == [] and stream.last, 30, "its place is told")
        begin = stream.last
    emit(reader.tenant.pk, "missed")
    with Stream(live.port, token=token(reader), last=begin) as stream:
        assert [event["subject"] for event in stream.take(1)] == ["missed"]


def test_silence_is_filled_with_heartbeats(live: Live) -> None:
    with Stream(live.port, token=token(factories.member(factories.tenant()))) as stream:
        for _ in range(100):
            assert stream.take(1, seconds=0.5) == []
            if stream.heartbeats >= 2:
                break
        assert stream.heartbeats >= 2


def test_another_tenants_events_never_arrive(live: Live) -> None:
    one, other = (factories.member(factories.tenant()) for _ in range(2))
    (start,) = emit(one.tenant.pk, "begin")
    with Stream(live.port, token=token(one), last=start) as stream:
        emit(other.tenant.pk, "foreign")
        emit(one.tenant.pk, "own")
        emit(other.tenant.pk, "foreign")
        emit(one.tenant.pk, "last")
        assert [event["subject"] for event in stream.take(2)] == ["own", "last"]
    with Stream(live.port, token=token(one), X_Tenant=other.tenant.slug) as stream:
        assert (stream.status, stream.problem["code"]) == (404, "tenant_not_found")


def test_staff_read_in_the_tenant_that_they_name(live: Live) -> None:
    tenant = factories.tenant()
    with Stream(live.port, token=token(factories.staff()), X_Tenant=tenant.slug) as stream:
        emit(tenant.pk, "seen")
        assert [event["subject"] for event in stream.take(1)] == ["seen"]


def test_only_the_permitted_open_a_stream(live: Live) -> None:
    who = factories.member(factories.tenant())
    _, narrow = api_key(who, permissions=["storage.bucket.read"])
    _, enough = api_key(who, permissions=["event.read"])
    for headers, status, code in (
        ({}, 401, "unauthenticated"),
        ({"Authorization": "Bearer nonsense"}, 401, "unauthenticated"),
        ({"Authorization": "Basic YTpi"}, 401, "unauthenticated"),
        ({"X_API_Key": "mcp_abc_def"}, 401, "unauthenticated"),
        ({"X_API_Key": narrow}, 403, "permission_missing"),
        ({"X_API_Key": enough}, 200, None),
        ({"Cookie": cookie(who)}, 200, None),
        ({"Cookie": cookie(who), "Sec_Fetch_Site": "same-origin"}, 200, None),
        ({"Cookie": cookie(who), "Sec_Fetch_Site": "cross-site"}, 403, "origin_refused"),
        ({"Cookie": cookie(who), "Origin": "https://evil.example"}, 403, "origin_refused"),
        ({"Cookie": cookie(who), "Origin": f"http://127.0.0.1:{live.port}"}, 200, None),
    ):
        with Stream(live.port, "channels=storage", **headers) as stream:
            assert (stream.status, stream.problem.get("code")) == (status, code), headers
            assert ("www-authenticate" in stream.headers) == (status == 401)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "", 405), ("HEAD", "", 405), ("GET", "/", 401)]
)
def test_methods_and_both_spellings(live: Live, method: str, path: str, status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
    connection.request(method, "/api/v1/realtime/events" + path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == status
    assert answer.headers["allow"] == ("GET" if status == 405 else None)


def test_a_tenants_streams_are_counted(live_with: Callable[..., AbstractContextManager[Live]]) -> None:
    who = factories.member(factories.tenant())
    bearer = token(who)
    with live_with(REALTIME_TENANT_CONNECTIONS="2", REALTIME_CONNECTIONS="3") as live:
        with Stream(live.port, token=bearer) as first, Stream(live.port, token=bearer) as second:
            assert [s.headers["x-streams-remaining"] for s in (first, second)] == ["1", "0"]
            with Stream(live.port, token=bearer) as third:
                assert (third.status, third.headers["retry-after"]) == (429, "5")
            with Stream(live.port, token=token(factories.member(factories.tenant()))) as foreign:
                assert foreign.status == 200
                with Stream(live.port, token=bearer) as beyond:
                    assert (beyond.status, beyond.problem["detail"]) == (
                        429,
                        "This server has no more room for streams.",
                    )

        def opens() -> bool:
            with Stream(live.port, token=bearer) as again:
                return again.status == 200

        until_true(opens, 30, "a place that was left is given again")
