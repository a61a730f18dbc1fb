"""What a repository looks like: through libgit2, without starting a process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from gatehouse_workspace.git.revisions import revision
from gatehouse_workspace.work import Work

if TYPE_CHECKING:
    from pygit2 import Commit, Repository

MAX_SUBJECT = 500
MAX_BODY = 4000


class Status(BaseModel):
    """State of the working tree. Lists are cut at the limit; counts are whole."""

    branch: str | None = Field(description="null where HEAD is detached")
    head: str | None = Field(description="commit; null before the first one")
    upstream: str | None = None
    ahead: int = 0
    behind: int = 0
    state: str = Field("", description="merging, rebasing, … or empty")
    clean: bool
    staged: list[str] = Field(
        description="as M path: M modified, A added, D deleted, R renamed, T type changed"
    )
    unstaged: list[str]
    untracked: list[str]
    conflicted: list[str]
    counts: dict[str, int]
    truncated: bool


class LogEntry(BaseModel):
    """One commit."""

    commit: str
    author: str
    email: str
    time: int = Field(description="Unix seconds")
    message: str
    parents: list[str]


class Log(BaseModel):
    """Commits, newest first."""

    commits: list[LogEntry]
    truncated: bool


class BranchInfo(BaseModel):
    """One branch."""

    name: str
    commit: str
    current: bool
    remote: bool
    upstream: str | None
    subject: str


class Branches(BaseModel):
    """Branches by name, local ones first."""

    branches: list[BranchInfo]
    truncated: bool


STAGED = {1: "A", 2: "M", 4: "D", 8: "R", 16: "T"}
UNSTAGED = {256: "M", 512: "D", 1024: "T", 2048: "R"}
UNTRACKED, IGNORED, CONFLICTED = 128, 16384, 32768
STATES = {
    1: "merging",
    2: "reverting",
    3: "reverting",
    4: "cherry-picking",
    5: "cherry-picking",
    6: "bisecting",
}
REBASING = {7, 8, 9}


def status(repository: Repository, limit: int) -> Status:
    """As `git status`: each list is cut after `limit` entries."""
    groups: dict[str, list[str]] = {"staged": [], "unstaged": [], "untracked": [], "conflicted": []}
    for path, flags in repository.status(untracked_files="normal").items():
        if flags & IGNORED:
            continue
        if flags & CONFLICTED:
            groups["conflicted"].append(path)
        if flags & UNTRACKED:
            groups["untracked"].append(path)
        groups["staged"] += [f"{word} {path}" for bit, word in STAGED.items() if flags & bit]
        groups["unstaged"] += [f"{word} {path}" for bit, word in UNSTAGED.items() if flags & bit]
    head = None if repository.head_is_unborn else str(repository.head.target)
    state = int(repository.state())
    place = _branch(repository)
    return Status(
        branch=place.name,
        upstream=place.upstream,
        ahead=place.ahead,
        behind=place.behind,
        head=head,
        state="rebasing" if state in REBASING else STATES.get(state, ""),
        clean=not any(groups.values()),
        staged=_cut(groups["staged"], limit),
        unstaged=_cut(groups["unstaged"], limit),
        untracked=_cut(groups["untracked"], limit),
        conflicted=_cut(groups["conflicted"], limit),
        counts={name: len(paths) for name, paths in groups.items()},
        truncated=any(len(paths) > limit for paths in groups.values()),
    )


def _cut(entries: list[str], limit: int) -> list[str]:
    return sorted(entries, key=_by_path)[:limit]


@dataclass(frozen=True)
class _Branch:
    name: str | None
    upstream: str | None = None
    ahead: int = 0
    behind: int = 0


def _by_path(entry: str) -> str:
    return entry[2:] if entry[1:2] == " " else entry


def _branch(repository: Repository) -> _Branch:
    if repository.head_is_detached:
        return _Branch(None)
    name = str(repository.lookup_reference("HEAD").target).removeprefix("refs/heads/")
    found = None if repository.head_is_unborn else repository.branches.local.get(name)
    try:
        upstream = found.upstream if found else None
    except KeyError:  # configured, and never fetched
        upstream = None
    if found is None or upstream is None:
        return _Branch(name)
    ahead, behind = repository.ahead_behind(found.target, upstream.target)
    return _Branch(name, upstream.shorthand, ahead, behind)


def commit_of(repository: Repository, name: str) -> Commit:
    """The commit that a revision names. Raises ToolError where there is none."""
    import pygit2

    try:
        return repository.revparse_single(revision(name)).peel(pygit2.Commit)
    except (KeyError, ValueError, pygit2.GitError):
        if name == "HEAD" and repository.head_is_unborn:
            raise ToolError("The repository has no commit yet") from None
        raise ToolError(f"{name}: there is no such commit, branch or tag") from None


@dataclass(frozen=True)
class Filter:
    """Which commits of a log are meant; texts match anywhere, without regard to case."""

    author: str | None = None
    grep: str | None = None
    path: str | None = None

    def takes(self, commit: Commit) -> bool:
        """Whether it is one of them."""
        if self.author and self.author.lower() not in f"{commit.author.name} <{commit.author.email}>".lower():
            return False
        if self.grep and self.grep.lower() not in commit.message.lower():
            return False
        return not self.path or _changes(commit, self.path.strip("/"))


def _changes(commit: Commit, path: str) -> bool:
    """Whether `path` is another object than in the first parent (git's simplification keeps the same)."""
    own = _object_at(commit, path)
    return (
        all(_object_at(parent, path) != own for parent in commit.parents)
        if commit.parents
        else own is not None
    )


def _object_at(commit: Commit, path: str) -> object:
    try:
        return commit.tree[path].id
    except KeyError:
        return None


def log(repository: Repository, name: str, limit: int, skip: int, only: Filter) -> Log:
    """Commits reachable from `name` that `only` takes."""
    import pygit2

    work = Work()
    found: list[LogEntry] = []
    start = commit_of(repository, name)
    for at, commit in enumerate(repository.walk(start.id, pygit2.enums.SortMode.NONE)):
        if at % 256 == 0:
            work.step()
        if not only.takes(commit):
            continue
        if skip:
            skip -= 1
            continue
        if len(found) == limit:
            return Log(commits=found, truncated=True)
        found.append(_entry(commit))
    return Log(commits=found, truncated=False)


def _entry(commit: Commit) -> LogEntry:
    message = commit.message.strip()
    return LogEntry(
        commit=str(commit.id),
        author=commit.author.name,
        email=commit.author.email,
        time=commit.commit_time,
        message=message if len(message) <= MAX_BODY else message[:MAX_BODY] + " […]",
        parents=[str(parent) for parent in commit.parent_ids],
    )


def branches(repository: Repository, remote: bool, limit: int) -> Branches:
    """Local branches, and those of remotes as they were at the last fetch."""
    import pygit2

    names = [(name, False) for name in sorted(repository.branches.local)]
    if remote:
        names += [(name, True) for name in sorted(repository.branches.remote) if not name.endswith("/HEAD")]
    shown = []
    for name, is_remote in names[:limit]:
        found = (repository.branches.remote if is_remote else repository.branches.local)[name]
        commit = found.peel(pygit2.Commit)
        try:
            upstream = None if is_remote or found.upstream is None else found.upstream.shorthand
        except KeyError:
            upstream = None
        shown.append(
            BranchInfo(
                name=name,
                commit=str(commit.id),
                current=not is_remote and found.is_head(),
                remote=is_remote,
                upstream=upstream,
                subject=commit.message.strip().partition("\n")[0][:MAX_SUBJECT],
            )
        )
    return Branches(branches=shown, truncated=len(names) > limit)
