"""The git tools that talk to other machines, as clients see them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from typing import Annotated, Any

from anyio import to_thread
from mcp.server.mcpserver.context import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from gatehouse_workspace import session
from gatehouse_workspace.git import credentials, network, revisions
from gatehouse_workspace.git.opened import Repositories
from gatehouse_workspace.git.revisions import Branch, Remote
from gatehouse_workspace.git.tools import Repo
from gatehouse_workspace.settings import Settings

MAX_SAID = 4000


class RemoteTools:
    """Methods are tools. Credentials are the client's for its GitLab, else the workspace's, by host."""

    def __init__(self, repositories: Repositories, settings: Settings, ca_file: str | None) -> None:
        self._repositories = repositories
        self._settings = settings
        self._ca_file = ca_file

    async def git_clone(
        self,
        ctx: Context[Any, Any],
        url: Annotated[str, Field(description="https, http or ssh address", min_length=1, max_length=2048)],
        directory: Annotated[str, Field(description="New directory in the workspace", min_length=1)],
        branch: Annotated[
            str | None, Field(description="Branch or tag; the default one when left out")
        ] = None,
        depth: Annotated[int | None, Field(ge=1, description="Only so many commits of history")] = None,
    ) -> str:
        """Clone a repository into a new directory of the workspace. Credentials in the address are not kept."""
        remote = credentials.parse(url)
        options = ["--branch", revisions.branch(branch)] if branch else []
        options += [f"--depth={depth}"] if depth else []
        with self._repositories.root.parent(directory, make=True) as (folder, name):
            os.mkdir(name, dir_fd=folder)  # ours from here on: an existing one is not touched
            target = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                await self._run(
                    ctx, target, ["clone", "--progress", *options, "--", remote.url, "."], "git clone",
                    extra=[remote.credential] if remote.credential else [], inside=False,
                )  # fmt: skip
            except BaseException:
                shutil.rmtree(name, ignore_errors=True, dir_fd=folder)
                raise
            finally:
                os.close(target)
        return f"Cloned into {directory}"

    async def git_fetch(
        self,
        ctx: Context[Any, Any],
        remote: Remote = "origin",
        prune: Annotated[bool, Field(description="Forget branches that are gone there")] = False,
        repository: Repo = ".",
    ) -> str:
        """Fetch from a remote without changing the working tree."""
        options = ["--prune"] if prune else []
        arguments = ["fetch", "--progress", *options, "--", revisions.remote(remote)]
        return await self._changed(ctx, repository, remote, arguments, "git fetch")

    async def git_pull(
        self,
        ctx: Context[Any, Any],
        remote: Remote = "origin",
        branch: Annotated[
            str | None, Field(description="The upstream of the current one when left out")
        ] = None,
        rebase: Annotated[bool, Field(description="Put own commits on top instead of merging")] = False,
        repository: Repo = ".",
    ) -> str:
        """Fetch from a remote and merge into the current branch."""
        names = [revisions.remote(remote), *([revisions.branch(branch)] if branch else [])]
        arguments = ["pull", "--progress", "--no-edit", "--rebase" if rebase else "--no-rebase", "--", *names]
        return await self._changed(ctx, repository, remote, arguments, "git pull")

    async def git_push(
        self,
        ctx: Context[Any, Any],
        remote: Remote = "origin",
        branch: Annotated[Branch | None, Field(description="The current one when left out")] = None,
        set_upstream: bool = True,
        force_with_lease: Annotated[
            bool, Field(description="Overwrite what was there at the last fetch")
        ] = False,
        repository: Repo = ".",
    ) -> str:
        """Push a branch to a remote."""
        what = revisions.branch(branch) if branch else "HEAD"
        options = ["--set-upstream"] if set_upstream else []
        options += ["--force-with-lease"] if force_with_lease else []
        arguments = ["push", "--progress", "--no-verify", *options, "--", revisions.remote(remote), what]
        return await self._changed(ctx, repository, remote, arguments, "git push")

    async def _changed(
        self, ctx: Context[Any, Any], repository: str, remote: str, arguments: list[str], what: str
    ) -> str:
        async with self._repositories.changing(repository) as folder:
            await to_thread.run_sync(self._check_remote, repository, remote)
            return await self._run(ctx, folder, arguments, what)

    def _check_remote(self, repository: str, remote: str) -> None:
        """Git would take a name that it does not know for a path."""
        with self._repositories.library(repository) as opened:
            names = [name for name in opened.remotes.names() if name]
        if remote not in names:
            known = f"it has {', '.join(names)}" if names else "it has none; git_clone makes one"
            raise ToolError(f"argument 'remote': the repository has no remote {remote!r}: {known}")

    async def _run(
        self,
        ctx: Context[Any, Any],
        folder: int,
        arguments: list[str],
        what: str,
        *,
        extra: list[credentials.Credential] | None = None,
        inside: bool = True,
    ) -> str:
        known = [*(extra or []), *session.credentials(self._settings, ctx)]
        report, reports = network.reporter(ctx)
        output = await network.git(
            folder, *arguments, credentials=known, ca_file=self._ca_file, what=what, report=report, inside=inside
        )  # fmt: skip
        with contextlib.suppress(Exception):
            await asyncio.gather(*reports)
        lines = (output.stdout + b"\n" + output.stderr).decode(errors="replace").splitlines()
        said = "\n".join(line for line in lines if line.strip() and "\r" not in line and "%" not in line)
        return said[:MAX_SAID] or f"{what}: done"
