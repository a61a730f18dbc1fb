"""The nets: garbage, strays and forgotten uploads.

Each may run at any time and several times at once; what it removes it has claimed by a row or re-checked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope
from storage import providers
from storage.models import BlobGarbage, Object, ObjectVersion, Upload, UploadPart
from storage.store import BlobStore

from . import removals

log = logging.getLogger(__name__)

BATCH = 500
NAMING = (Object, ObjectVersion, UploadPart, BlobGarbage)
"""The tables whose rows own files."""
STRAY_AGE = 3600.0
TEMPORARY_AGE = 24 * 3600.0
UPLOAD_AGE = timedelta(days=7)
AGAIN = timedelta(hours=1)
"""After which a file that its disk did not let go of is tried again: others need not wait for that disk."""


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
                kept = blobs.remove(row.blob for row in rows)
                BlobGarbage.objects.filter(pk__in=[row.pk for row in rows if row.blob not in kept]).delete()
                BlobGarbage.objects.filter(pk__in=[row.pk for row in rows if row.blob in kept]).update(
                    due_at=timezone.now() + AGAIN
                )
            removed += len(rows) - len(kept)
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
                removed += len(nobodys - blobs.remove(nobodys))
    if removed:
        log.warning("%s stray files removed from the store", removed)
    return removed


def end_old_uploads() -> int:
    """End multipart uploads that were begun a week ago; how many."""
    with platform_scope("a sweep looks at all tenants"):
        old = Upload.objects.filter(initiated_at__lt=timezone.now() - UPLOAD_AGE)
        ended = 0
        for upload in old[:BATCH]:
            try:
                removals.end_upload(upload)
                ended += 1
            except (providers.ProviderError, crypto.CannotOpen) as e:
                log.warning("upload %s: %s", upload.pk, e)
    return ended


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
