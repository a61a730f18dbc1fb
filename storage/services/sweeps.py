"""The nets: garbage, strays, forgotten uploads, and remote writes whose answer nobody heard.

Each may run at any time and several times at once; what it removes it has claimed by a row or re-checked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope
from gateway.queue import after_commit
from realtime import services as realtime
from storage import providers
from storage.models import BlobGarbage, Object, ObjectVersion, Placement, Upload, UploadPart, WriteIntent
from storage.store import BlobStore

from . import backends

log = logging.getLogger(__name__)

BATCH = 500
NAMING = (Object, ObjectVersion, UploadPart, BlobGarbage)
"""The tables whose rows own files."""
STRAY_AGE = 3600.0
TEMPORARY_AGE = 24 * 3600.0
UPLOAD_AGE = timedelta(days=7)
# A write that the backend does not show by then has failed, or is slower than any client waits.
INTENT_AGE = timedelta(hours=24)
CHECK_SOON, CHECK_LATE = timedelta(seconds=30), timedelta(minutes=5)
# The backend's clock against ours, and its whole seconds.
SKEW = timedelta(minutes=2)


def store() -> BlobStore:
    """This instance's store of blobs."""
    return BlobStore(settings.STORAGE_ROOT, settings.STORAGE_FOLDERS)


def remove_garbage() -> int:
    """Remove the files of blobs whose rows are gone, once reads that began before are over; how many."""
    removed, blobs = 0, store()
    with platform_scope("a sweep looks at all tenants"):
        while True:
            with transaction.atomic():
                due = BlobGarbage.objects.filter(due_at__lte=timezone.now()).order_by("due_at")
                rows = list(due.select_for_update(skip_locked=True)[:BATCH])
                # The file first: a crash in between leaves a row whose file is gone, which is no harm.
                blobs.remove(row.blob for row in rows)
                BlobGarbage.objects.filter(pk__in=[row.pk for row in rows]).delete()
            removed += len(rows)
            if len(rows) < BATCH:
                return removed


def remove_strays() -> int:
    """Remove what crashes left: old temporary files, and blobs that no row names; how many.

    A blob's row is committed right after its file is written, so an hour later it never will be.
    """
    blobs = store()
    removed = blobs.remove_stale_temporaries(TEMPORARY_AGE)
    with platform_scope("a sweep looks at all tenants"):
        for folder in blobs.old_blobs(STRAY_AGE):
            for ids in batched(folder):
                nobodys = strays(ids)
                blobs.remove(nobodys)
                removed += len(nobodys)
    if removed:
        log.warning("%s stray files removed from the store", removed)
    return removed


def end_old_uploads() -> int:
    """End multipart uploads that were begun a week ago; how many."""
    with platform_scope("a sweep looks at all tenants"):
        old = Upload.objects.filter(initiated_at__lt=timezone.now() - UPLOAD_AGE)
        rows = list(old.values_list("tenant_id", "bucket_id", "pk")[:BATCH])
        for row in rows:
            with connection.cursor() as cursor:
                cursor.execute("SELECT storage_end_upload(%s, %s, %s)", row)
    return len(rows)


def settle_intents() -> int:
    """Ask the backends about remote writes that nobody committed or gave up; how many are settled now."""
    settled = 0
    with platform_scope("a sweep looks at all tenants"):
        for intent in _claim_intents():
            try:
                settled += _settle(intent)
            except (providers.ProviderError, crypto.CannotOpen) as e:
                log.warning("write intent %s: %s", intent.pk, e)
    return settled


def _claim_intents() -> list[WriteIntent]:
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
    placement = Placement.objects.select_related("backend").filter(bucket_id=intent.bucket_id).first()
    if placement is None:
        intent.delete()
        return True
    provider = backends.provider_of(placement.backend)
    assert provider.is_remote
    found = provider.head(placement.backend_bucket, intent.key)  # type: ignore[attr-defined]
    if intent.kind == WriteIntent.Kind.VERIFY:
        return _make_fit(intent, found)
    if _was_done(intent, found):
        _commit(intent, found)
        return True
    if timezone.now() - intent.began_at > INTENT_AGE:
        intent.delete()
        return True
    return False


def _was_done(intent: WriteIntent, found: providers.RemoteObject | None) -> bool:
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


def _commit(intent: WriteIntent, found: providers.RemoteObject | None) -> None:
    values: list[Any] = [
        intent.tenant_id,
        [intent.pk],
        [found.etag if found else ""],
        [found.size if found else None],
        CHECK_SOON,
        [found.version_id or None if found else None],
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT storage_commit_intents(%s, %s::uuid[], %s::text[], %s::bigint[], %s, %s::text[])", values
        )
        after_commit(realtime.ring, intent.tenant_id)


def _make_fit(intent: WriteIntent, found: providers.RemoteObject | None) -> bool:
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


def strays(ids: Sequence[str]) -> set[str]:
    """Those of the blobs that no row names: no object, other version, part, or garbage that waits.

    One statement, so one moment: a row that moves from table to table meanwhile is in one of them.
    """
    first, *others = (
        model.objects.filter(blob__in=ids).order_by().values_list("blob", flat=True) for model in NAMING
    )
    return set(ids).difference(first.union(*others, all=True))


def batched(ids: Sequence[str]) -> Iterator[list[str]]:
    """`ids` in lists of BATCH."""
    rest = iter(ids)
    while batch := list(islice(rest, BATCH)):
        yield batch
