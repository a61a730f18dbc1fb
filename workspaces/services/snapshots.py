"""Copies of workspaces' volumes: made, restored, deleted, and moved to and from buckets.

Each is a gzipped tar in `<home>/workspaces/snapshots`, complete once its row is `ready`: a job writes it beside its
name, syncs it and renames it, and may begin anew at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.db import transaction

from gateway import crypto
from gateway.errors import Conflict, NotFound
from gateway.queue import enqueue
from gateway.validation import validated
from realtime import services as realtime
from storage.services import buckets, objects
from tenants.principal import Principal
from tenants.services import audit
from workspaces import tasks
from workspaces.models import VolumeSnapshot, Workspace
from workspaces.providers.base import Provider, Refused, Spec

from . import instances, snapshot_files, workspaces

MOST = 20
READY = VolumeSnapshot.State.READY


def create_snapshot(workspace: Workspace, name: str, *, actor: Principal) -> VolumeSnapshot:
    """Copy the volume as it is, `pending` until the copy is there.

    What is written meanwhile may be in it by half: stop the workspace first where that matters. Raises Forbidden,
    Invalid, Conflict for a deleted workspace or one that has MOST already.
    """
    with transaction.atomic():
        snapshot = _new(workspace, name, actor)
        _begin(snapshot, "create", actor)
    return snapshot


def import_snapshot(
    workspace: Workspace, name: str, *, bucket: str, key: str, base_url: str | None = None, actor: Principal
) -> VolumeSnapshot:
    """A snapshot from an object of a bucket: a gzipped tar as an export is. `base_url`: as for `objects.download_link`.

    Raises as `create_snapshot`, and NotFound, Forbidden for what the caller may not read.
    """
    workspaces.require_write(workspace, actor)
    link = objects.download_link(
        buckets.get_bucket(bucket, actor=actor),
        key,
        base_url=base_url,
        lasts=objects.LINK_LASTS_AT_MOST,
        actor=actor,
    )
    with transaction.atomic():
        snapshot = _new(workspace, name, actor)
        snapshot.source_sealed = crypto.seal(link.url.encode(), snapshot.links_aad)
        snapshot.save(update_fields=["source_sealed"])
        _begin(snapshot, "import", actor, source=f"{bucket}/{key}")
    return snapshot


def export_snapshot(
    snapshot: VolumeSnapshot, *, bucket: str, key: str, base_url: str | None = None, actor: Principal
) -> VolumeSnapshot:
    """Copy a snapshot to an object of a bucket; `target` names it once it is there, `error` says why it is not.

    Raises Forbidden, NotFound, Invalid for what is no key, Conflict for a snapshot that is not ready.
    """
    workspaces.require_write(snapshot.workspace, actor)
    link = objects.upload_link(
        buckets.get_bucket(bucket, actor=actor),
        key,
        base_url=base_url,
        lasts=objects.LINK_LASTS_AT_MOST,
        actor=actor,
    )
    with transaction.atomic():
        row = _lock(snapshot)
        if row.state != READY:
            raise Conflict("The snapshot is not ready.", code="snapshot_not_ready")
        row.target_sealed = crypto.seal(link.url.encode(), row.links_aad)
        row.target, row.error = f"{bucket}/{key}", ""
        row.save(update_fields=["target_sealed", "target", "error"])
        audit.record(
            actor, "workspaces.snapshot.export", target=f"{row.workspace}/{row}", after={"to": row.target}
        )
        enqueue(tasks.work_snapshot, row.pk)
    return row


def restore_snapshot(snapshot: VolumeSnapshot, *, actor: Principal) -> Workspace:
    """Have the workspace's volume be what the snapshot holds; one that runs stops for it and runs again.

    What the volume holds now is lost. Raises Forbidden, Conflict for a snapshot that is not ready.
    """
    workspaces.require_write(snapshot.workspace, actor)
    with transaction.atomic():
        row = instances.lock(snapshot.workspace)
        snapshot = _lock(snapshot)
        if row.deleted_at is not None:
            raise Conflict("The workspace is deleted: restore it first.", code="workspace_deleted")
        if snapshot.state != READY:
            raise Conflict("The snapshot is not ready.", code="snapshot_not_ready")
        row.restoring = snapshot
        instances.ask(row, row.desired_state, stopped_for=row.stopped_for, save=["restoring"])
        audit.record(actor, "workspaces.snapshot.restore", target=f"{row}/{snapshot}")
        instances.tell(
            row, "requested", actor=actor, state=row.desired_state, snapshot=str(snapshot.public_id)
        )
    return row


def restore_volume(workspace: Workspace, provider: Provider, spec: Spec) -> None:
    """The reconciler's part of a restore. Raises ProviderError; after one that is permanent nothing is restored."""
    snapshot = workspace.restoring
    assert snapshot is not None
    provider.ensure(spec, running=False)
    try:
        with snapshot_files.unpacked(snapshot) as content:
            provider.restore(spec, content)  # type: ignore[arg-type]
    except Refused as e:
        Workspace.objects.filter(pk=workspace.pk, restoring=snapshot).update(restoring=None)
        raise Refused(f"The snapshot {snapshot} was not restored: {e}") from e
    with transaction.atomic():
        if Workspace.objects.filter(pk=workspace.pk, restoring=snapshot).update(restoring=None):
            workspace.restoring = None
            tell(snapshot, "restored")


def delete_snapshot(snapshot: VolumeSnapshot, *, actor: Principal) -> None:
    """Remove a snapshot. Raises Forbidden."""
    workspaces.require_write(snapshot.workspace, actor)
    with transaction.atomic():
        row = _lock(snapshot)
        audit.record(actor, "workspaces.snapshot.delete", target=f"{row.workspace}/{row}")
        tell(row, "deleted", actor)
        row.delete()
    snapshot_files.file_of(snapshot).unlink(
        missing_ok=True
    )  # after a crash here the sweep finds a file without a row


def get_snapshot(workspace: Workspace, public_id: UUID) -> VolumeSnapshot:
    """One of a workspace that the caller has found. Raises NotFound."""
    rows = VolumeSnapshot.objects.filter(workspace=workspace).select_related("workspace__tenant")
    found: VolumeSnapshot | None = rows.filter(public_id=public_id).first()
    if found is None:
        raise NotFound("No such snapshot.", code="snapshot_not_found")
    return found


def content(snapshot: VolumeSnapshot, *, actor: Principal) -> Iterator[bytes]:
    """A ready snapshot's bytes, for a download. Raises Forbidden, Conflict, NotFound where its file is gone."""
    workspaces.require_write(snapshot.workspace, actor)
    if snapshot.state != READY:
        raise Conflict("The snapshot is not ready.", code="snapshot_not_ready")
    try:
        file = snapshot_files.file_of(snapshot).open("rb")
    except FileNotFoundError:
        raise NotFound("The snapshot's file is gone.", code="snapshot_not_found") from None
    return snapshot_files.pieces_of(file)


def remove_files(workspace: Workspace) -> None:
    """Remove what a workspace's snapshots hold; their rows go with it."""
    for snapshot in VolumeSnapshot.objects.filter(workspace=workspace):
        snapshot_files.file_of(snapshot).unlink(missing_ok=True)


def _new(workspace: Workspace, name: str, actor: Principal) -> VolumeSnapshot:
    workspaces.require_write(workspace, actor)
    row = instances.lock(workspace)
    if row.deleted_at is not None:
        raise Conflict("The workspace is deleted: restore it first.", code="workspace_deleted")
    if row.snapshots.count() >= MOST:
        raise Conflict(f"A workspace has at most {MOST} snapshots.", code="too_many_snapshots")
    snapshot = VolumeSnapshot(tenant=row.tenant, workspace=row, name=name, created_by=actor.label)
    validated(snapshot, exclude=("tenant", "workspace"))
    snapshot.save()
    return snapshot


def _begin(snapshot: VolumeSnapshot, verb: str, actor: Principal, **after: object) -> None:
    target = f"{snapshot.workspace}/{snapshot}"
    audit.record(actor, f"workspaces.snapshot.{verb}", target=target, after=after)
    enqueue(tasks.work_snapshot, snapshot.pk)
    tell(snapshot, "requested", actor)


def _lock(snapshot: VolumeSnapshot) -> VolumeSnapshot:
    rows = VolumeSnapshot.objects.select_for_update(of=("self",)).select_related("workspace__tenant")
    row: VolumeSnapshot | None = rows.filter(pk=snapshot.pk).first()
    if row is None:
        raise NotFound("No such snapshot.", code="snapshot_not_found")
    return row


def tell(snapshot: VolumeSnapshot, participle: str, actor: Principal | None = None, **data: object) -> None:
    """The event. Call within the transaction that it tells of."""
    realtime.publish(
        snapshot.tenant_id,
        f"workspaces.snapshot.{participle}",
        subject=f"{snapshot.workspace}/{snapshot}",
        data={"id": str(snapshot.public_id), "workspace_id": str(snapshot.workspace.public_id), **data},
        actor=actor,
    )
