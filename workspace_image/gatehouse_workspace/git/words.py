"""Structured answers as short text, which costs a model less than JSON."""

from __future__ import annotations

from datetime import UTC, datetime

from gatehouse_workspace.git.read import Branches, Log, Status


def status(found: Status) -> str:
    """As `git status --short --branch` with headings."""
    lines = [f"On branch {found.branch}" if found.branch else f"HEAD detached at {(found.head or '')[:12]}"]
    if found.head is None:
        lines.append("No commits yet")
    if found.upstream:
        lines.append(f"{found.upstream}: {found.ahead} ahead, {found.behind} behind")
    if found.state:
        lines.append(f"In the middle of {found.state}")
    for name in ("conflicted", "staged", "unstaged", "untracked"):
        paths: list[str] = getattr(found, name)
        if paths:
            count = found.counts[name]
            lines.append(f"{name.capitalize()} ({count}):")
            lines += [f"  {path}" for path in paths]
            if count > len(paths):
                lines.append(f"  [{count - len(paths)} more]")
    if found.clean:
        lines.append("Nothing to commit, working tree clean")
    return "\n".join(lines)


def log(found: Log) -> str:
    """Commit, date, author and message of each."""
    blocks = [
        f"{entry.commit} {datetime.fromtimestamp(entry.time, UTC):%Y-%m-%d %H:%M} {entry.author} <{entry.email}>\n"
        + "\n".join("    " + line for line in entry.message.splitlines())
        for entry in found.commits
    ]
    if found.truncated:
        blocks.append(f"[more follows: raise skip by {len(found.commits)}]")
    return "\n".join(blocks) or "No commits"


def branches(found: Branches) -> str:
    """One line each, a star before the current one."""
    lines = [
        f"{'*' if branch.current else ' '} {branch.name} {branch.commit[:12]} {branch.subject}"
        for branch in found.branches
    ]
    if found.truncated:
        lines.append("[more follows: raise limit]")
    return "\n".join(lines) or "No branches yet"
