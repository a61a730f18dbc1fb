"""The workspace's volume, and names given by strangers that must stay in it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace.beneath import open_beneath

MAX_PATH = 4096
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
FOLDER = os.O_RDONLY | os.O_DIRECTORY
GIT_FOLDER = ".git"

TEXTS = {
    errno.ENOENT: "does not exist",
    errno.EXDEV: "leads outside the workspace",
    errno.ELOOP: "is a symbolic link, which is not followed here",
    errno.ENOTDIR: "is not a directory, or part of it is not",
    errno.EISDIR: "is a directory",
    errno.EEXIST: "exists already",
    errno.ENOTEMPTY: "is a directory that is not empty",
    errno.EACCES: "may not be accessed",
    errno.EPERM: "may not be accessed",
    errno.ENOSPC: "could not be written: the disk is full",
    errno.EDQUOT: "could not be written: the disk quota is used up",
    errno.EFBIG: "could not be written: it would be too large",
    errno.ENAMETOOLONG: "has a name that is too long",
    errno.EROFS: "is on a read-only file system",
    errno.EINVAL: "cannot be moved into itself",
    errno.ENXIO: "is not a regular file",
}


@contextlib.contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn an OSError about `path` into a ToolError that names the path as the caller wrote it."""
    try:
        yield
    except OSError as error:
        text = TEXTS.get(error.errno or 0) or os.strerror(error.errno or 0)
        raise ToolError(f"{path}: {text}") from error


class Root:
    """Opens names beneath `path`. Names are relative to it, or absolute and start with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def relative(self, path: str) -> str:
        """The name beneath the root. Raises ToolError for one that cannot be there."""
        if "\0" in path:
            raise ToolError("A path cannot contain a NUL character")
        if len(os.fsencode(path)) > MAX_PATH:
            raise ToolError(f"A path cannot be longer than {MAX_PATH} bytes")
        if path.startswith("/"):
            own = str(self.path)
            if path != own and not path.startswith(own + "/"):
                raise ToolError(f"{path}: leads outside the workspace, which is {own}")
            path = path[len(own) :].lstrip("/")
        return path.rstrip("/") or "."

    @contextlib.contextmanager
    def open(self, path: str, flags: int = READ) -> Iterator[int]:
        """A descriptor for as long as the block runs; OSErrors in the block are explained with the path."""
        with explained(path):
            fd = open_beneath(self._fd, self.relative(path), flags)
            try:
                yield fd
            finally:
                os.close(fd)

    @contextlib.contextmanager
    def parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """The open folder that holds `path`, and its name there, for changing it.

        `make` makes missing folders on the way. Refused for the root itself and for all of a repository's .git
        folder, whose hooks and configuration are commands.
        """
        relative = self.relative(path)
        folder, _, name = relative.rpartition("/")
        if name in (".", ".."):
            raise ToolError(f"{path}: name a file or directory in the workspace")
        with explained(path):
            fd = self._folder(folder or ".", make)
            try:
                self._refuse_git(fd, name, path)
                yield fd, name
            finally:
                os.close(fd)

    def _folder(self, folder: str, make: bool) -> int:
        try:
            return open_beneath(self._fd, folder, FOLDER)
        except FileNotFoundError:
            above, _, name = folder.rpartition("/")
            if not make or name in (".", ".."):
                raise
        fd = self._folder(above or ".", make)
        try:
            self._refuse_git(fd, name, folder)
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, dir_fd=fd)
            return open_beneath(fd, name, FOLDER | os.O_NOFOLLOW)
        finally:
            os.close(fd)

    def _refuse_git(self, folder: int, name: str, path: str) -> None:
        """Judged by where the folder really is: a link in the repository may lead into .git."""
        parts = [*Path(os.readlink(f"/proc/self/fd/{folder}")).parts, name]
        if any(part.lower() == GIT_FOLDER for part in parts):
            raise ToolError(f"{path}: the .git folder is changed by the git tools only")
