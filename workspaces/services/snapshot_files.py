"""The files of snapshots: gzipped tars in `<home>/workspaces/snapshots`, there as a whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from workspaces.models import VolumeSnapshot
from workspaces.providers.base import Refused

MOST_UNPACKED = 10
"""Times WORKSPACE_SNAPSHOT_SIZE: files of zeros pack to nothing, and would keep a job for days."""
PIECE = 1 << 18
_DAMAGED = "its file is damaged or gone."
_LEAST_FREE = 256 << 20


class Broken(Exception):
    """A copy that cannot be made; the text is for the workspace's owner."""


def folder() -> Path:
    return Path(settings.HOME) / "workspaces" / "snapshots"


def file_of(snapshot: VolumeSnapshot) -> Path:
    """Where a snapshot's content lies."""
    return folder() / f"{snapshot.public_id.hex}.tar.gz"


def write(target: Path, pieces: Iterable[bytes]) -> tuple[int, str]:
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


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def unpacked(snapshot: VolumeSnapshot) -> Unpacked:
    """A snapshot's content, to be closed. Raises Refused."""
    try:
        return Unpacked(file_of(snapshot))
    except OSError as e:
        raise Refused(_DAMAGED) from e


def check_archive(path: Path) -> None:
    """Raises Refused or Broken for what is no gzipped tar: better told at the import than at a restore."""
    try:
        with Unpacked(path) as content, tarfile.open(fileobj=content, mode="r|") as archive:
            for _ in archive:
                pass
    except tarfile.TarError as e:
        raise Broken("It is no gzipped tar.") from e


class Unpacked(gzip.GzipFile):
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


def gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What a provider exported, packed. Raises Broken above the most."""
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


def pieces_of(file: BinaryIO) -> Iterator[bytes]:
    """An open file's bytes; it is closed after them."""
    with file:
        while piece := file.read(PIECE):
            yield piece
