"""The scanner: what was changed on a backend behind the platform's back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope, tenant_scope
from gateway.errors import Invalid
from realtime.models import Event
from storage import providers
from storage.models import Bucket, Object, ObjectVersion, Placement, WriteIntent
from storage.providers.fake import FakeBackend
from storage.services import scanner, usage
from tests import factories

from .test_expiry import bucket_of, far, left, write

__all__ = ["far"]

pytestmark = pytest.mark.django_db
OLD = timezone.now() - timedelta(hours=1)


def placed(backend: FakeBackend, key: str, body: bytes = b"x", at: Any = OLD) -> providers.RemoteObject:
    """Somebody else's write, an hour ago."""
    stored = replace(backend.put("gh-docs", key, body), last_modified=at, content_type="text/x")
    backend.objects["gh-docs"][key] = stored
    if "gh-docs" in backend.versioned:
        last = backend.versioned["gh-docs"].pop()
        backend.versioned["gh-docs"].append(replace(last, last_modified=at))
    return stored


def scan(bucket: Bucket) -> int:
    with platform_scope("tests"):
        pk = Placement.objects.get(bucket=bucket).pk
    return scanner.scan(pk)


def told(bucket: Bucket) -> list[str]:
    with platform_scope("tests"):
        rows = Event.objects.filter(tenant_id=bucket.tenant_id, type__startswith="storage.object")
        return [f"{event.type.rpartition('.')[2]} {event.subject}" for event in rows.order_by("pk")]


def test_what_is_new_changed_and_gone(far: FakeBackend) -> None:
    bucket = _bucket()
    same, changed = placed(far, "same"), placed(far, "changed", b"first")
    write(bucket, "same", 1, etag=same.etag)
    write(bucket, "changed", 1, size=5, etag=changed.etag)
    write(bucket, "gone", 1)
    before = len(told(bucket))
    placed(far, "changed", b"second")
    placed(far, "new", b"new!")
    assert scan(bucket) == 3
    assert left(bucket) == ["changed", "new", "same"]
    assert sorted(told(bucket)[before:]) == ["created docs/changed", "created docs/new", "deleted docs/gone"]
    with platform_scope("tests"):
        new = Object.objects.get(key="new")
        placement = Placement.objects.get()
    assert (new.size, new.content_type, new.writer) == (4, "text/x", "scan")
    assert placement.scanned_at is not None and placement.scan_after == ""
    assert scan(bucket) == 0


def test_open_intents_and_young_objects_are_left_alone(far: FakeBackend) -> None:
    bucket = _bucket()
    placed(far, "under way")
    placed(far, "just now", at=timezone.now())
    write(bucket, "just written")
    with platform_scope("tests"):
        WriteIntent.objects.create(
            tenant=bucket.tenant, bucket=bucket, key="under way", kind="put", writer="w"
        )
    assert scan(bucket) == 0
    assert left(bucket) == ["just written"]


def test_page_by_page_and_on_from_where_it_stopped(far: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = _bucket()
    far.page = 2
    monkeypatch.setattr(scanner, "PAUSE", 0.0)
    for n in range(7):
        placed(far, f"k{n}")
    far.failures = []
    lists = 0
    real = far.entries

    def broken(name: str) -> Any:
        nonlocal lists
        lists += 1
        if lists == 6:  # the second page, and every key of the first is looked at too
            raise providers.Unreachable("no answer")
        return real(name)

    monkeypatch.setattr(far, "entries", broken)
    assert scan(bucket) == 0
    with platform_scope("tests"):
        assert Placement.objects.get().scan_after in ("k1", "k3")
    assert left(bucket)
    scan(bucket)
    assert left(bucket) == [f"k{n}" for n in range(7)]
    assert len(told(bucket)) == 7


def test_versions_and_delete_markers(far: FakeBackend) -> None:
    bucket = _bucket(versioning="Enabled")
    far.versioned["gh-docs"] = []
    first, second = placed(far, "k", b"1"), placed(far, "k", b"22")
    marker = far.mark("gh-docs", "gone")
    far.versioned["gh-docs"][-1] = replace(far.versioned["gh-docs"][-1], last_modified=OLD)
    assert scan(bucket) == 3
    with platform_scope("tests"):
        assert Object.objects.get().version_id == second.version_id
        known = set(ObjectVersion.objects.values_list("version_id", "is_delete_marker"))
    assert known == {(first.version_id, False), (marker, True)}
    [gone] = [entry for entry in far.versioned["gh-docs"] if entry.version_id == second.version_id]
    far.remove("gh-docs", gone)
    assert scan(bucket) == 1
    with platform_scope("tests"):
        assert Object.objects.get().version_id == first.version_id
        assert usage.recount(bucket.tenant_id)
    assert scan(bucket) == 0


def test_a_null_version_that_was_written_again(far: FakeBackend) -> None:
    bucket = _bucket(versioning="Suspended")

    def null(key: str, etag: str, size: int, *, is_delete_marker: bool = False) -> providers.RemoteEntry:
        return providers.RemoteEntry(key, size, etag, OLD, "null", is_delete_marker=is_delete_marker)

    far.versioned["gh-docs"] = [null("changed", "a", 1), null("gone", "a", 1), null("same", "a", 1)]
    for entry in far.versioned["gh-docs"]:
        far.objects["gh-docs"][entry.key] = providers.RemoteObject(1, "a", OLD, "null")
    assert scan(bucket) == 3
    before = len(told(bucket))
    far.versioned["gh-docs"][:2] = [null("changed", "b", 2), null("gone", "", 0, is_delete_marker=True)]
    far.objects["gh-docs"]["changed"] = providers.RemoteObject(2, "b", OLD, "null")
    assert scan(bucket) == 2
    assert left(bucket) == ["changed", "same"]
    assert sorted(told(bucket)[before:]) == ["created docs/changed", "deleted docs/gone"]
    with platform_scope("tests"):
        assert Object.objects.get(key="changed").etag == "b"
        assert ObjectVersion.objects.get().is_delete_marker
        assert usage.recount(bucket.tenant_id)
    assert scan(bucket) == 0


def test_only_buckets_elsewhere_are_scanned() -> None:
    bucket = bucket_of({"Expiration": {"Days": 1}})
    actor = factories.member(bucket.tenant, "admin")
    with tenant_scope(bucket.tenant_id), pytest.raises(Invalid) as caught:
        scanner.scan_bucket(bucket, actor=actor)
    assert caught.value.code == "not_remote"


def test_a_bucket_is_scanned_when_somebody_asks(far: FakeBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    from storage import tasks

    started: list[int] = []
    monkeypatch.setattr(tasks.scan_placement, "delay", started.append)
    bucket = _bucket()
    scan(bucket)
    scanner.sweep()
    assert started == []
    with tenant_scope(bucket.tenant_id):
        scanner.scan_bucket(bucket, actor=factories.member(bucket.tenant, "admin"))
    scanner.sweep()
    with platform_scope("tests"):
        assert started == [Placement.objects.get().pk]


def _bucket(**options: Any) -> Bucket:
    return bucket_of({"Expiration": {"Days": 999}}, kind="fake", **options)


@pytest.mark.parametrize("size", [-1, 1 << 70])
def test_what_a_backend_says_makes_no_room(size: int) -> None:
    with pytest.raises(providers.ProviderError):
        providers.RemoteEntry("k", size, "e", OLD)
    with pytest.raises(providers.ProviderError):
        providers.RemoteObject(size, "e", OLD)
