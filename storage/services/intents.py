"""Writes to remote backends whose answer nobody heard: found out from what the backend shows.

May run at any time and several times at once: an intent that is looked at is put off for everybody else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope
from gateway.errors import Unavailable, UpstreamTimeout
from gateway.queue import after_commit
from realtime import services as realtime
from storage import providers
from storage.index.commits import GIVEN_UP
from storage.index.lease import PROCESS
from storage.models import Bucket, Object, ObjectVersion, Placement, WriteIntent
from storage.providers import RemoteEntry, RemoteObject

from . import backend_providers, far, removals, version_order

Ask = Callable[[Callable[[], Any]], Any]

log = logging.getLogger(__name__)

BATCH = 500
# How long after the end of a write was heard of the backend may take to show it.
UNHEARD = timedelta(minutes=1)
SLOW_SECONDS = 3.0
CHECK_SOON, CHECK_LATE = timedelta(seconds=30), timedelta(minutes=5)
# The backend's clock against ours, and its whole seconds.
SKEW = timedelta(minutes=2)

PROCESSES = """
SELECT objid::bigint FROM pg_locks
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND classid = %s AND objsubid = 2 AND granted
"""
_COMMIT = "SELECT storage_commit_intents(%s, %s::uuid[], %s::text[], %s::bigint[], %s, %s::text[])"

_END_UPLOAD = "SELECT storage_end_upload(%s, %s, %s)"


def settle(bucket: Bucket | None = None) -> int:
    """Ask the backends about remote writes that nobody committed or gave up; how many are settled now.

    Those that are due, or all of one bucket, which is about to go: of that one, what is not there and whose end was
    heard of counts as failed at once. A backend that keeps us waiting for nothing is asked once.
    """
    settled, silent, holders = 0, set[int](), _holders()
    end = time.monotonic() + far.SECONDS
    patience = timedelta(0) if bucket else UNHEARD
    with platform_scope("a sweep looks at all tenants"):
        for intent in _claim(bucket):
            placement = (
                Placement.objects.select_related("backend", "bucket")
                .filter(bucket_id=intent.bucket_id)
                .first()
            )
            if placement is not None and placement.backend_id in silent:
                continue
            begun = time.monotonic()
            if bucket and begun > end:
                break  # somebody waits for it
            ask: Ask = _at_once
            if bucket and placement:
                ask = partial(
                    far.ask, tenant_id=bucket.tenant_id, backend_id=placement.backend_id, seconds=end - begun
                )
            try:
                forsaken = _is_forsaken(intent, holders)
                settled += _settle(intent, placement, patience, ask, forsaken=forsaken)
            except (providers.ProviderError, crypto.CannotOpen, Unavailable, UpstreamTimeout) as e:
                log.warning("write intent %s: %s", intent.pk, e)
                if placement is not None and time.monotonic() - begun > SLOW_SECONDS:
                    silent.add(placement.backend_id)
    return settled


def _holders() -> set[int]:
    """The numbers of the decision processes that are there, on whatever host."""
    with connection.cursor() as cursor:
        cursor.execute(PROCESSES, [PROCESS])
        return {number for (number,) in cursor.fetchall()}


def _is_forsaken(intent: WriteIntent, holders: set[int]) -> bool:
    """Whether whoever began it is gone. Deletes without a holder are the platform's own, which take no longer."""
    age = timezone.now() - intent.began_at
    if intent.holder is None:
        return (
            intent.kind == WriteIntent.Kind.DELETE and intent.ended_at is None and age > removals.LONGEST_CALL
        )
    return intent.holder not in holders and age > UNHEARD


def _at_once(work: Callable[[], Any]) -> Any:
    return work()


def _claim(bucket: Bucket | None) -> list[WriteIntent]:
    """The intents to look at, put off for everybody else."""
    now = timezone.now()
    with transaction.atomic():
        due = (
            WriteIntent.objects.filter(bucket=bucket)
            if bucket
            else WriteIntent.objects.filter(next_check_at__lte=now)
        )
        intents = list(due.order_by("next_check_at").select_for_update(skip_locked=True)[:BATCH])
        for intent in intents:
            young = now - intent.began_at < timedelta(hours=1)
            intent.next_check_at = now + (CHECK_SOON if young else CHECK_LATE)
        WriteIntent.objects.bulk_update(intents, ["next_check_at"])
    return intents


def _settle(
    intent: WriteIntent, placement: Placement | None, patience: timedelta, ask: Ask, *, forsaken: bool
) -> bool:
    """Commit or drop one intent by what the backend shows; False while it may still be under way.

    Of one that is `forsaken` nobody will hear of the end.
    """
    if placement is None or placement.bucket is None:
        intent.delete()
        return True
    provider: Any = backend_providers.provider_of(placement.backend)
    assert provider.is_remote
    if not _is_given_up(intent) and _is_written_again(intent):
        # What shows may be the other's, whose answer is still to come.
        if intent.kind == WriteIntent.Kind.VERIFY:
            # One waits for all, or those of a busy key would fill the sweep.
            _to_verify(intent).filter(began_at__lt=intent.began_at).delete()
            return False
        if intent.ended_at is not None:
            return False
        if intent.kind == WriteIntent.Kind.PUT or (placement.bucket.versioning and not intent.version_id):
            return _drop(intent, over=False, forsaken=forsaken)
    # Before the backend is asked: it shows all that was done by then.
    over = _is_over(intent, patience, forsaken=forsaken)
    place = placement.backend_bucket
    if placement.bucket.versioning:
        verified = list(_to_verify(intent).values_list("pk", flat=True))
        if intent.kind == WriteIntent.Kind.VERIFY and not verified:
            return True  # with another of its key
        there = ask(lambda: provider.versions_of(place, intent.key, versions=True))
        done = _settle_version(intent, placement.bucket, there)
        if version_order.make_fit(placement.bucket, intent.key, there) is not None or _is_given_up(intent):
            WriteIntent.objects.filter(pk__in=verified).delete()
        elif intent.kind == WriteIntent.Kind.VERIFY:
            return False
        return done or _drop(intent, over=over, forsaken=forsaken)
    found = ask(lambda: provider.head(place, intent.key))
    if intent.kind == WriteIntent.Kind.VERIFY:
        return _make_fit(intent, found)
    if _was_done(intent, found):
        _commit(intent, found)
        return True
    return _drop(intent, over=over, forsaken=forsaken)


def _is_over(intent: WriteIntent, patience: timedelta, *, forsaken: bool) -> bool:
    """Whether the backend will not do any more what it has not done."""
    if _is_given_up(intent):
        return True
    if forsaken and intent.kind == WriteIntent.Kind.DELETE:
        return True
    if intent.kind == WriteIntent.Kind.LOST or (forsaken and intent.ended_at is None):
        return not patience  # the edge may be at it, and whichever process gets the answer commits it
    return intent.ended_at is not None and timezone.now() - intent.ended_at >= patience


def _is_given_up(intent: WriteIntent) -> bool:
    return timezone.now() - intent.began_at > GIVEN_UP


def _is_written_again(intent: WriteIntent) -> bool:
    others = WriteIntent.objects.filter(bucket_id=intent.bucket_id, key=intent.key, ended_at=None)
    return others.exclude(kind=WriteIntent.Kind.VERIFY).exclude(pk=intent.pk).exists()


def _drop(intent: WriteIntent, *, over: bool, forsaken: bool) -> bool:
    """Let go of what the backend does not show. The edge may still be at a put whose process is gone."""
    if over:
        intent.delete()
        return True
    if forsaken and intent.ended_at is None:
        own = WriteIntent.objects.filter(pk=intent.pk, kind=WriteIntent.Kind.PUT, ended_at=None)
        own.update(kind=WriteIntent.Kind.LOST, ended_at=timezone.now())
    return False


def _to_verify(intent: WriteIntent) -> QuerySet[WriteIntent]:
    """What one look at the backend settles: it shows what all of these have done, so the last stands for all."""
    same = WriteIntent.objects.filter(bucket_id=intent.bucket_id, key=intent.key)
    return same.filter(kind=WriteIntent.Kind.VERIFY)


def _settle_version(intent: WriteIntent, bucket: Bucket, there: list[RemoteEntry]) -> bool:
    """Whether it is done: in a bucket that keeps versions a write shows as one that the index does not know."""
    if intent.kind == WriteIntent.Kind.VERIFY:
        return True  # each of the writes has its own version; what there was to see is their order
    if intent.version_id:
        if all(entry.version_id != intent.version_id for entry in there):
            _commit(intent, None)
            return True
        return False
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
    return False


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


def _is_same(row: Object, found: RemoteObject) -> bool:
    return (row.etag, row.size) == (found.etag, found.size)


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
        if intent.completes is not None:
            cursor.execute(_END_UPLOAD, [intent.tenant_id, intent.bucket_id, intent.completes])
        cursor.execute(_COMMIT, values)
        after_commit(realtime.ring, intent.tenant_id)


def _make_fit(intent: WriteIntent, found: RemoteObject | None) -> bool:
    """After writes that overlapped: the row as the backend has the object, with an event where that differs.

    What the intent describes is the write that lost then: type and metadata are the backend's, tags and checksums of
    the other are not known any more.
    """
    with transaction.atomic():
        row = Object.objects.filter(bucket_id=intent.bucket_id, key=intent.key).first()
        fits = row is None if found is None else row is not None and _is_same(row, found)
        if fits:
            intent.delete()
            return True
        intent.kind = WriteIntent.Kind.DELETE if found is None else WriteIntent.Kind.PUT
        intent.contested = False
        if found is not None:
            intent.content_type, intent.metadata = found.content_type, dict(found.metadata)
        intent.headers, intent.checksums, intent.tags, intent.parts = {}, {}, {}, None
        intent.completes = None
        intent.save()
        _commit(intent, found)
    return True
