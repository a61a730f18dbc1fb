"""Versions on a backend: the newest there is the newest in the index, in whichever order their answers came."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.db.scope import platform_scope
from storage.models import Bucket, Object, ObjectVersion, WriteIntent
from storage.providers import RemoteEntry
from storage.providers.fake import FakeBackend
from storage.services import expiry, intents, version_order

from .test_expiry import bucket_of, far, left, write
from .test_scanner import scan, told

__all__ = ["far"]

pytestmark = pytest.mark.django_db


@pytest.fixture
def bucket(far: FakeBackend) -> Bucket:
    far.versioned["gh-docs"] = []
    rule = {"NoncurrentVersionExpiration": {"NoncurrentDays": 3}}
    return bucket_of(rule, kind="fake", versioning="Enabled")


def there(far: FakeBackend, version_id: str, age: float = 9, *, marker: bool = False) -> None:
    """The backend has taken a write of `k`, `age` days ago."""
    entry = RemoteEntry(
        "k", 0 if marker else 1, "" if marker else "e", timezone.now() - timedelta(days=age), version_id,
        is_delete_marker=marker,
    )  # fmt: skip
    far.versioned["gh-docs"].append(entry)
    far.objects["gh-docs"].pop("k", None)


def verify(bucket: Bucket, **fields: Any) -> WriteIntent:
    values = {"kind": "verify", "contested": True, "key": "k", "writer": "w", **fields}
    with platform_scope("tests"):
        return WriteIntent.objects.create(tenant=bucket.tenant, bucket=bucket, **values)


def order() -> list[str]:
    """The key's versions in the index, the newest first; the one that reads give in capitals."""
    with platform_scope("tests"):
        rows = [(row.version_seq, row.version_id.upper()) for row in Object.objects.all()]
        rows += [(row.version_seq, row.version_id) for row in ObjectVersion.objects.all()]
        newest = ObjectVersion.objects.filter(noncurrent_since=None)
        assert newest.count() + Object.objects.count() == 1
        found = [version_id for _, version_id in sorted(rows, reverse=True)]
        assert not newest or newest.get().version_id == found[0]
    return found


def test_writes_that_overlapped_stand_in_the_backends_order(bucket: Bucket, far: FakeBackend) -> None:
    for name in ("a", "b", "c"):
        there(far, name)
    write(bucket, "k", 9, given="a")
    write(bucket, "k", 9, given="c")
    write(bucket, "k", 9, given="b")
    events = told(bucket)
    verify(bucket), verify(bucket)
    assert intents.settle() == 2
    assert far.calls == ["versions of gh-docs/k"]
    assert order() == ["C", "b", "a"]
    assert left(bucket) == ["k"] and told(bucket) == events
    with platform_scope("tests"):
        assert not WriteIntent.objects.exists()


@pytest.mark.parametrize("newest", ["marker", "put"])
def test_a_delete_and_a_write_that_overlapped(bucket: Bucket, far: FakeBackend, newest: str) -> None:
    is_marker = {"first": newest == "put", "last": newest == "marker"}
    for name, marker in is_marker.items():
        there(far, name, marker=marker)
    for name in ("last", "first"):
        write(bucket, "k", 9, given=name, delete=is_marker[name])
    verify(bucket)
    assert intents.settle() == 1
    assert order() == (["last", "first"] if newest == "marker" else ["LAST", "first"])
    assert left(bucket) == ([] if newest == "marker" else ["k"])


def test_what_came_since_the_backend_was_asked_is_looked_at_again(bucket: Bucket, far: FakeBackend) -> None:
    for name in ("a", "b"):
        there(far, name)
    for name in ("b", "a", "since"):
        write(bucket, "k", 9, given=name)
    waiting = verify(bucket)
    assert intents.settle() == 0
    assert order() == ["SINCE", "a", "b"]
    there(far, "since")
    with platform_scope("tests"):
        WriteIntent.objects.filter(pk=waiting.pk).update(next_check_at=timezone.now())
    assert intents.settle() == 1
    assert order() == ["SINCE", "b", "a"]


def test_an_unheard_version_is_not_newer_than_it_is(bucket: Bucket, far: FakeBackend) -> None:
    for name in ("unheard", "known"):
        there(far, name, age=0)
    write(bucket, "k", 0, given="known")
    verify(bucket, kind="put", size=1, contested=False, began_at=timezone.now() - timedelta(minutes=1))
    assert intents.settle() == 1
    assert order() == ["KNOWN", "unheard"]


def test_a_version_that_is_found_late_is_not_what_the_key_is(bucket: Bucket, far: FakeBackend) -> None:
    for name in ("a", "found", "c"):
        there(far, name)
    write(bucket, "k", 9, given="a")
    write(bucket, "k", 9, given="c")
    assert scan(bucket) == 2
    assert order() == ["C", "found", "a"]
    assert scan(bucket) == 0


def test_no_rule_removes_what_the_backend_gives(bucket: Bucket, far: FakeBackend) -> None:
    for name in ("old", "new"):
        there(far, name)
    far.objects["gh-docs"]["k"] = replace(far.put("gh-docs", "other", b"x"), version_id="new")
    far.versioned["gh-docs"].pop()
    write(bucket, "k", 9, given="new")
    write(bucket, "k", 9, given="old")
    scan(bucket)
    with platform_scope("tests"):
        ObjectVersion.objects.update(noncurrent_since=timezone.now() - timedelta(days=9))
    assert expiry.apply(bucket.pk) == 1
    assert [entry.version_id for entry in far.versioned["gh-docs"]] == ["new"]
    assert order() == ["NEW"]


def test_what_stands_right_or_cannot_be_said_is_left(bucket: Bucket) -> None:
    entries = [RemoteEntry("k", 1, "e", timezone.now(), name) for name in ("b", "a")]
    with platform_scope("tests"):
        assert version_order.make_fit(bucket, "k", entries) is False
    write(bucket, "k", given="a")
    write(bucket, "k", given="b")
    with platform_scope("tests"):
        assert version_order.make_fit(bucket, "k", entries) is False
        assert version_order.make_fit(bucket, "k", entries[:1]) is None
        assert version_order.make_fit(bucket, "k", []) is None
        assert version_order.make_fit(bucket, "k", entries[::-1]) is True
    assert order() == ["A", "b"]
