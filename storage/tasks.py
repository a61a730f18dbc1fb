"""Work outside requests: an id in, one service call."""

from __future__ import annotations

from celery import shared_task

from storage.services import placements, sweeps


@shared_task
def reconcile_placement(placement_id: int) -> None:
    placements.reconcile(placement_id)


@shared_task
def sweep_placements() -> None:
    placements.sweep()


@shared_task
def sweep_intents() -> None:
    sweeps.settle_intents()


@shared_task
def sweep_blobs() -> None:
    sweeps.remove_garbage()


@shared_task
def sweep_strays() -> None:
    sweeps.remove_strays()


@shared_task
def sweep_uploads() -> None:
    sweeps.end_old_uploads()


# Seconds between two runs; `manage.py bootstrap` writes them into the scheduler's tables, where staff may change them.
SCHEDULE = {
    "storage: settle unanswered writes": (sweep_intents, 10),
    "storage: reconcile buckets on backends": (sweep_placements, 30),
    "storage: remove garbage": (sweep_blobs, 60),
    "storage: end forgotten uploads": (sweep_uploads, 3600),
    "storage: remove strays": (sweep_strays, 3600),
}
