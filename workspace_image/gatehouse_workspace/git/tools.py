"""The git tools that stay in the workspace, as clients see them."""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult
from pydantic import Field

from gatehouse_workspace.git import read, revisions, words
from gatehouse_workspace.git.command import checked, git
from gatehouse_workspace.git.opened import Repositories
from gatehouse_workspace.git.revisions import Revision
from gatehouse_workspace.tools import answer

Repo = Annotated[
    str, Field(description="Directory of the repository; the workspace's own when left out", min_length=1)
]
Paths = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=4096)]],
    Field(description="Paths relative to the repository", max_length=1000),
]
Message = Annotated[str, Field(min_length=1, max_length=100_000)]


class GitTools:
    """Methods are tools. Reads go through libgit2 in a thread, the rest through git."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories

    def git_status(
        self,
        repository: Repo = ".",
        limit: Annotated[int, Field(ge=1, le=5000, description="Paths in each list")] = 200,
    ) -> Annotated[CallToolResult, read.Status]:
        """Show the branch and its upstream, and what is staged, changed, untracked and in conflict."""
        with self._repositories.library(repository) as opened:
            found = read.status(opened, limit)
        return answer(words.status(found), found)

    def git_log(
        self,
        revision: Revision = "HEAD",
        limit: Annotated[int, Field(ge=1, le=500)] = 20,
        skip: Annotated[int, Field(ge=0)] = 0,
        author: Annotated[
            str | None, Field(description="Part of an author's name or e-mail", max_length=200)
        ] = None,
        grep: Annotated[str | None, Field(description="Part of the message", max_length=200)] = None,
        path: Annotated[
            str | None, Field(description="Only commits that changed this path", max_length=4096)
        ] = None,
        repository: Repo = ".",
    ) -> Annotated[CallToolResult, read.Log]:
        """Show commits, newest first."""
        with self._repositories.library(repository) as opened:
            found = read.log(opened, revision, limit, skip, read.Filter(author, grep, path))
        return answer(words.log(found), found)

    def git_branches(
        self,
        remote: Annotated[bool, Field(description="Also those of remotes, as of the last fetch")] = False,
        limit: Annotated[int, Field(ge=1, le=5000)] = 200,
        repository: Repo = ".",
    ) -> Annotated[CallToolResult, read.Branches]:
        """List branches with their last commit; the current one is marked."""
        with self._repositories.library(repository) as opened:
            found = read.branches(opened, remote, limit)
        return answer(words.branches(found), found)

    async def git_diff(
        self,
        staged: Annotated[
            bool, Field(description="What would be committed, instead of what is not staged")
        ] = False,
        revision: Annotated[
            str | None, Field(description="Compare with this commit, or two: a..b, a...b", max_length=511)
        ] = None,
        paths: Paths = [],  # noqa: B006 - never changed
        context: Annotated[int, Field(ge=0, le=100, description="Lines around each change")] = 3,
        stat: Annotated[bool, Field(description="Only how many lines changed in which files")] = False,
        repository: Repo = ".",
    ) -> str:
        """Show changes as a unified diff: of the working tree, the index, or between commits."""
        arguments = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", f"--unified={context}"]
        if stat:
            arguments.append("--stat")
        if staged:
            arguments.append("--cached")
        arguments.append("--end-of-options")
        if revision is not None:
            arguments.append(revisions.revision_or_range(revision))
        return await self._show(repository, [*arguments, "--", *paths], "git diff") or "No changes"

    async def git_show(
        self,
        revision: Annotated[
            str,
            Field(description="Commit or tag; with :path after it a file as it was then", max_length=4096),
        ] = "HEAD",
        stat: Annotated[bool, Field(description="Only how many lines changed in which files")] = False,
        repository: Repo = ".",
    ) -> str:
        """Show a commit with its diff, or a file as it was in a commit (revision HEAD~1:src/a.py)."""
        commit, colon, path = revision.partition(":")
        name = revisions.revision(commit) + colon + path
        arguments = ["show", "--no-ext-diff", "--no-textconv", "--no-color", "--format=fuller"]
        if stat:
            arguments.append("--stat")
        text = await self._show(repository, [*arguments, "--end-of-options", name, "--"], "git show")
        if "\0" in text:
            raise ToolError(f"{revision}: is a binary file of {len(text.encode())} bytes or more")
        return text or "(empty)"

    async def git_blame(
        self,
        path: Annotated[str, Field(description="File in the repository", min_length=1, max_length=4096)],
        revision: Revision = "HEAD",
        start_line: Annotated[int, Field(ge=1)] = 1,
        max_lines: Annotated[int, Field(ge=1, le=2000)] = 200,
        repository: Repo = ".",
    ) -> str:
        """Show for each line of a file the commit, author and day that it comes from."""
        name = revisions.revision(revision)
        lines = f"{start_line},{start_line + max_lines - 1}"
        arguments = ["blame", "--no-textconv", "--date=short", "-L", lines, name, "--", path]
        return await self._show(repository, arguments, "git blame")

    async def _show(self, repository: str, arguments: list[str], what: str) -> str:
        with self._repositories.open(repository) as folder:
            output = await git(folder, *arguments)
        text = checked(output, what)
        return text + (
            "\n[cut: the answer was longer; ask for single paths or stat]" if output.truncated else ""
        )

    async def git_add(
        self,
        paths: Annotated[Paths, Field(min_length=1, description="Files or directories; . for all changes")],
        repository: Repo = ".",
    ) -> str:
        """Stage files for the next commit, deletions included."""
        await self._change(repository, ["add", "--all", "--", *paths], "git add")
        return f"Staged {', '.join(paths[:20])}{' …' if len(paths) > 20 else ''}"

    async def git_commit(
        self,
        message: Message,
        stage_changes: Annotated[
            bool, Field(description="Stage changed and deleted files first (not new ones)")
        ] = False,
        amend: Annotated[bool, Field(description="Replace the last commit")] = False,
        allow_empty: bool = False,
        repository: Repo = ".",
    ) -> str:
        """Commit what is staged."""
        options = [*(["--all"] if stage_changes else []), *(["--amend"] if amend else [])]
        options += ["--allow-empty"] if allow_empty else []
        return await self._change(
            repository,
            ["commit", *options, "--file=-", "--cleanup=strip"],
            "git commit",
            stdin=message.encode(),
        )

    async def git_checkout(
        self,
        target: Annotated[
            str | None, Field(description="Branch or commit to switch to; with paths: to take them from")
        ] = None,
        create: Annotated[bool, Field(description="Make the branch `target` here and switch to it")] = False,
        start: Annotated[str | None, Field(description="With create: where the branch begins")] = None,
        paths: Paths = [],  # noqa: B006 - never changed
        repository: Repo = ".",
    ) -> str:
        """Switch to a branch or commit, make a branch, or with paths put files back (their changes are lost)."""
        if create:
            if target is None or paths:
                raise ToolError("create makes the branch named by target, and takes no paths")
            begin = [revisions.revision(start, "start")] if start else []
            arguments = ["switch", "--create", revisions.branch(target, "target"), *begin]
        elif paths:
            source = [revisions.revision(target, "target")] if target else []
            arguments = ["checkout", *source, "--", *paths]
        elif target:
            arguments = ["checkout", revisions.revision(target, "target"), "--"]
        else:
            raise ToolError("Name a target to switch to, or paths to put back")
        return await self._change(repository, arguments, "git checkout")

    async def git_merge(
        self,
        revision: Annotated[
            str | None, Field(description="Branch or commit to merge", max_length=255)
        ] = None,
        message: Annotated[str | None, Field(max_length=100_000)] = None,
        no_fast_forward: bool = False,
        abort: Annotated[bool, Field(description="Give up a merge that stopped at conflicts")] = False,
        repository: Repo = ".",
    ) -> str:
        """Merge a branch into the current one. A conflict is an error that names the files; abort undoes it."""
        if abort:
            return await self._change(repository, ["merge", "--abort"], "git merge --abort")
        if revision is None:
            raise ToolError("Name a revision to merge, or set abort")
        options = ["--no-ff"] if no_fast_forward else []
        said = [f"--message={message}"] if message else ["--no-edit"]
        name = revisions.revision(revision)
        return await self._change(
            repository, ["merge", *options, *said, "--end-of-options", name], "git merge"
        )

    async def git_stash(
        self,
        action: Literal["push", "pop", "apply", "drop", "list", "show"] = "push",
        message: Annotated[str | None, Field(max_length=1000)] = None,
        include_untracked: bool = False,
        index: Annotated[int, Field(ge=0, le=10_000, description="Which one; 0 is the newest")] = 0,
        repository: Repo = ".",
    ) -> str:
        """Put changes aside (push) and take them back (pop, apply); list, show or drop what is aside."""
        entry = f"stash@{{{index}}}"
        arguments = ["stash", action]
        if action == "push":
            arguments += ["--include-untracked"] if include_untracked else []
            arguments += [f"--message={message}"] if message else []
        elif action == "show":
            arguments += ["--patch", "--no-ext-diff", "--no-textconv", "--no-color", entry]
        elif action != "list":
            arguments.append(entry)
        if action in ("list", "show"):
            return await self._show(repository, arguments, f"git stash {action}") or "Nothing is put aside"
        return await self._change(repository, arguments, f"git stash {action}")

    async def _change(
        self, repository: str, arguments: list[str], what: str, stdin: bytes | None = None
    ) -> str:
        async with self._repositories.changing(repository) as folder:
            output = await git(folder, *arguments, stdin=stdin, stop_when_full=False)
        said = checked(output, what).strip() or output.stderr.decode(errors="replace").strip()
        return said or f"{what}: done"
