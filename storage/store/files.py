"""How a body becomes a file that survives a power cut: blocking steps, run in the store's threads."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from storage.errors import StoreFull

_FULL = {errno.ENOSPC, errno.EDQUOT}
COPY_CHUNK = 1 << 20


@contextmanager
def full_disk_is_typed() -> Iterator[None]:
    """A full disk raises StoreFull; any other OSError passes."""
    try:
        yield
    except OSError as e:
        if e.errno in _FULL:
            raise StoreFull(e.strerror) from e
        raise


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
