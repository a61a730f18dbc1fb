"""The lifecycle worker: what the rules of buckets expire goes, by the same commits as a client's deletes.

A run may stop anywhere and begin anew: what is due is looked for, not remembered. Locked versions stay.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from gateway import crypto
from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from storage import lifecycle, providers, tasks
from storage.index.texts import after_all
from storage.lifecycle import Rule
from storage.models import Bucket, Upload

from . import backend_providers, removals

log = logging.getLogger(__name__)

BY: Final = "lifecycle"
BATCH: Final = 500
EVERY: Final = timedelta(hours=1)
LONGEST_RUN: Final = 300.0
"""Seconds; the next run goes on, since what is gone is not found again."""

_CURRENT = """
SELECT key, etag, last_modified FROM storage_object
WHERE tenant_id = %(tenant)s AND bucket_id = %(bucket)s AND key > %(after)s AND last_modified <= %(until)s {filter}
ORDER BY key LIMIT %(limit)s
"""
# Noncurrent versions count from the newest, whatever the rule then asks of them.
_NONCURRENT = """
SELECT key, n, version_id, etag, last_modified FROM (
    SELECT *, row_number() OVER (PARTITION BY key ORDER BY version_seq DESC) AS n FROM storage_objectversion
    WHERE tenant_id = %(tenant)s AND bucket_id = %(bucket)s AND noncurrent_since IS NOT NULL
        AND key >= %(after)s {prefix}
) v
WHERE n > %(newer)s AND noncurrent_since <= %(until)s AND (key, n) > (%(after)s, %(after_n)s) {filter}
ORDER BY key, n LIMIT %(limit)s
"""
# Delete markers with nothing below them.
_MARKERS = """
SELECT key, version_id, etag, last_modified FROM storage_objectversion v
WHERE tenant_id = %(tenant)s AND bucket_id = %(bucket)s AND is_delete_marker AND noncurrent_since IS NULL
    AND key > %(after)s AND last_modified <= %(until)s {prefix}
    AND NOT EXISTS (
        SELECT 1 FROM storage_objectversion o
        WHERE o.tenant_id = v.tenant_id AND o.bucket_id = v.bucket_id AND o.key = v.key AND o.id <> v.id
    )
ORDER BY key LIMIT %(limit)s
"""
_PREFIX = "AND key >= %(prefix)s AND (%(prefix_end)s::text IS NULL OR key < %(prefix_end)s)"
_FILTER = (
    _PREFIX
    + """
    AND (%(larger)s::bigint IS NULL OR size > %(larger)s) AND (%(smaller)s::bigint IS NULL OR size < %(smaller)s)
    AND tags @> %(tags)s::jsonb
"""
)


def day_seconds() -> int:
    """How long a day of a rule lasts: S3_LIFECYCLE_DAY_SECONDS, for tests."""
    return int(settings.S3_LIFECYCLE_DAY_SECONDS)


def sweep() -> None:
    """Start a run for each bucket whose rules were not applied lately."""
    every = EVERY if day_seconds() == lifecycle.DAY_SECONDS else timedelta(seconds=day_seconds() / 4)
    due = Q(lifecycle_at=None) | Q(lifecycle_at__lte=timezone.now() - every)
    with platform_scope("a sweep looks at all tenants"):
        found = Bucket.objects.exclude(lifecycle=[]).filter(due).order_by("lifecycle_at")
        for pk in found.values_list("pk", flat=True)[:200]:
            tasks.apply_lifecycle.delay(pk)


def apply(bucket_id: int) -> int:
    """Apply a bucket's rules; how many objects, versions and uploads went. One holder per bucket, others do nothing."""
    with (
        platform_scope("lifecycle works for all tenants"),
        advisory_lock("lifecycle", bucket_id) as held,
    ):
        bucket = Bucket.objects.select_related("placement__backend").filter(pk=bucket_id).first()
        if bucket is None or not held:
            return 0
        run = _Run(bucket, timezone.now())
        try:
            for rule in lifecycle.rules_of(bucket.lifecycle):
                run.apply(rule)
        except (providers.ProviderError, crypto.CannotOpen) as e:
            log.warning("lifecycle of bucket %s: %s", bucket.pk, e)
        except _OutOfTime:
            return run.removed
        Bucket.objects.filter(pk=bucket.pk).update(lifecycle_at=run.now)
    return run.removed


class _OutOfTime(Exception):
    """The run has lasted as long as it may."""


class _Run:
    def __init__(self, bucket: Bucket, now: datetime) -> None:
        self.now, self.removed = now, 0
        self._bucket, self._until = bucket, time.monotonic() + LONGEST_RUN

    def apply(self, rule: Rule) -> None:
        if rule.date is not None and rule.date <= self.now:
            self._expire(rule, self.now)
        if rule.days is not None:
            self._expire(rule, self._cutoff(rule.days))
        if rule.noncurrent_days is not None:
            self._expire_noncurrent(rule, self._cutoff(rule.noncurrent_days))
        if rule.expires_markers:
            self._expire_markers(rule, self.now)
        if rule.abort_days is not None:
            self._abort(rule, self._cutoff(rule.abort_days))

    def _expire(self, rule: Rule, until: datetime) -> None:
        for found in self._pages(_CURRENT, rule, until, lambda row: (row[0], 0)):
            self._remove([removals.Doomed(key, etag=etag, last_modified=at) for key, etag, at in found])
        if rule.is_for_all:
            self._expire_markers(rule, until)

    def _expire_noncurrent(self, rule: Rule, until: datetime) -> None:
        for found in self._pages(_NONCURRENT, rule, until, lambda row: (row[0], row[1])):
            self._remove([removals.Doomed(key, *version) for key, _, *version in found])

    def _expire_markers(self, rule: Rule, until: datetime) -> None:
        if not self._bucket.versioning:
            return
        for found in self._pages(_MARKERS, rule, until, lambda row: (row[0], 0)):
            self._remove([removals.Doomed(*version) for version in found])

    def _abort(self, rule: Rule, until: datetime) -> None:
        old = Upload.objects.filter(bucket=self._bucket, initiated_at__lte=until).order_by("initiated_at")
        for upload in old.iterator(chunk_size=BATCH):
            if not upload.key.startswith(rule.prefix):
                continue
            removals.end_upload(upload)
            self.removed += 1
            self._check_time()

    def _cutoff(self, days: int) -> datetime:
        return lifecycle.cutoff(self.now, days, day_seconds())

    def _remove(self, doomed: list[removals.Doomed]) -> None:
        # A backend is asked about each, and may take its time.
        at_once = 1 if backend_providers.is_remote(self._bucket.placement.backend) else BATCH
        for n in range(0, len(doomed), at_once):
            self.removed += removals.remove(self._bucket, doomed[n : n + at_once], BY)
            self._check_time()

    def _check_time(self) -> None:
        if time.monotonic() > self._until:
            raise _OutOfTime

    def _pages(
        self, statement: str, rule: Rule, until: datetime, place: Callable[[Any], tuple[str, int]]
    ) -> Iterator[list[Any]]:
        """What is due by a rule, a batch at a time; `place` says after which row the next batch begins."""
        after, after_n = "", 0
        while True:
            values: dict[str, Any] = {
                "tenant": self._bucket.tenant_id,
                "bucket": self._bucket.pk,
                "until": until,
                "after": after,
                "after_n": after_n,
                "newer": rule.newer_noncurrent,
                "prefix": rule.prefix,
                "prefix_end": after_all(rule.prefix),
                "larger": rule.larger,
                "smaller": rule.smaller,
                "tags": json.dumps(dict(rule.tags)),
                "limit": BATCH,
            }
            with connection.cursor() as cursor:
                cursor.execute(statement.format(filter=_FILTER, prefix=_PREFIX), values)
                found = cursor.fetchall()
            if found:
                yield found
            if len(found) < BATCH:
                return
            after, after_n = place(found[-1])
