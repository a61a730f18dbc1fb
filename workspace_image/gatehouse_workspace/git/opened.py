"""A repository in the workspace, opened so that its name cannot be swapped afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace.root import FOLDER, GIT_FOLDER, Root

if TYPE_CHECKING:
    from pygit2 import Repository

MAX_LOCKS = 256


class Repositories:
    """Opens repositories beneath the root; one change at a time in each."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self._locks: dict[tuple[int, int], asyncio.Lock] = {}

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[int]:
        """The repository's folder. Raises ToolError where `path` is none: it must hold a real .git folder, so that
        neither a link nor a `gitdir:` file names a repository elsewhere."""
        with self.root.open(path, FOLDER) as folder:
            try:
                os.close(os.open(GIT_FOLDER, FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder))
            except OSError:
                raise ToolError(
                    f"{path}: is no git repository of its own (it has no .git directory)"
                ) from None
            yield folder

    @contextlib.asynccontextmanager
    async def changing(self, path: str) -> AsyncIterator[int]:
        """As `open`, alone: git refuses a second writer."""
        with self.open(path) as folder:
            found = os.fstat(folder)
            if len(self._locks) > MAX_LOCKS:
                self._locks = {key: lock for key, lock in self._locks.items() if lock.locked()}
            lock = self._locks.setdefault((found.st_dev, found.st_ino), asyncio.Lock())
            async with lock:
                yield folder

    @contextlib.contextmanager
    def library(self, path: str) -> Iterator[Repository]:
        """The repository in libgit2, which runs no programs. For use in a thread."""
        import pygit2

        with self.open(path) as folder:
            here = os.readlink(f"/proc/self/fd/{folder}")
            try:
                repository = pygit2.Repository(
                    f"/proc/self/fd/{folder}/{GIT_FOLDER}", pygit2.enums.RepositoryOpenFlag.NO_SEARCH
                )
            except pygit2.GitError as error:
                raise ToolError(f"{path}: git cannot read this repository: {error}") from None
            workdir = repository.workdir
            if workdir is None or os.path.realpath(workdir) != here:
                raise ToolError(f"{path}: its configuration names another working tree (core.worktree)")
            try:
                yield repository
            except pygit2.GitError as error:
                raise ToolError(f"{path}: {error}") from None
            finally:
                repository.free()
