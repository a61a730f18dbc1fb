"""Work outside requests: an id in, one service call. When sweeps run: CELERY_BEAT_SCHEDULE."""

from __future__ import annotations

from celery import shared_task

from storage.services import (
    connections,
    expiry,
    intents,
    placements,
    scanner,
    share_links,
    sweeps,
    usage,
    verify,
)


@shared_task
def reconcile_placement(placement_id: int) -> None:
    placements.reconcile(placement_id)


@shared_task
def sweep_placements() -> None:
    placements.sweep()


@shared_task
def sweep_intents() -> None:
    intents.settle()


@shared_task
def sweep_garbage() -> None:
    sweeps.remove_garbage()


@shared_task
def sweep_strays() -> None:
    sweeps.remove_strays()


@shared_task
def verify_store() -> None:
    verify.verify_by_and_by()


@shared_task
def sample_usage() -> None:
    usage.sample()


@shared_task
def sweep_uploads() -> None:
    sweeps.end_old_uploads()


@shared_task
def sweep_share_links() -> None:
    share_links.sweep()


@shared_task
def check_backend(backend_id: int) -> None:
    connections.examine_one(backend_id)


@shared_task
def sweep_backends() -> None:
    connections.sweep()


@shared_task
def sweep_lifecycle() -> None:
    expiry.sweep()


@shared_task
def apply_lifecycle(bucket_id: int) -> None:
    expiry.apply(bucket_id)


@shared_task
def scan_placement(placement_id: int) -> None:
    scanner.scan(placement_id)


@shared_task
def sweep_scans() -> None:
    scanner.sweep()
