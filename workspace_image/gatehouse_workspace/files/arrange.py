"""Moving, copying and deleting."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from dataclasses import dataclass

from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace.beneath import rename_exclusively
from gatehouse_workspace.root import FOLDER, READ, Root, explained
from gatehouse_workspace.work import Work

MAX_COPIED = 20_000
CHUNK = 1024 * 1024


def move(root: Root, source: str, destination: str, overwrite: bool) -> None:
    """Rename. Raises ToolError where the destination exists and `overwrite` is False, or is a full folder."""
    with root.parent(source) as (from_folder, old), root.parent(destination, make=True) as (to_folder, new):
        os.stat(
            old, dir_fd=from_folder, follow_symlinks=False
        )  # a missing source is named, not the destination
        with explained(destination):
            if overwrite:
                os.rename(old, new, src_dir_fd=from_folder, dst_dir_fd=to_folder)
            else:
                rename_exclusively(from_folder, old, to_folder, new)


def delete(root: Root, path: str, recursive: bool) -> None:
    """Remove a file, a link (not what it names) or an empty folder; a full one where `recursive`."""
    with root.parent(path) as (folder, name):
        if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=folder)
        elif recursive:
            shutil.rmtree(name, dir_fd=folder)  # goes by open folders: a link put in its way is not followed
        else:
            os.rmdir(name, dir_fd=folder)


def copy(root: Root, source: str, destination: str, overwrite: bool) -> int:
    """Copy a file, or a folder with all in it; how many entries. Links are copied as links.

    Raises ToolError where the destination exists (a file may be overwritten), or after MAX_COPIED entries.
    """
    with root.parent(source) as (from_folder, old), root.parent(destination, make=True) as (to_folder, new):
        kind = os.stat(old, dir_fd=from_folder, follow_symlinks=False)
        with explained(destination):
            there = _there(to_folder, new)
            if there and not (overwrite and stat.S_ISREG(kind.st_mode)):
                raise FileExistsError(errno.EEXIST, "exists")
            if there:
                os.unlink(new, dir_fd=to_folder)
            if stat.S_ISDIR(kind.st_mode) and _within(from_folder, old, to_folder):
                raise ToolError(f"{destination}: is inside {source}")
            return _Copy(Work()).entry(from_folder, old, to_folder, new)


def _there(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _within(from_folder: int, name: str, to_folder: int) -> bool:
    outer = os.path.join(os.readlink(f"/proc/self/fd/{from_folder}"), name)
    inner = os.readlink(f"/proc/self/fd/{to_folder}")
    return inner == outer or inner.startswith(outer + "/")


@dataclass
class _Copy:
    work: Work
    count: int = 0

    def entry(self, source: int, old: str, target: int, new: str) -> int:
        self.count += 1
        self.work.step()
        if self.count > MAX_COPIED:
            raise ToolError(f"Stopped after {MAX_COPIED} entries; copy smaller parts")
        info = os.stat(old, dir_fd=source, follow_symlinks=False)
        if stat.S_ISLNK(info.st_mode):
            os.symlink(os.readlink(old, dir_fd=source), new, dir_fd=target)
        elif stat.S_ISDIR(info.st_mode):
            self._folder(source, old, target, new)
        elif stat.S_ISREG(info.st_mode):
            self._file(source, old, target, new)
        return self.count

    def _folder(self, source: int, old: str, target: int, new: str) -> None:
        os.mkdir(new, dir_fd=target)
        inner = os.open(old, FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
        try:
            made = os.open(new, FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=target)
            try:
                for name in os.listdir(inner):
                    self.entry(inner, name, made, name)
            finally:
                os.close(made)
        finally:
            os.close(inner)

    def _file(self, source: int, old: str, target: int, new: str) -> None:
        read = os.open(old, READ | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
        try:
            info = os.fstat(read)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            written = os.open(new, flags, stat.S_IMODE(info.st_mode) & 0o777, dir_fd=target)
            try:
                while os.sendfile(written, read, None, CHUNK):
                    self.work.step()
            finally:
                os.close(written)
        finally:
            os.close(read)
