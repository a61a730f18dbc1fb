"""Copies of workspaces' volumes: made, restored, deleted, and moved to and from buckets.

Each is a gzipped tar in `<home>/workspaces/snapshots`, complete once its row is `ready`: a job writes it beside its
name, syncs it and renames it, and may begin anew at any time.
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import httpx2
from django.conf import settings
from django.db import transaction

from gateway import crypto, trust
from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from gateway.errors import Conflict, NotFound
from gateway.queue import enqueue
from gateway.validation import validated
from realtime import services as realtime
from storage.services import buckets, objects
from tenants.principal import Principal
from tenants.services import audit
from workspaces import tasks
from workspaces.models import VolumeSnapshot, Workspace
from workspaces.providers import registry
from workspaces.providers.base import Provider, ProviderError, Refused, Spec

from . import instances, workspaces

log = logging.getLogger(__name__)

MOST = 20
MOST_UNPACKED = 10
"""Times WORKSPACE_SNAPSHOT_SIZE: files of zeros pack to nothing, and would keep a job for days."""
PENDING, READY, FAILED = VolumeSnapshot.State.PENDING, VolumeSnapshot.State.READY, VolumeSnapshot.State.FAILED
_DAMAGED = "its file is damaged or gone."
_PIECE = 1 << 18
_PATIENCE = httpx2.Timeout(60, connect=10)  # between two pieces


class Broken(Exception):
    """A copy that cannot be made; the text is for the workspace's owner."""


def folder() -> Path:
    return Path(settings.HOME) / "workspaces" / "snapshots"


def file_of(snapshot: VolumeSnapshot) -> Path:
    """Where a snapshot's content lies."""
    return folder() / f"{snapshot.public_id.hex}.tar.gz"


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
        with _unpacked(snapshot) as content:
            provider.restore(spec, content)  # type: ignore[arg-type]
    except Refused as e:
        Workspace.objects.filter(pk=workspace.pk, restoring=snapshot).update(restoring=None)
        raise Refused(f"The snapshot {snapshot} was not restored: {e}") from e
    with transaction.atomic():
        if Workspace.objects.filter(pk=workspace.pk, restoring=snapshot).update(restoring=None):
            workspace.restoring = None
            _tell(snapshot, "restored")


def delete_snapshot(snapshot: VolumeSnapshot, *, actor: Principal) -> None:
    """Remove a snapshot. Raises Forbidden."""
    workspaces.require_write(snapshot.workspace, actor)
    with transaction.atomic():
        row = _lock(snapshot)
        audit.record(actor, "workspaces.snapshot.delete", target=f"{row.workspace}/{row}")
        _tell(row, "deleted", actor)
        row.delete()
    file_of(snapshot).unlink(missing_ok=True)  # after a crash here the sweep finds a file without a row


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
        file = file_of(snapshot).open("rb")
    except FileNotFoundError:
        raise NotFound("The snapshot's file is gone.", code="snapshot_not_found") from None
    return _pieces(file)


def remove_files(workspace: Workspace) -> None:
    """Remove what a workspace's snapshots hold; their rows go with it."""
    for snapshot in VolumeSnapshot.objects.filter(workspace=workspace):
        file_of(snapshot).unlink(missing_ok=True)


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
    _tell(snapshot, "requested", actor)


def _lock(snapshot: VolumeSnapshot) -> VolumeSnapshot:
    rows = VolumeSnapshot.objects.select_for_update(of=("self",)).select_related("workspace__tenant")
    row: VolumeSnapshot | None = rows.filter(pk=snapshot.pk).first()
    if row is None:
        raise NotFound("No such snapshot.", code="snapshot_not_found")
    return row


def _tell(snapshot: VolumeSnapshot, participle: str, actor: Principal | None = None, **data: object) -> None:
    realtime.publish(
        snapshot.tenant_id,
        f"workspaces.snapshot.{participle}",
        subject=f"{snapshot.workspace}/{snapshot}",
        data={"id": str(snapshot.public_id), "workspace_id": str(snapshot.workspace.public_id), **data},
        actor=actor,
    )


# The job


def work(snapshot_id: int) -> None:
    """Make what is pending, and copy what shall be copied to a bucket. May run again at any time."""
    with platform_scope("a job works for all tenants"), advisory_lock("snapshot", snapshot_id) as held:
        rows = VolumeSnapshot.objects.select_related("workspace__tenant").filter(pk=snapshot_id)
        snapshot: VolumeSnapshot | None = rows.first() if held else None
        if snapshot is not None and snapshot.state == PENDING:
            _make(snapshot)
        elif snapshot is not None and bytes(snapshot.target_sealed):
            _send(snapshot)


def sweep() -> None:
    """Go on with what no job works at, and remove files that no row names."""
    with platform_scope("a sweep looks at all tenants"):
        waiting = VolumeSnapshot.objects.filter(state=PENDING) | VolumeSnapshot.objects.exclude(
            target_sealed=b""
        )
        for pk in waiting.order_by("pk").values_list("pk", flat=True)[:200]:
            tasks.work_snapshot.delay(pk)
        # The list first: a row is there before its file is.
        files = list(folder().glob("*")) if folder().is_dir() else []
        known = {row.hex for row in VolumeSnapshot.objects.values_list("public_id", flat=True)}
        for path in files:
            if path.name.lstrip(".").partition(".")[0] not in known:
                path.unlink(missing_ok=True)


def _make(snapshot: VolumeSnapshot) -> None:
    values: dict[str, object]
    try:
        size, digest = _write(file_of(snapshot), _packed(snapshot))
        if bytes(snapshot.source_sealed):
            _check_archive(file_of(snapshot))
        values = {"state": READY, "size_bytes": size, "sha256": digest, "error": ""}
    except (Broken, ProviderError, crypto.CannotOpen, OSError, KeyError, ImportError) as e:
        log.warning("snapshot %s: %s", snapshot.pk, e)
        if isinstance(e, ProviderError) and not e.permanent:
            VolumeSnapshot.objects.filter(pk=snapshot.pk).update(error=str(e)[:500])
            return  # the sweep tries again
        file_of(snapshot).unlink(missing_ok=True)
        values = {"state": FAILED, "error": _words(e)}
    with transaction.atomic():
        if VolumeSnapshot.objects.filter(pk=snapshot.pk).update(source_sealed=b"", **values):
            participle = "created" if values["state"] == READY else "failed"
            _tell(snapshot, participle, error=values["error"])
            return
    file_of(snapshot).unlink(missing_ok=True)  # it was deleted meanwhile


def _words(e: Exception) -> str:
    if isinstance(e, OSError) and e.strerror:
        return f"It cannot be written here: {e.strerror}."
    return (str(e) or type(e).__name__)[:500]


def _packed(snapshot: VolumeSnapshot) -> Iterable[bytes]:
    """The gzipped tar, in pieces."""
    if bytes(snapshot.source_sealed):
        return _fetched(crypto.open_sealed(bytes(snapshot.source_sealed), snapshot.links_aad).decode())
    workspace = snapshot.workspace
    return _gzipped(registry.provider(workspace.provider).export(workspace.key))


def _unpacked(snapshot: VolumeSnapshot) -> _Unpacked:
    """Raises Refused."""
    try:
        return _Unpacked(file_of(snapshot))
    except OSError as e:
        raise Refused(_DAMAGED) from e


def _check_archive(path: Path) -> None:
    """Raises Refused or Broken for what is no gzipped tar: better told at the import than at a restore."""
    try:
        with _Unpacked(path) as content, tarfile.open(fileobj=content, mode="r|") as archive:
            for _ in archive:
                pass
    except tarfile.TarError as e:
        raise Broken("It is no gzipped tar.") from e


class _Unpacked(gzip.GzipFile):
    """What a snapshot's file unpacks to, of which there is a most."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._left = _most_unpacked()

    def read(self, size: int | None = -1) -> bytes:
        """Raises Refused beyond the most, and for a damaged file: an OSError would be a provider's connection's."""
        try:
            data = super().read(size)
        except (OSError, EOFError, zlib.error) as e:
            raise Refused(_DAMAGED) from e
        self._left -= len(data)
        if self._left < 0:
            raise Refused(f"it unpacks to more than {_most_unpacked()} bytes.")
        return data


def _most_unpacked() -> int:
    return int(settings.WORKSPACE_SNAPSHOT_SIZE) * MOST_UNPACKED + (1 << 20)


def _gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    out, left = _Buffer(), _most_unpacked()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1, mtime=0) as packer:
        for piece in pieces:
            left -= len(piece)
            if left < 0:
                raise Broken(f"The volume holds more than {_most_unpacked()} bytes.")
            packer.write(piece)
            yield out.take()
    yield out.take()


class _Buffer:
    """What was written and not taken yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def _fetched(link: str) -> Iterator[bytes]:
    try:
        with httpx2.stream("GET", link, timeout=_PATIENCE, verify=trust.own_authority()) as answer:
            if answer.status_code != 200:
                raise Broken(f"The object cannot be read: status {answer.status_code}.")
            yield from answer.iter_raw(_PIECE)
    except httpx2.HTTPError as e:
        raise Broken(f"The object cannot be read: {type(e).__name__}.") from e


def _send(snapshot: VolumeSnapshot) -> None:
    """Copy to the bucket, once: what fails is told and not tried again, as the link may have expired."""
    error = ""
    try:
        link = crypto.open_sealed(bytes(snapshot.target_sealed), snapshot.links_aad).decode()
        with file_of(snapshot).open("rb") as file:
            answer = httpx2.put(link, content=file, timeout=_PATIENCE, verify=trust.own_authority())
        if answer.status_code != 200:
            error = f"It was not copied to {snapshot.target}: status {answer.status_code}."
    except (httpx2.HTTPError, OSError, crypto.CannotOpen) as e:
        error = f"It was not copied to {snapshot.target}: {type(e).__name__}."
    with transaction.atomic():
        values = {"error": error, **({"target": ""} if error else {})}
        if VolumeSnapshot.objects.filter(pk=snapshot.pk).update(target_sealed=b"", **values):
            _tell(snapshot, "exported", target=snapshot.target, error=error)


def _write(target: Path, pieces: Iterable[bytes]) -> tuple[int, str]:
    """Write a file as a whole or not at all; its size and SHA-256. Raises OSError, Broken above the most."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = target.with_name(f".{target.name}.new")
    size, digest = 0, hashlib.sha256()
    try:
        with temporary.open("wb") as file:
            for piece in pieces:
                size += len(piece)
                if size > settings.WORKSPACE_SNAPSHOT_SIZE:
                    raise Broken(f"It has more than {settings.WORKSPACE_SNAPSHOT_SIZE} bytes.")
                if shutil.disk_usage(target.parent).free < _LEAST_FREE:
                    raise Broken("There is no room for it on the platform's disk.")
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return size, digest.hexdigest()


_LEAST_FREE = 256 << 20


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
