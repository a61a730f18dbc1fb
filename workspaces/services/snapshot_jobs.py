"""The job that makes snapshots, and copies them to buckets."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import httpx2
from django.db import transaction

from gateway import crypto, trust
from gateway.db.locks import advisory_lock
from gateway.db.scope import platform_scope
from workspaces import tasks
from workspaces.models import VolumeSnapshot
from workspaces.providers import registry
from workspaces.providers.base import ProviderError

from . import snapshot_files, snapshots

log = logging.getLogger(__name__)

State = VolumeSnapshot.State
_PATIENCE = httpx2.Timeout(60, connect=10)  # between two pieces


def work(snapshot_id: int) -> None:
    """Make what is pending, and copy what shall be copied to a bucket. May run again at any time."""
    with platform_scope("a job works for all tenants"), advisory_lock("snapshot", snapshot_id) as held:
        rows = VolumeSnapshot.objects.select_related("workspace__tenant").filter(pk=snapshot_id)
        snapshot: VolumeSnapshot | None = rows.first() if held else None
        if snapshot is not None and snapshot.state == State.PENDING:
            _make(snapshot)
        elif snapshot is not None and bytes(snapshot.target_sealed):
            _send(snapshot)


def sweep() -> None:
    """Go on with what no job works at, and remove files that no row names."""
    with platform_scope("a sweep looks at all tenants"):
        waiting = VolumeSnapshot.objects.filter(state=State.PENDING) | VolumeSnapshot.objects.exclude(
            target_sealed=b""
        )
        for pk in waiting.order_by("pk").values_list("pk", flat=True)[:200]:
            tasks.work_snapshot.delay(pk)
        # The list first: a row is there before its file is.
        files = list(snapshot_files.folder().glob("*")) if snapshot_files.folder().is_dir() else []
        known = {row.hex for row in VolumeSnapshot.objects.values_list("public_id", flat=True)}
        for path in files:
            if path.name.lstrip(".").partition(".")[0] not in known:
                path.unlink(missing_ok=True)


def _make(snapshot: VolumeSnapshot) -> None:
    values: dict[str, object]
    try:
        size, digest = snapshot_files.write(snapshot_files.file_of(snapshot), _packed(snapshot))
        if bytes(snapshot.source_sealed):
            snapshot_files.check_archive(snapshot_files.file_of(snapshot))
        values = {"state": State.READY, "size_bytes": size, "sha256": digest, "error": ""}
    except (snapshot_files.Broken, ProviderError, crypto.CannotOpen, OSError, KeyError, ImportError) as e:
        log.warning("snapshot %s: %s", snapshot.pk, e)
        if isinstance(e, ProviderError) and not e.permanent:
            VolumeSnapshot.objects.filter(pk=snapshot.pk).update(error=str(e)[:500])
            return  # the sweep tries again
        snapshot_files.file_of(snapshot).unlink(missing_ok=True)
        values = {"state": State.FAILED, "error": _words(e)}
    with transaction.atomic():
        if VolumeSnapshot.objects.filter(pk=snapshot.pk).update(source_sealed=b"", **values):
            participle = "created" if values["state"] == State.READY else "failed"
            snapshots.tell(snapshot, participle, error=values["error"])
            return
    snapshot_files.file_of(snapshot).unlink(missing_ok=True)  # it was deleted meanwhile


def _words(e: Exception) -> str:
    if isinstance(e, OSError) and e.strerror:
        return f"It cannot be written here: {e.strerror}."
    return (str(e) or type(e).__name__)[:500]


def _packed(snapshot: VolumeSnapshot) -> Iterable[bytes]:
    """The gzipped tar, in pieces."""
    if bytes(snapshot.source_sealed):
        return _fetched(crypto.open_sealed(bytes(snapshot.source_sealed), snapshot.links_aad).decode())
    workspace = snapshot.workspace
    return snapshot_files.gzipped(registry.provider(workspace.provider).export(workspace.key))


def _fetched(link: str) -> Iterator[bytes]:
    try:
        with httpx2.stream("GET", link, timeout=_PATIENCE, verify=trust.own_authority()) as answer:
            if answer.status_code != 200:
                raise snapshot_files.Broken(f"The object cannot be read: status {answer.status_code}.")
            yield from answer.iter_raw(snapshot_files.PIECE)
    except httpx2.HTTPError as e:
        raise snapshot_files.Broken(f"The object cannot be read: {type(e).__name__}.") from e


def _send(snapshot: VolumeSnapshot) -> None:
    """Copy to the bucket, once: what fails is told and not tried again, as the link may have expired."""
    error = ""
    try:
        link = crypto.open_sealed(bytes(snapshot.target_sealed), snapshot.links_aad).decode()
        with snapshot_files.file_of(snapshot).open("rb") as file:
            answer = httpx2.put(link, content=file, timeout=_PATIENCE, verify=trust.own_authority())
        if answer.status_code != 200:
            error = f"It was not copied to {snapshot.target}: status {answer.status_code}."
    except (httpx2.HTTPError, OSError, crypto.CannotOpen) as e:
        error = f"It was not copied to {snapshot.target}: {type(e).__name__}."
    with transaction.atomic():
        values = {"error": error, **({"target": ""} if error else {})}
        if VolumeSnapshot.objects.filter(pk=snapshot.pk).update(target_sealed=b"", **values):
            snapshots.tell(snapshot, "exported", target=snapshot.target, error=error)
