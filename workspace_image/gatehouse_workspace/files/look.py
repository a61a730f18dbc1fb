"""Listing, walking and finding by name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from gatehouse_workspace.files.glob import matcher
from gatehouse_workspace.root import FOLDER, GIT_FOLDER, Root
from gatehouse_workspace.work import Work

MAX_ENTRIES = 1000
MAX_WALKED = 500_000
MAX_PATTERN = 512


class Entry(BaseModel):
    """A file system entry."""

    name: str
    type: str = Field(description="file, directory, link or other")
    size: int = Field(description="bytes")
    modified: float = Field(description="Unix seconds")


class Listing(BaseModel):
    """What a directory holds."""

    path: str
    entries: list[Entry]
    total: int = Field(description="entries in the directory, shown or not")
    truncated: bool


class Info(Entry):
    """What is known of one path."""

    path: str
    mode: str = Field(description="permissions, octal")
    target: str | None = Field(None, description="where a link leads")


class Found(BaseModel):
    """Paths that match a pattern."""

    paths: list[str]
    truncated: bool


def kind(mode: int) -> str:
    """The word for a file's mode."""
    if stat.S_ISLNK(mode):
        return "link"
    if stat.S_ISDIR(mode):
        return "directory"
    return "file" if stat.S_ISREG(mode) else "other"


def listing(root: Root, path: str, limit: int) -> Listing:
    """A directory's entries by name, directories first."""
    with root.open(path, FOLDER) as fd:
        names = sorted(
            os.scandir(fd), key=lambda entry: (not entry.is_dir(follow_symlinks=False), entry.name)
        )
        entries = []
        for entry in names[:limit]:
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            entries.append(
                Entry(name=entry.name, type=kind(info.st_mode), size=info.st_size, modified=info.st_mtime)
            )
    return Listing(path=path, entries=entries, total=len(names), truncated=len(names) > limit)


def info(root: Root, path: str) -> Info:
    """One path; a link itself, not what it names."""
    with root.open(path, os.O_PATH | os.O_NOFOLLOW) as fd:
        found = os.fstat(fd)
        target = os.readlink("", dir_fd=fd) if stat.S_ISLNK(found.st_mode) else None
    return Info(
        path=path,
        name=os.path.basename(root.relative(path)),
        type=kind(found.st_mode),
        size=found.st_size,
        modified=found.st_mtime,
        mode=f"{stat.S_IMODE(found.st_mode):04o}",
        target=target,
    )


def tree(root: Root, path: str, depth: int, limit: int) -> str:
    """Names below a directory, indented by depth. The .git folder is left out."""
    lines: list[str] = []
    cut = False
    with root.open(path, FOLDER) as fd:
        for level, name, entry in _walk(fd, depth, Work()):
            if len(lines) >= limit:
                cut = True
                break
            suffix = "/" if entry.is_dir(follow_symlinks=False) else "@" if entry.is_symlink() else ""
            lines.append("  " * level + os.path.basename(name) + suffix)
    text = "\n".join(lines) or "(empty)"
    return text + (f"\n[cut after {limit} entries; ask for a part]" if cut else "")


def find(root: Root, path: str, pattern: str, limit: int) -> Found:
    """Paths below a directory whose name fits the glob `pattern`; with a `/` in it, whose whole path does."""
    if len(pattern) > MAX_PATTERN:
        raise ToolError(f"A pattern cannot be longer than {MAX_PATTERN} characters")
    fits = matcher(pattern)
    whole = "/" in pattern
    paths: list[str] = []
    with root.open(path, FOLDER) as fd:
        prefix = root.relative(path)
        for _, name, _ in _walk(fd, None, Work()):
            if fits(name if whole else os.path.basename(name)):
                if len(paths) >= limit:
                    return Found(paths=paths, truncated=True)
                paths.append(name if prefix == "." else f"{prefix}/{name}")
    return Found(paths=paths, truncated=False)


def _walk(fd: int, depth: int | None, work: Work) -> Iterator[tuple[int, str, os.DirEntry[str]]]:
    """Level, path and entry of all below an open folder, in the order of names, links not followed."""
    seen = 0

    def below(folder: int, prefix: str, level: int) -> Iterator[tuple[int, str, os.DirEntry[str]]]:
        nonlocal seen
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            if entry.name == GIT_FOLDER:
                continue
            seen += 1
            if seen % 256 == 0:
                work.step()
            if seen > MAX_WALKED:
                raise ToolError(f"Stopped after {MAX_WALKED} entries; ask for a part")
            yield level, prefix + entry.name, entry
            if entry.is_dir(follow_symlinks=False) and (depth is None or level + 1 < depth):
                try:
                    inner = os.open(entry.name, FOLDER | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                except OSError:
                    continue  # gone meanwhile, or not ours to read
                try:
                    yield from below(inner, f"{prefix}{entry.name}/", level + 1)
                finally:
                    os.close(inner)

    yield from below(fd, "", 0)
