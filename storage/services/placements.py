"""Placements: buckets made and removed on their backends, by a reconciler that may run at any time."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from gateway import crypto
from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from gateway.errors import Conflict, Unavailable, UpstreamTimeout
from gateway.queue import enqueue
from realtime import services as realtime
from storage import providers, tasks
from storage.models import Backend, Bucket, Placement
from tenants.services import snapshot

from . import backend_providers, connections, far

log = logging.getLogger(__name__)

PRESENT, ABSENT = Placement.State.PRESENT, Placement.State.ABSENT
_LONGEST_PAUSE = timedelta(minutes=10)


def backend_bucket(tenant_id: int, name: str, ordinal: int) -> str:
    """A bucket's real name on a remote backend: always the same for the same bucket of this instance.

    It tells nothing to who sees the backend's list, and no other instance makes the same. `ordinal` gives the next
    one where a name is taken.
    """
    digest = crypto.keyed_digest("backend-bucket", f"{tenant_id}/{name}/{ordinal}")
    return "gh-" + base64.b32encode(digest).decode().lower().rstrip("=")[:48]


def place(bucket: Bucket, backend: Backend) -> Placement:
    """Ask for the bucket on the backend. Call in the transaction that makes the bucket."""
    remote = backend_providers.is_remote(backend)
    for ordinal in range(100):
        placement = Placement(
            tenant_id=bucket.tenant_id,
            bucket=bucket,
            backend=backend,
            backend_bucket=backend_bucket(bucket.tenant_id, bucket.name, ordinal),
            observed_state=ABSENT if remote else PRESENT,
        )
        try:
            with transaction.atomic():
                placement.save()
        except IntegrityError:  # a bucket of this name was deleted lately and is not gone there yet
            continue
        return placement
    raise AssertionError("a hundred names were taken")


def give_up(placement: Placement) -> None:
    """Ask for the bucket's end on its backend. Call in the transaction that deletes the bucket."""
    if not backend_providers.is_remote(placement.backend):
        placement.delete()
        return
    placement.bucket = None
    placement.desired_state, placement.next_attempt_at = ABSENT, timezone.now()
    placement.save(update_fields=["bucket", "desired_state", "next_attempt_at"])
    enqueue(tasks.reconcile_placement, placement.pk)


def reconcile(placement_id: int) -> Placement | None:
    """Make the backend's bucket what is asked for; the placement as it is then, None when it is over.

    One holder per placement. A failure is noted with the time of the next attempt and does not raise.
    """
    with (
        platform_scope("a reconciler works for all tenants"),
        advisory_lock("placement", placement_id) as held,
    ):
        rows = Placement.objects.select_related("backend", "bucket")
        placement: Placement | None = rows.filter(pk=placement_id).first()
        if placement is None or not held or (placement.is_settled and placement.desired_state == PRESENT):
            return placement
        try:
            provider = backend_providers.provider_of(placement.backend)
            if placement.desired_state == PRESENT:
                _ensure(provider, placement)
            else:
                provider.remove_bucket(placement.backend_bucket)
        except providers.BucketTaken:
            _take_next_name(placement)
            return placement
        except (providers.ProviderError, crypto.CannotOpen) as e:
            _note_failure(placement, str(e))
            return placement
        return _note_success(placement)


def _ensure(provider: Any, placement: Placement) -> None:
    """The bucket on its backend, with what it was made to keep."""
    name, bucket = placement.backend_bucket, placement.bucket
    if bucket is None or not bucket.versioning:
        provider.ensure_bucket(name)
        return
    if bucket.object_lock:
        provider.ensure_lockable_bucket(name)
    else:
        provider.ensure_bucket(name)
    provider.set_versioning(name, enabled=bucket.versioning == Bucket.Versioning.ENABLED)
    if bucket.default_retention:
        provider.set_object_lock(name, bucket.default_retention)


def set_versioning(bucket: Bucket, *, enabled: bool) -> None:
    """Have the bucket's backend keep versions, or stop, before the bucket's row says so; nothing on our own store.

    Call outside a transaction. Raises Conflict where the backend refuses, Unavailable, UpstreamTimeout.
    """
    _tell(bucket, lambda provider, name: provider.set_versioning(name, enabled=enabled))


def set_object_lock(bucket: Bucket, default_retention: Mapping[str, Any] | None) -> None:
    """How the bucket's backend retains new versions; as `set_versioning`."""
    _tell(bucket, lambda provider, name: provider.set_object_lock(name, default_retention))


def _tell(bucket: Bucket, say: Callable[[Any, str], None]) -> None:
    placement = Placement.objects.select_related("backend").get(bucket=bucket)
    if not backend_providers.is_remote(placement.backend):
        return
    try:
        provider = backend_providers.provider_of(placement.backend)
        far.ask(lambda: say(provider, placement.backend_bucket), placement.tenant_id, placement.backend_id)
    except UpstreamTimeout:
        connections.doubt(placement.backend)
        raise
    except providers.Refused as e:
        raise Conflict(f"The bucket's backend refuses: {e}", code="backend_refused") from e
    except (providers.ProviderError, crypto.CannotOpen) as e:
        connections.doubt(placement.backend)
        raise Unavailable(f"The bucket's backend did not do it: {e}", code="backend_failed") from e


def sweep() -> None:
    """Reconcile what is due: the net under nudges that were lost."""
    with platform_scope("a sweep looks at all tenants"):
        due = Placement.objects.drifted().filter(next_attempt_at__lte=timezone.now())
        gone = Placement.objects.filter(desired_state=ABSENT, next_attempt_at__lte=timezone.now())
        for pk in (due | gone).order_by("next_attempt_at").values_list("pk", flat=True)[:200]:
            tasks.reconcile_placement.delay(pk)


def _note_success(placement: Placement) -> Placement | None:
    with transaction.atomic():
        # A wish that changed meanwhile is drift again, for the next run.
        same = Placement.objects.select_for_update().filter(
            pk=placement.pk, desired_state=placement.desired_state
        )
        if placement.desired_state == ABSENT:
            same.delete()
            return None
        if same.update(observed_state=PRESENT, error="", attempts=0):
            snapshot.changed("buckets")
            if placement.bucket is not None:
                realtime.publish(placement.tenant_id, "storage.bucket.ready", subject=placement.bucket.name)
    placement.refresh_from_db()
    return placement


def _note_failure(placement: Placement, error: str) -> None:
    log.warning("placement %s: %s", placement.pk, error)
    pause = min(_LONGEST_PAUSE, timedelta(seconds=5 * 2 ** min(placement.attempts, 8)))
    placement.attempts += 1
    placement.error, placement.next_attempt_at = error[:500], timezone.now() + pause
    placement.save(update_fields=["attempts", "error", "next_attempt_at"])


def _take_next_name(placement: Placement) -> None:
    """The name belongs to somebody else there: ask for the next one."""
    assert placement.bucket is not None
    for ordinal in range(100):
        name = backend_bucket(placement.tenant_id, placement.bucket.name, ordinal)
        if name == placement.backend_bucket:
            break
    else:
        ordinal = 0
    placement.backend_bucket = backend_bucket(placement.tenant_id, placement.bucket.name, ordinal + 1)
    with transaction.atomic():
        placement.next_attempt_at = timezone.now()
        placement.save(update_fields=["backend_bucket", "next_attempt_at"])
        snapshot.changed("buckets")
        enqueue(tasks.reconcile_placement, placement.pk)
