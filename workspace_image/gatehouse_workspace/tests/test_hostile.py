"""A repository made to run commands: nothing of it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatehouse_workspace.tests.running import Workspace, git, repository

KEYS = {
    "core.fsmonitor": "touch {trace}",
    "core.hooksPath": "evil-hooks",
    "core.pager": "touch {trace}",
    "core.editor": "touch {trace}",
    "core.askPass": "touch {trace}",
    "core.sshCommand": "touch {trace}",
    "core.gitProxy": "touch {trace}",
    "credential.helper": "!touch {trace}",
    "diff.external": "touch {trace}",
    "commit.gpgSign": "true",
    "gpg.program": "touch {trace}",
    "log.showSignature": "true",
    "uploadpack.packObjectsHook": "touch {trace}",
    "remote.origin.url": "ext::touch {trace}",
    "remote.origin.fetch": "+refs/heads/*:refs/remotes/origin/*",
    "protocol.ext.allow": "always",
    "protocol.file.allow": "always",
    "alias.status": "!touch {trace}",
    "sequence.editor": "touch {trace}",
}


@pytest.fixture
def evil(workspace: Workspace, here: Path) -> tuple[str, Path]:
    """Its name for the tools, and the file that a command of its would make."""
    folder = repository(here / "evil")
    trace = here / "ran"
    for hooks in (folder / "evil-hooks", folder / ".git/hooks"):
        hooks.mkdir(exist_ok=True)
        for name in ("pre-commit", "post-commit", "post-checkout", "pre-push", "post-merge", "commit-msg"):
            (hooks / name).write_text(f"#!/bin/sh\ntouch {trace}\n")
            (hooks / name).chmod(0o755)
    for key, value in KEYS.items():
        git(folder, "config", key, value.format(trace=trace))
    (folder / ".gitattributes").write_text("*.txt diff=evil\n")
    git(folder, "config", "diff.evil.textconv", f"touch {trace}; cat")
    git(folder, "config", "diff.evil.command", f"touch {trace}")
    return f"{here.name}/evil", trace


async def test_looking_starts_nothing(workspace: Workspace, evil: tuple[str, Path]) -> None:
    name, trace = evil
    (workspace.root / name / "a.txt").write_text("changed\n")
    for tool in ("git_status", "git_log", "git_branches", "git_diff", "git_show"):
        await workspace.text(tool, repository=name)
    await workspace.text("git_blame", repository=name, path="a.txt")
    await workspace.text("search_content", path=name, pattern="changed")
    assert not trace.exists()


async def test_changing_starts_nothing(workspace: Workspace, evil: tuple[str, Path]) -> None:
    name, trace = evil
    (workspace.root / name / "a.txt").write_text("changed\n")
    await workspace.text("git_add", repository=name, paths=["a.txt"])
    await workspace.text("git_commit", repository=name, message="x")
    await workspace.text("git_checkout", repository=name, target="b", create=True)
    await workspace.text("git_commit", repository=name, message="y", allow_empty=True)
    await workspace.text("git_checkout", repository=name, target="main")
    await workspace.text("git_merge", repository=name, revision="b", no_fast_forward=True)
    assert not trace.exists()


async def test_its_remotes_start_nothing(workspace: Workspace, evil: tuple[str, Path]) -> None:
    name, trace = evil
    for url in (f"ext::touch {trace}", f"file://{workspace.root}", str(workspace.root), f"git://{trace}/x"):
        git(workspace.root / name, "config", "remote.origin.url", url)
        for tool in ("git_fetch", "git_pull", "git_push"):
            assert "not allowed" in await workspace.refused(tool, repository=name)
        assert "https, http or ssh" in await workspace.refused(
            "git_clone", url=url, directory=f"{name}-clone"
        ) or (url.startswith("ext::"))
    assert not trace.exists()


async def test_its_working_tree_is_its_own_folder(workspace: Workspace, evil: tuple[str, Path]) -> None:
    name, _ = evil
    outside = workspace.root.with_name("tree")
    outside.mkdir(exist_ok=True)
    (outside / "a.txt").write_text("outside")
    git(workspace.root / name, "config", "core.worktree", str(outside))
    assert "core.worktree" in await workspace.refused("git_status", repository=name)
    await workspace.text("git_checkout", repository=name, paths=["a.txt"])
    assert (outside / "a.txt").read_text() == "outside"
    assert "outside" not in await workspace.text("git_diff", repository=name)


async def test_a_bare_repository_among_the_files_is_none(workspace: Workspace, here: Path) -> None:
    folder = here / "r"
    folder.mkdir()
    git(folder, "init", "--quiet", "--bare", "inner")
    assert "no git repository" in await workspace.refused("git_status", repository=f"{here.name}/r/inner")
    assert "no git repository" in await workspace.refused("git_diff", repository=f"{here.name}/r/inner")
