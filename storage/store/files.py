"""How a body becomes a file that survives a power cut: blocking steps, run in the store's threads."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from storage.errors import StorageRefusal, StoreFull, StoreUnavailable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
COPY_CHUNK = 1 << 20


@contextmanager
def failures_are_typed() -> Iterator[None]:
    """A full disk raises StoreFull, any other failure of the system StoreUnavailable."""
    try:
        yield
    except StorageRefusal:
        raise
    except OSError as e:
        raise (StoreFull if e.errno in _FULL else StoreUnavailable)(e.strerror) from e


def check_room(fd: int, reserve: int) -> None:
    """Raise StoreFull when the disk has no more than `reserve` bytes left."""
    found = os.fstatvfs(fd)
    if found.f_bavail * found.f_frsize <= reserve:
        raise StoreFull("the disk has only its reserve left")


def create(path: Path) -> int:
    """A new file, open for writing."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)


def write_all(fd: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(fd, view) :]


def publish(fd: int, temporary: Path, target: Path) -> datetime:
    """Give the whole body its name: data, then name, then folder reach the disk. Returns the file's mtime.

    The descriptor stays open. After a failure the target does not exist; the temporary file may.
    """
    modified = datetime.now(UTC).replace(microsecond=0)
    os.utime(fd, (modified.timestamp(), modified.timestamp()))
    os.fdatasync(fd)
    temporary.rename(target)
    try:
        sync_folder(target.parent)
    except OSError:
        with suppress(OSError):
            target.unlink()
        raise
    return modified


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def append(source: int, target: int) -> None:
    """Copy all of `source` to the end of `target`, inside the kernel where the filesystem allows."""
    left = os.fstat(source).st_size
    while left > 0:
        try:
            copied = os.copy_file_range(source, target, left)
        except OSError as e:
            if e.errno not in (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
                raise
            chunk = os.read(source, COPY_CHUNK)
            write_all(target, chunk)
            copied = len(chunk)
        if copied == 0:
            raise OSError(errno.EIO, "a part's file is shorter than it was")
        left -= copied
