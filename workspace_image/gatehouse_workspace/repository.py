"""The volume at the start: an empty one becomes a repository, by `git init` or by cloning what was asked for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from typing import Literal

from anyio import to_thread
from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace.git import credentials, network, revisions
from gatehouse_workspace.git.command import checked, git
from gatehouse_workspace.root import FOLDER, GIT_FOLDER, Root
from gatehouse_workspace.settings import Settings

ASIDE = ".gatehouse-clone"
UNFINISHED = "gatehouse-unfinished"
"""In the .git folder until the first checkout is done, so that a crash meanwhile is made good at the next start."""

NOTHING = {"lost+found", ASIDE}
WAIT = 2.0
MAX_ERROR = 1000

State = Literal["none", "cloning", "ready", "failed"]


class Repository:
    """State and error as /status shows them, and the gate that tools pass."""

    def __init__(self, settings: Settings, root: Root, ca_file: str | None) -> None:
        self._settings = settings
        self._root = root
        self._ca_file = ca_file
        self._settled = asyncio.Event()
        self.state: State = "none"
        self.error = ""

    def as_json(self) -> dict[str, object]:
        """The repository's part of /status; `error` is for the user."""
        return {"repository": self.state, "error": self.error}

    async def gate(self) -> None:
        """Let a tool pass when the volume is ready; an early call waits a moment. Raises ToolError where it is not."""
        if self._settled.is_set() and self.state == "ready":
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT):
                await self._settled.wait()
        if self.state == "failed":
            raise ToolError(f"The workspace's repository could not be prepared. {self.error}")
        if not self._settled.is_set():
            raise ToolError("The workspace's repository is being cloned; try again shortly")

    async def prepare(self) -> None:
        """Make the volume a repository. A failure is kept for the user, not raised."""
        try:
            await self._prepare()
            self.state = "ready"
        except (ToolError, OSError) as error:
            self.state, self.error = "failed", str(error)[:MAX_ERROR]
            sys.stderr.write(f"gatehouse-workspace: {self.error}\n")
        finally:
            self._settled.set()

    async def _prepare(self) -> None:
        with self._root.open(".", FOLDER) as folder:
            names = set(os.listdir(folder))
            if GIT_FOLDER in names:
                if _unfinished(folder):
                    self.state = "cloning"
                    await self._check_out(folder)
            elif self._settings.git_url and not names - NOTHING:
                self.state = "cloning"
                await self._clone(folder)
            else:
                await to_thread.run_sync(self._init, folder)
            shutil.rmtree(ASIDE, ignore_errors=True, dir_fd=folder)

    def _init(self, folder: int) -> None:
        import pygit2

        pygit2.init_repository(f"/proc/self/fd/{folder}", initial_head="main")

    async def _clone(self, folder: int) -> None:
        """Beside, then moved into its place as a whole: a crash leaves nothing that looks like a repository."""
        remote = credentials.parse(self._settings.git_url)
        branch = (
            ["--branch", revisions.branch(self._settings.git_branch)] if self._settings.git_branch else []
        )
        shutil.rmtree(ASIDE, ignore_errors=True, dir_fd=folder)
        await network.git(
            folder, "clone", "--no-checkout", *branch, "--", remote.url, ASIDE,
            credentials=[*([remote.credential] if remote.credential else []), *self._credentials()],
            ca_file=self._ca_file, what="git clone", inside=False,
        )  # fmt: skip
        mark = os.open(f"{ASIDE}/{GIT_FOLDER}/{UNFINISHED}", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=folder)
        os.close(mark)
        os.rename(f"{ASIDE}/{GIT_FOLDER}", GIT_FOLDER, src_dir_fd=folder, dst_dir_fd=folder)
        await self._check_out(folder)

    async def _check_out(self, folder: int) -> None:
        empty = (await git(folder, "rev-parse", "--verify", "--quiet", "HEAD")).code != 0
        if not empty:
            checked(await git(folder, "reset", "--hard", "--quiet", "HEAD"), "git checkout")
        os.unlink(f"{GIT_FOLDER}/{UNFINISHED}", dir_fd=folder)

    def _credentials(self) -> list[credentials.Credential]:
        from gatehouse_workspace import session

        return session.credentials(self._settings, None)


def _unfinished(folder: int) -> bool:
    try:
        os.stat(f"{GIT_FOLDER}/{UNFINISHED}", dir_fd=folder)
    except OSError:
        return False
    return True
