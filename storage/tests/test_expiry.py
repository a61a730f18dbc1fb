"""The lifecycle worker, over our own store and over a backend."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from gateway.db.scope import platform_scope
from realtime.models import Event
from storage import providers
from storage.models import (
    Backend,
    Bucket,
    BucketUsage,
    Object,
    ObjectVersion,
    Placement,
    Upload,
    UploadPart,
    WriteIntent,
)
from storage.providers.fake import FakeBackend, FakeProvider
from storage.s3.documents import lifecycle as document
from storage.services import expiry, removals, usage
from tests import factories

pytestmark = pytest.mark.django_db

_PUT = """
SELECT storage_commit(
    %s, true, ARRAY[%s], ARRAY[%s]::bigint[], ARRAY[%s]::text[], ARRAY[%s]::bigint[], ARRAY[%s]::text[],
    ARRAY['t'], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb], ARRAY[%s]::timestamptz[],
    ARRAY[NULL::text], ARRAY[NULL::bytea], ARRAY['tester'], p_given => ARRAY[%s]::text[],
    p_tags => ARRAY[%s]::jsonb[], p_lock => ARRAY[%s]::jsonb[]
)
"""

_REMOVE = """
SELECT storage_commit(
    %s, true, ARRAY[true], ARRAY[%s]::bigint[], ARRAY[%s]::text[], ARRAY[0]::bigint[], ARRAY[''], ARRAY[''],
    ARRAY['{}'::jsonb], ARRAY['{}'::jsonb], ARRAY['{}'::jsonb], ARRAY[now()], ARRAY[NULL::text], ARRAY[NULL::bytea],
    ARRAY['tester'], p_version => ARRAY[%s]::text[]
)
"""


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    backend = FakeBackend(objects={"gh-docs": {}})

    class Kind(FakeProvider):
        def __init__(self, connection: providers.Connection) -> None:
            super().__init__(connection, backend)

    monkeypatch.setitem(providers.KINDS, "fake", Kind)
    return backend


def bucket_of(
    *rules: dict[str, Any], kind: str = "local", versioning: str = "", lock: bool = False
) -> Bucket:
    configured = [{"ID": f"r{n}", "Status": "Enabled", "Filter": {}, **rule} for n, rule in enumerate(rules)]
    tenant = factories.tenant()
    with platform_scope("tests"):
        backend = Backend.objects.create(name=kind, kind=kind)
        bucket = Bucket.objects.create(
            tenant=tenant,
            name="docs",
            versioning=versioning,
            object_lock=lock,
            lifecycle=document.check(configured),
        )
        Placement.objects.create(
            tenant=tenant, bucket=bucket, backend=backend, backend_bucket="gh-docs", observed_state="present"
        )
    return bucket


def write(
    bucket: Bucket,
    key: str,
    age: float = 0,
    *,
    size: int = 1,
    tags: str = "{}",
    lock: str = "{}",
    delete: bool = False,
    given: str | None = None,
    etag: str = "e",
) -> None:
    """A write `age` days ago."""
    at = timezone.now() - timedelta(days=age)
    values: list[Any] = [bucket.tenant_id, delete, bucket.pk, key, size, etag, at, given, tags, lock]
    with platform_scope("tests"), connection.cursor() as cursor:
        cursor.execute(_PUT, values)
        ObjectVersion.objects.filter(bucket=bucket, key=key).exclude(noncurrent_since=None).update(
            noncurrent_since=at
        )
        ObjectVersion.objects.filter(bucket=bucket, key=key, noncurrent_since=None).update(last_modified=at)


def left(bucket: Bucket) -> list[str]:
    with platform_scope("tests"):
        assert usage.recount(bucket.tenant_id)
        return list(Object.objects.filter(bucket=bucket).order_by("key").values_list("key", flat=True))


def versions(bucket: Bucket) -> list[tuple[str, bool]]:
    with platform_scope("tests"):
        rows = ObjectVersion.objects.filter(bucket=bucket).order_by("key", "-version_seq")
        return list(rows.values_list("key", "is_delete_marker"))


def deletions(bucket: Bucket) -> Sequence[tuple[str, str]]:
    with platform_scope("tests"):
        rows = Event.objects.filter(tenant_id=bucket.tenant_id, type="storage.object.deleted")
        return [(event.subject, str(event.data.get("by", ""))) for event in rows.order_by("pk")]


def test_objects_expire_by_age_prefix_tags_and_size() -> None:
    bucket = bucket_of(
        {"Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}},
        {"Filter": {"Tag": {"Key": "temp", "Value": "yes"}}, "Expiration": {"Days": 1}},
        {"Filter": {"ObjectSizeGreaterThan": 1000}, "Expiration": {"Days": 1}},
    )
    write(bucket, "logs/old", 5)
    write(bucket, "logs/young", 1)
    write(bucket, "other", 9)
    write(bucket, "tagged", 9, tags='{"temp": "yes", "b": "c"}')
    write(bucket, "tagged otherwise", 9, tags='{"temp": "no"}')
    write(bucket, "large", 9, size=1001)
    write(bucket, "not large", 9, size=1000)
    assert expiry.apply(bucket.pk) == 3
    assert left(bucket) == ["logs/young", "not large", "other", "tagged otherwise"]
    assert sorted(subject for subject, _ in deletions(bucket)) == [
        "docs/large",
        "docs/logs/old",
        "docs/tagged",
    ]
    assert expiry.apply(bucket.pk) == 0


@pytest.mark.parametrize(("date", "gone"), [(-1, 2), (1, 0)])
def test_a_date_expires_whatever_is_there_then(date: int, gone: int) -> None:
    day = (timezone.now() + timedelta(days=date)).date()
    bucket = bucket_of({"Expiration": {"Date": f"{day}T00:00:00Z"}})
    write(bucket, "a", 9)
    write(bucket, "b")
    assert expiry.apply(bucket.pk) == gone


def test_batches_go_on_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "BATCH", 3)
    bucket = bucket_of({"Expiration": {"Days": 1}})
    for n in range(10):
        write(bucket, f"k{n}", 5)
    monkeypatch.setattr(expiry, "LONGEST_RUN", -1.0)
    assert expiry.apply(bucket.pk) == 3
    with platform_scope("tests"):
        bucket.refresh_from_db()
    assert bucket.lifecycle_at is None
    monkeypatch.setattr(expiry, "LONGEST_RUN", 300.0)
    assert expiry.apply(bucket.pk) == 7
    assert left(bucket) == []


def test_in_a_versioned_bucket_a_marker_takes_the_place() -> None:
    bucket = bucket_of({"Expiration": {"Days": 1}}, versioning="Enabled")
    write(bucket, "k", 5)
    assert expiry.apply(bucket.pk) == 1
    assert (left(bucket), versions(bucket)) == ([], [("k", True), ("k", False)])
    assert expiry.apply(bucket.pk) == 0


def test_noncurrent_versions_but_the_newer_ones() -> None:
    bucket = bucket_of(
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 2}},
        versioning="Enabled",
    )
    for age in (9, 8, 7, 6, 5):
        write(bucket, "k", age)
    write(bucket, "young", 0.5)
    write(bucket, "young", 0.4)
    assert expiry.apply(bucket.pk) == 2
    assert left(bucket) == ["k", "young"]
    assert versions(bucket) == [("k", False), ("k", False), ("young", False)]


def test_locked_versions_stay() -> None:
    until = (timezone.now() + timedelta(days=9)).isoformat()
    bucket = bucket_of(
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}, versioning="Enabled", lock=True
    )
    write(bucket, "k", 9, lock=json.dumps({"mode": "GOVERNANCE", "until": until}))
    write(bucket, "k", 8, lock='{"hold": true}')
    write(bucket, "k", 7)
    write(bucket, "k", 6)
    assert expiry.apply(bucket.pk) == 1
    assert len(versions(bucket)) == 2


@pytest.mark.parametrize(
    "rule", [{"Expiration": {"ExpiredObjectDeleteMarker": True}}, {"Expiration": {"Days": 3}}]
)
def test_delete_markers_with_nothing_below(rule: dict[str, Any]) -> None:
    bucket = bucket_of({**rule, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}, versioning="Enabled")
    write(bucket, "alone", 9)
    write(bucket, "alone", 8, delete=True)
    with platform_scope("tests"):
        ObjectVersion.objects.filter(key="alone", is_delete_marker=False).update(
            noncurrent_since=timezone.now() - timedelta(days=60)
        )
    write(bucket, "not alone", 9)
    write(bucket, "not alone", 8, delete=True)
    assert expiry.apply(bucket.pk) >= 1
    expiry.apply(bucket.pk)
    assert versions(bucket) == [("not alone", True), ("not alone", False)]


@pytest.mark.parametrize("kind", ["local", "fake"])
@pytest.mark.parametrize("is_marker", [True, False])
def test_a_null_version_that_is_written_meanwhile_stays(
    far: FakeBackend, monkeypatch: pytest.MonkeyPatch, kind: str, is_marker: bool
) -> None:
    rule: dict[str, Any] = {"Expiration": {"ExpiredObjectDeleteMarker": True}}
    if not is_marker:
        rule = {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
    bucket = bucket_of(rule, kind=kind, versioning="Suspended")
    write(bucket, "k", 9, delete=is_marker)
    if not is_marker:
        with platform_scope("tests"):
            Bucket.objects.filter(pk=bucket.pk).update(versioning="Enabled")
            write(bucket, "k", 8)
            Bucket.objects.filter(pk=bucket.pk).update(versioning="Suspended")
    real = removals.remove

    def remove(bucket: Bucket, doomed: Sequence[removals.Doomed], by: str) -> int:
        assert [one.version_id for one in doomed] == ["null"]
        write(bucket, "k", 0, etag="new")
        return real(bucket, doomed, by)

    monkeypatch.setattr(removals, "remove", remove)
    assert expiry.apply(bucket.pk) == 0
    with platform_scope("tests"):
        assert Object.objects.get(bucket=bucket, key="k").etag == "new"
    assert not far.calls


@pytest.mark.parametrize("kind", ["local", "fake"])
@pytest.mark.parametrize("is_marker", [True, False])
def test_an_older_version_that_becomes_what_the_key_is_stays(
    far: FakeBackend, monkeypatch: pytest.MonkeyPatch, kind: str, is_marker: bool
) -> None:
    rule = {"NoncurrentVersionExpiration": {"NoncurrentDays": 2}}
    bucket = bucket_of(rule, kind=kind, versioning="Enabled")
    write(bucket, "k", 1, given="below")
    write(bucket, "k", 1, delete=is_marker, given="older")
    write(bucket, "k", 0, given="newest")
    with platform_scope("tests"):
        ObjectVersion.objects.filter(version_id="older").update(
            noncurrent_since=timezone.now() - timedelta(days=9)
        )
    far.versioned["gh-docs"] = []
    real = removals.remove

    def remove(bucket: Bucket, doomed: Sequence[removals.Doomed], by: str) -> int:
        assert [one.version_id for one in doomed] == ["older"]
        with connection.cursor() as cursor:  # a client removes the newest for good
            cursor.execute(_REMOVE, [bucket.tenant_id, bucket.pk, "k", "newest"])
        return real(bucket, doomed, by)

    monkeypatch.setattr(removals, "remove", remove)
    assert expiry.apply(bucket.pk) == 0
    assert left(bucket) == ([] if is_marker else ["k"])
    assert len(versions(bucket)) == (2 if is_marker else 1)
    assert not far.calls


@pytest.mark.parametrize("meanwhile", ["written again", "being written"])
def test_the_same_bytes_written_again_on_a_backend_stay(
    far: FakeBackend, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    bucket = bucket_of({"Expiration": {"Days": 1}}, kind="fake")
    stored = far.put("gh-docs", "k", b"same")
    write(bucket, "k", 5, size=4, etag=stored.etag)
    real = removals.remove

    def remove(bucket: Bucket, doomed: Sequence[removals.Doomed], by: str) -> int:
        if meanwhile == "written again":
            write(bucket, "k", 0, size=4, etag=stored.etag)
        else:
            WriteIntent.objects.create(tenant=bucket.tenant, bucket=bucket, key="k", kind="put", writer="w")
        return real(bucket, doomed, by)

    monkeypatch.setattr(removals, "remove", remove)
    assert expiry.apply(bucket.pk) == 0
    assert left(bucket) == ["k"] and list(far.objects["gh-docs"]) == ["k"]


def test_unfinished_uploads_are_ended(far: FakeBackend) -> None:
    bucket = bucket_of(
        {"Filter": {"Prefix": "up/"}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}},
        kind="fake",
    )
    with platform_scope("tests"):
        for key, age in (("up/old", 5), ("up/young", 1), ("other", 5)):
            upload = Upload.objects.create(
                tenant=bucket.tenant, bucket=bucket, key=key, content_type="", writer="w", remote_id=f"far-{key}",
                initiated_at=timezone.now() - timedelta(days=age),
            )  # fmt: skip
            UploadPart.objects.create(
                tenant=bucket.tenant, upload=upload, number=1, size=0, etag="e", last_modified=timezone.now()
            )
    assert expiry.apply(bucket.pk) == 1
    with platform_scope("tests"):
        assert sorted(upload.key for upload in Upload.objects.all()) == ["other", "up/young"]
    assert [call for call in far.calls if call.startswith("abort")] == ["abort gh-docs/up/old far-up/old"]


def test_on_a_backend_it_goes_there_first(far: FakeBackend) -> None:
    bucket = bucket_of({"Expiration": {"Days": 1}}, kind="fake")
    for key in ("a", "b", "c"):
        stored = far.put("gh-docs", key, key.encode())
        write(bucket, key, 5, etag=stored.etag)
    far.put("gh-docs", "b", b"written since")
    assert expiry.apply(bucket.pk) == 2
    assert left(bucket) == ["b"] and list(far.objects["gh-docs"]) == ["b"]
    with platform_scope("tests"):
        assert not WriteIntent.objects.exists()


@pytest.mark.parametrize("versioning", ["", "Enabled", "Suspended"])
def test_a_row_that_is_named_twice_is_counted_once(versioning: str) -> None:
    bucket = bucket_of({"Expiration": {"Days": 9}}, versioning=versioning)
    write(bucket, "other", 5, size=3)
    write(bucket, "k", 5, size=7)
    with platform_scope("tests"):
        row = Object.objects.get(bucket=bucket, key="k")
        now = removals.Doomed("k", etag=row.etag, last_modified=row.last_modified)
        assert removals.remove(bucket, [now, removals.Doomed("k", row.version_id), now], "tests")
        kept = BucketUsage.objects.get(bucket=bucket)
    assert left(bucket) == ["other"]
    # Suspended, the marker is the null version too, and goes as such.
    assert [is_marker for _, is_marker in versions(bucket)] == ([True] if versioning == "Enabled" else [])
    assert (kept.bytes, kept.objects_count) == (3, 1)


def test_a_slow_backend_does_not_outlast_the_run(far: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = bucket_of({"Expiration": {"Days": 1}}, kind="fake")
    for key in ("a", "b", "c"):
        write(bucket, key, 5, etag=far.put("gh-docs", key, key.encode()).etag)
    monkeypatch.setattr(expiry, "LONGEST_RUN", -1.0)
    assert expiry.apply(bucket.pk) == 1
    assert left(bucket) == ["b", "c"]
    monkeypatch.setattr(expiry, "LONGEST_RUN", 300.0)
    assert expiry.apply(bucket.pk) == 2


def test_a_backend_that_fails_is_asked_again(far: FakeBackend) -> None:
    bucket = bucket_of({"Expiration": {"Days": 1}}, kind="fake")
    stored = far.put("gh-docs", "k", b"x")
    write(bucket, "k", 5, etag=stored.etag)
    far.failures = [providers.Unreachable("no answer")]
    assert expiry.apply(bucket.pk) == 0
    assert expiry.apply(bucket.pk) == 1
    assert left(bucket) == [] and not far.objects["gh-docs"]


def test_a_marker_of_a_backend_keeps_its_id(far: FakeBackend) -> None:
    bucket = bucket_of({"Expiration": {"Days": 1}}, kind="fake", versioning="Enabled")
    far.versioned["gh-docs"] = []
    stored = far.put("gh-docs", "k", b"x")
    write(bucket, "k", 5, etag=stored.etag, given=stored.version_id)
    assert expiry.apply(bucket.pk) == 1
    with platform_scope("tests"):
        [marker] = ObjectVersion.objects.filter(is_delete_marker=True)
    assert [entry.version_id for entry in far.entries("gh-docs")] == [marker.version_id, stored.version_id]


def test_buckets_are_swept_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    from storage import tasks

    started: list[int] = []
    monkeypatch.setattr(tasks.apply_lifecycle, "delay", started.append)
    bucket, _ = bucket_of({"Expiration": {"Days": 1}}), factories.tenant()
    expiry.sweep()
    expiry.apply(bucket.pk)
    expiry.sweep()
    assert started == [bucket.pk]
