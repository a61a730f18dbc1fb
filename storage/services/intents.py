"""Writes to remote backends whose answer nobody heard: found out from what the backend shows.

May run at any time and several times at once: an intent that is looked at is put off for everybody else.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope
from gateway.queue import after_commit
from realtime import services as realtime
from storage import providers
from storage.models import Bucket, Object, ObjectVersion, Placement, WriteIntent
from storage.providers import RemoteEntry, RemoteObject

from . import backends

log = logging.getLogger(__name__)

BATCH = 500
# A write that the backend does not show by then has failed, or is slower than any client waits.
AGE = timedelta(hours=24)
CHECK_SOON, CHECK_LATE = timedelta(seconds=30), timedelta(minutes=5)
# The backend's clock against ours, and its whole seconds.
SKEW = timedelta(minutes=2)

_COMMIT = "SELECT storage_commit_intents(%s, %s::uuid[], %s::text[], %s::bigint[], %s, %s::text[])"


def settle() -> int:
    """Ask the backends about remote writes that nobody committed or gave up; how many are settled now."""
    settled = 0
    with platform_scope("a sweep looks at all tenants"):
        for intent in _claim():
            try:
                settled += _settle(intent)
            except (providers.ProviderError, crypto.CannotOpen) as e:
                log.warning("write intent %s: %s", intent.pk, e)
    return settled


def _claim() -> list[WriteIntent]:
    """The intents that are due, put off for everybody else."""
    now = timezone.now()
    with transaction.atomic():
        due = WriteIntent.objects.filter(next_check_at__lte=now).order_by("next_check_at")
        intents = list(due.select_for_update(skip_locked=True)[:BATCH])
        for intent in intents:
            young = now - intent.began_at < timedelta(hours=1)
            intent.next_check_at = now + (CHECK_SOON if young else CHECK_LATE)
        WriteIntent.objects.bulk_update(intents, ["next_check_at"])
    return intents


def _settle(intent: WriteIntent) -> bool:
    """Commit or drop one intent by what the backend shows; False while it may still be under way."""
    placement = (
        Placement.objects.select_related("backend", "bucket").filter(bucket_id=intent.bucket_id).first()
    )
    if placement is None or placement.bucket is None:
        intent.delete()
        return True
    provider: Any = backends.provider_of(placement.backend)
    assert provider.is_remote
    if placement.bucket.versioning:
        there = provider.versions_of(placement.backend_bucket, intent.key, versions=True)
        return _settle_version(intent, placement.bucket, there)
    found = provider.head(placement.backend_bucket, intent.key)
    if intent.kind == WriteIntent.Kind.VERIFY:
        return _make_fit(intent, found)
    if _was_done(intent, found):
        _commit(intent, found)
        return True
    return _drop_old(intent)


def _settle_version(intent: WriteIntent, bucket: Bucket, there: list[RemoteEntry]) -> bool:
    """In a bucket that keeps versions a write shows as one that the index does not know."""
    if intent.kind == WriteIntent.Kind.VERIFY:
        intent.delete()  # each of the writes has its own version
        return True
    if intent.version_id:
        if all(entry.version_id != intent.version_id for entry in there):
            _commit(intent, None)
            return True
        return _drop_old(intent)
    known = {
        version_id
        for kind in (Object, ObjectVersion)
        for version_id in kind.objects.filter(bucket=bucket, key=intent.key).values_list(
            "version_id", flat=True
        )
    }
    wants_marker = intent.kind == WriteIntent.Kind.DELETE
    since = intent.began_at.replace(microsecond=0) - SKEW
    for entry in reversed(there):
        if entry.version_id in known or entry.is_delete_marker != wants_marker or entry.last_modified < since:
            continue
        if wants_marker or not intent.size or entry.size == intent.size:
            _commit(intent, RemoteObject(entry.size, entry.etag, entry.last_modified, entry.version_id))
            return True
    return _drop_old(intent)


def _drop_old(intent: WriteIntent) -> bool:
    if timezone.now() - intent.began_at <= AGE:
        return False
    intent.delete()
    return True


def _was_done(intent: WriteIntent, found: RemoteObject | None) -> bool:
    """Whether what the backend shows is this write's doing."""
    if intent.kind == WriteIntent.Kind.DELETE:
        return found is None
    if found is None or found.last_modified < intent.began_at.replace(microsecond=0) - SKEW:
        return False
    if intent.size and found.size != intent.size:
        return False
    # Within the clocks' difference, an object that was there before looks like ours: its row tells.
    row = Object.objects.filter(bucket_id=intent.bucket_id, key=intent.key).first()
    return row is None or row.etag != found.etag


def _commit(intent: WriteIntent, found: RemoteObject | None) -> None:
    values: list[Any] = [
        intent.tenant_id,
        [intent.pk],
        [found.etag if found else ""],
        [found.size if found else None],
        CHECK_SOON,
        [found.version_id or None if found else None],
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_COMMIT, values)
        after_commit(realtime.ring, intent.tenant_id)


def _make_fit(intent: WriteIntent, found: RemoteObject | None) -> bool:
    """After writes that overlapped: the row as the backend has the object, with an event where that differs."""
    with transaction.atomic():
        row = Object.objects.filter(bucket_id=intent.bucket_id, key=intent.key).first()
        fits = (row is None) if found is None else (row is not None and row.etag == found.etag)
        if fits:
            intent.delete()
            return True
        intent.kind = WriteIntent.Kind.DELETE if found is None else WriteIntent.Kind.PUT
        intent.contested = False
        intent.save(update_fields=["kind", "contested"])
        _commit(intent, found)
    return True
