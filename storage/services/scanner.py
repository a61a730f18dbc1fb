"""The scanner: reads through buckets on remote backends and makes the index what is really there.

What somebody changed behind the platform's back becomes a commit like any other, with its event, in the name of `scan`.
A key with an open intent is left to that intent, and what is younger than a write takes to be committed to the next
scan. A run may stop anywhere: Placement.scan_after says where the next goes on.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from gateway import crypto
from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from gateway.errors import Invalid
from gateway.queue import after_commit, enqueue
from realtime import services as realtime
from storage import providers, tasks
from storage.models import Bucket, Object, ObjectVersion, Placement, WriteIntent
from storage.providers import RemoteEntry, RemoteObject
from tenants.principal import Principal
from tenants.services import audit

from . import backend_providers, usage, version_order

log = logging.getLogger(__name__)

BY: Final = "scan"
EVERY: Final = timedelta(hours=24)
YOUNG: Final = timedelta(minutes=2)
LONGEST_RUN: Final = 240.0
PAUSE: Final = 0.05
"""Seconds: between two pages of one bucket, so that a scan is a guest on the backend."""
_NULL: Final = "null"

_COMMIT = """
SELECT verdicts FROM storage_commit(
    %(tenant)s, false, ARRAY[%(delete)s], ARRAY[%(bucket)s]::bigint[], ARRAY[%(key)s]::text[],
    ARRAY[%(size)s]::bigint[], ARRAY[%(etag)s]::text[], ARRAY[%(type)s]::text[], ARRAY[%(metadata)s]::jsonb[],
    ARRAY['{}'::jsonb], ARRAY['{}'::jsonb], ARRAY[%(modified)s]::timestamptz[], ARRAY[NULL::text],
    ARRAY[NULL::bytea], ARRAY[%(by)s]::text[], p_version => ARRAY[%(version)s]::text[],
    p_given => ARRAY[%(given)s]::text[]
)
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What the index has of a version; of an object in a bucket without versions the id is empty."""

    key: str
    version_id: str
    etag: str
    size: int
    is_young: bool
    place: int
    """Among the versions of its key the newest has the highest."""


def scan_bucket(bucket: Bucket, *, actor: Principal) -> None:
    """Have the bucket read through now. Raises Forbidden, Invalid (code `not_remote`) for one in our own store."""
    actor.require("storage.bucket.write")
    placement = Placement.objects.select_related("backend").get(bucket=bucket)
    if not backend_providers.is_remote(placement.backend):
        raise Invalid("Only buckets on remote backends are scanned.", code="not_remote")
    with transaction.atomic():
        Placement.objects.filter(pk=placement.pk).update(scanned_at=None)
        audit.record(actor, "storage.bucket.scan", target=bucket.name)
        enqueue(tasks.scan_placement, placement.pk)


def sweep() -> None:
    """Start a run for each bucket that was not read through lately, or not to its end."""
    due = Q(scanned_at=None) | Q(scanned_at__lte=timezone.now() - EVERY) | ~Q(scan_after="")
    present = Placement.State.PRESENT
    with platform_scope("a sweep looks at all tenants"):
        rows = Placement.objects.filter(
            due, bucket__isnull=False, desired_state=present, observed_state=present
        ).exclude(backend__kind="local")
        for pk in rows.order_by("scanned_at").values_list("pk", flat=True)[:50]:
            tasks.scan_placement.delay(pk)


def scan(placement_id: int) -> int:
    """Read on through a bucket; how many differences were made good. One holder per bucket."""
    with (
        platform_scope("the scanner works for all tenants"),
        advisory_lock("scan", placement_id) as held,
    ):
        placement = Placement.objects.select_related("backend", "bucket").filter(pk=placement_id).first()
        if placement is None or placement.bucket is None or not held:
            return 0
        try:
            return _Scan(placement).run()
        except (providers.ProviderError, crypto.CannotOpen) as e:
            log.warning("scan of placement %s: %s", placement_id, e)
            return 0


class _Scan:
    def __init__(self, placement: Placement) -> None:
        assert placement.bucket is not None
        self._placement, self._bucket = placement, placement.bucket
        self._provider: Any = backend_providers.provider_of(placement.backend)
        self._versioned = bool(placement.bucket.versioning)

    def run(self) -> int:
        until, mended = time.monotonic() + LONGEST_RUN, 0
        while time.monotonic() < until:
            after = self._placement.scan_after
            page = self._provider.list_entries(
                self._placement.backend_bucket, after=after, versions=self._versioned
            )
            known = self._known(after, page.next)
            for key in self._different(page.entries, known):
                if time.monotonic() > until:
                    return mended  # a slow backend: the next run reads this page again, which differs less by then
                mended += self._mend(key)
            if page.next is None:
                self._note("", timezone.now())
                break
            self._note(page.next, self._placement.scanned_at)
            time.sleep(PAUSE)
        return mended

    def _note(self, after: str, scanned_at: Any) -> None:
        self._placement.scan_after, self._placement.scanned_at = after, scanned_at
        self._placement.save(update_fields=["scan_after", "scanned_at"])

    def _known(self, after: str, last: str | None) -> list[Known]:
        """What the index has of the page's keys, which are those after `after` up to `last`."""
        young = timezone.now() - YOUNG
        found = []
        for kind in (Object, ObjectVersion):
            rows = kind.objects.filter(tenant_id=self._bucket.tenant_id, bucket=self._bucket, key__gt=after)
            if last is not None:
                rows = rows.filter(key__lte=last)
            names = ("key", "version_id", "etag", "size", "last_modified", "version_seq")
            found += [
                Known(key, version_id if self._versioned else "", etag, size, at > young, place)
                for key, version_id, etag, size, at, place in rows.values_list(*names).iterator()
            ]
        return found

    def _different(self, entries: Iterable[RemoteEntry], known: Iterable[Known]) -> list[str]:
        """Keys whose versions, or their order, are not those of the index; what changed just now is left for later."""
        there = _by_key(entries)
        here = _by_key(known)
        keys = []
        for key in sorted(there.keys() | here.keys()):
            ours = here.get(key, [])
            if any(row.is_young for row in ours):
                continue
            newest_first = sorted(ours, key=attrgetter("place"), reverse=True)
            if [self._mark(e) for e in there.get(key, [])] != [
                (row.version_id, row.etag, row.size) for row in newest_first
            ]:
                keys.append(key)
        return keys

    def _mark(self, entry: RemoteEntry) -> tuple[str, str, int]:
        return (entry.version_id if self._versioned else "", entry.etag, entry.size)

    def _mend(self, key: str) -> int:
        """Make one key as it is there; how many commits that took. The backend is asked again: the list is old."""
        there = self._provider.versions_of(self._placement.backend_bucket, key, versions=self._versioned)
        newest = timezone.now() - YOUNG
        if any(entry.last_modified > newest for entry in there):
            return 0
        described = {
            entry.version_id: self._described(key, entry) for entry in there if not entry.is_delete_marker
        }
        with transaction.atomic():
            usage.lock(self._bucket.tenant_id)
            if WriteIntent.objects.filter(bucket=self._bucket, key=key).exists():
                return 0
            kinds = (Object, ObjectVersion)
            rows = [
                row
                for kind in kinds
                for row in kind.objects.filter(
                    tenant_id=self._bucket.tenant_id, bucket=self._bucket, key=key
                ).values_list("version_id", "etag", "size")
            ]
            if self._versioned:
                done = self._mend_versions(key, there, set(rows), described)
                if version_order.make_fit(self._bucket, key, there):
                    done += 1
            else:
                done = self._mend_object(key, there, rows, described)
            if done:
                after_commit(realtime.ring, self._bucket.tenant_id)
        return done

    def _mend_object(
        self,
        key: str,
        there: list[RemoteEntry],
        rows: list[Any],
        described: Mapping[str, RemoteObject | None],
    ) -> int:
        if not there:
            return self._commit(key, delete=True) if rows else 0
        [entry] = there
        if [(etag, size) for _, etag, size in rows] == [(entry.etag, entry.size)]:
            return 0
        return self._commit(key, entry=entry, described=described[entry.version_id])

    def _mend_versions(
        self,
        key: str,
        there: list[RemoteEntry],
        rows: set[tuple[str, str, int]],
        described: Mapping[str, RemoteObject | None],
    ) -> int:
        done = 0
        known = {row[0] for row in rows}
        for version_id in known - {entry.version_id for entry in there}:
            done += self._commit(key, delete=True, version_id=version_id)
        for entry in reversed(there):  # the oldest first, so that the newest is the current one
            # Only the null version is ever written again.
            if entry.version_id in known and (entry.version_id != _NULL or self._mark(entry) in rows):
                continue
            if entry.is_delete_marker:
                done += self._commit(key, delete=True, given=entry.version_id)
            else:
                done += self._commit(
                    key, entry=entry, described=described[entry.version_id], given=entry.version_id
                )
        return done

    def _described(self, key: str, entry: RemoteEntry) -> RemoteObject | None:
        version_id = entry.version_id if self._versioned else ""
        found: RemoteObject | None = self._provider.head(self._placement.backend_bucket, key, version_id)
        return found

    def _commit(
        self,
        key: str,
        *,
        entry: RemoteEntry | None = None,
        described: RemoteObject | None = None,
        delete: bool = False,
        version_id: str | None = None,
        given: str | None = None,
    ) -> int:
        if not delete and (entry is None or described is None):
            return 0  # it went meanwhile
        values: dict[str, Any] = {
            "tenant": self._bucket.tenant_id,
            "bucket": self._bucket.pk,
            "key": key,
            "delete": delete,
            "size": entry.size if entry else 0,
            "etag": entry.etag if entry else "",
            "type": described.content_type if described else "",
            "metadata": json.dumps(dict(described.metadata)) if described else "{}",
            "modified": entry.last_modified if entry else timezone.now(),
            "by": BY,
            "version": version_id,
            "given": given,
        }
        with connection.cursor() as cursor:
            cursor.execute(_COMMIT, values)
            [verdict] = cursor.fetchone()[0]
        return 1 if verdict is None else 0


def _by_key(rows: Iterable[Any]) -> dict[str, list[Any]]:
    ordered = sorted(rows, key=attrgetter("key"))
    return {key: list(of_key) for key, of_key in groupby(ordered, key=attrgetter("key"))}
