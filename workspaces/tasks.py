"""Work outside requests: an id in, one service call. When sweeps run: CELERY_BEAT_SCHEDULE."""

from __future__ import annotations

from celery import shared_task

from workspaces.services import activity, drift, probes, purge, reconciler, samples, snapshot_jobs, standing


@shared_task
def reconcile_instance(key: str) -> None:
    reconciler.reconcile(key)


@shared_task
def sweep_instances() -> None:
    reconciler.sweep()


@shared_task
def compare_providers() -> None:
    drift.compare()


@shared_task
def look_inside(key: str, turn: int = 0) -> None:
    activity.look(key, turn)


@shared_task
def sweep_activity() -> None:
    activity.sweep()


@shared_task
def sweep_purges() -> None:
    purge.sweep()


@shared_task
def follow_tenant(tenant_id: int) -> None:
    standing.follow_tenant(tenant_id)


@shared_task
def sweep_standing() -> None:
    standing.sweep()


@shared_task
def work_snapshot(snapshot_id: int) -> None:
    snapshot_jobs.work(snapshot_id)


@shared_task
def sweep_snapshots() -> None:
    snapshot_jobs.sweep()


@shared_task
def collect_samples() -> None:
    samples.collect()


@shared_task
def thin_samples() -> None:
    samples.thin()


@shared_task
def sweep_probes() -> None:
    probes.sweep()
