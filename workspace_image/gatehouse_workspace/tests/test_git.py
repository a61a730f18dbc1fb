"""The git tools on real repositories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatehouse_workspace.tests.running import Workspace, git, repository


async def structured(workspace: Workspace, tool: str, **arguments: Any) -> dict[str, Any]:
    found = await workspace.call(tool, **arguments)
    assert not found.is_error
    assert found.structured_content is not None
    return dict(found.structured_content)


async def test_status_of_the_root_without_arguments(workspace: Workspace) -> None:
    found = await structured(workspace, "git_status")
    assert found["branch"] == "main"
    assert found["head"] is None
    assert "On branch main" in await workspace.text("git_status")


async def test_work_from_the_first_commit_to_a_merge(workspace: Workspace, here: Path) -> None:
    repository(here / "r")
    at = {"repository": f"{here.name}/r"}
    (here / "r/a.txt").write_text("one\n2\n")
    (here / "r/new.txt").write_text("new\n")
    found = await structured(workspace, "git_status", **at)
    assert (found["unstaged"], found["untracked"], found["clean"]) == (["M a.txt"], ["new.txt"], False)
    assert "-two\n+2" in await workspace.text("git_diff", **at)
    await workspace.text("git_add", paths=["."], **at)
    found = await structured(workspace, "git_status", **at)
    assert found["staged"] == ["M a.txt", "A new.txt"]
    assert "new file" in await workspace.text("git_diff", staged=True, **at)
    await workspace.text("git_checkout", target="feature/x", create=True, **at)
    await workspace.text("git_commit", message="second\n\n-- why", **at)
    log = await structured(workspace, "git_log", **at)
    assert [entry["message"] for entry in log["commits"]] == ["second\n\n-- why", "first"]
    assert log["commits"][0]["email"] == "workspace@localhost"
    assert "2 files changed" in await workspace.text("git_show", stat=True, **at)
    assert await workspace.text("git_show", revision="HEAD~1:a.txt", **at) == "one\ntwo\n"
    blame = await workspace.text("git_blame", path="a.txt", start_line=2, max_lines=1, **at)
    assert "2) 2" in blame
    assert "Ann" not in blame
    await workspace.text("git_checkout", target="main", **at)
    assert "Fast-forward" in await workspace.text("git_merge", revision="feature/x", **at)
    branches = await structured(workspace, "git_branches", **at)
    assert [(item["name"], item["current"]) for item in branches["branches"]] == [
        ("feature/x", False),
        ("main", True),
    ]
    assert "a.txt" in await workspace.text("git_diff", revision="HEAD~1..HEAD", stat=True, **at)


async def test_log_finds_by_author_text_and_path(workspace: Workspace, here: Path) -> None:
    folder = repository(here / "r")
    for number in range(5):
        (folder / f"f{number % 2}.txt").write_text(f"{number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", f"--message=change {number}")
    at = {"repository": f"{here.name}/r"}

    async def messages(**arguments: Any) -> list[str]:
        return [
            entry["message"]
            for entry in (await structured(workspace, "git_log", **at, **arguments))["commits"]
        ]

    assert await messages(path="f1.txt") == ["change 3", "change 1"]
    assert await messages(grep="CHANGE 2") == ["change 2"]
    assert await messages(author="nobody") == []
    assert await messages(limit=2, skip=1) == ["change 3", "change 2"]
    assert "[more follows: raise skip by 2]" in await workspace.text("git_log", limit=2, **at)
    assert "no such commit" in await workspace.refused("git_log", revision="nowhere", **at)


async def test_a_conflict_is_told_and_undone(workspace: Workspace, here: Path) -> None:
    folder = repository(here / "r")
    git(folder, "checkout", "--quiet", "-b", "other")
    (folder / "a.txt").write_text("theirs\n")
    git(folder, "commit", "--quiet", "--all", "--message=theirs")
    git(folder, "checkout", "--quiet", "main")
    (folder / "a.txt").write_text("ours\n")
    git(folder, "commit", "--quiet", "--all", "--message=ours")
    at = {"repository": f"{here.name}/r"}
    assert "CONFLICT" in await workspace.refused("git_merge", revision="other", **at)
    found = await structured(workspace, "git_status", **at)
    assert (found["conflicted"], found["state"]) == (["a.txt"], "merging")
    await workspace.text("git_merge", abort=True, **at)
    assert (await structured(workspace, "git_status", **at))["clean"]


async def test_changes_are_put_aside_and_back(workspace: Workspace, here: Path) -> None:
    folder = repository(here / "r")
    at = {"repository": f"{here.name}/r"}
    assert await workspace.text("git_stash", action="list", **at) == "Nothing is put aside"
    (folder / "a.txt").write_text("changed\n")
    await workspace.text("git_stash", message="later", **at)
    assert "later" in await workspace.text("git_stash", action="list", **at)
    assert "+changed" in await workspace.text("git_stash", action="show", **at)
    assert (folder / "a.txt").read_text() == "one\ntwo\n"
    await workspace.text("git_stash", action="pop", **at)
    assert (folder / "a.txt").read_text() == "changed\n"
    await workspace.text("git_checkout", paths=["a.txt"], **at)
    assert (folder / "a.txt").read_text() == "one\ntwo\n"


async def test_long_answers_are_cut_with_a_note(workspace: Workspace, here: Path) -> None:
    folder = repository(here / "r")
    (folder / "a.txt").write_text("".join(f"a line with a number {n}\n" for n in range(40_000)))
    for number in range(30):
        (folder / f"u{number:02}").write_text("")
    at = {"repository": f"{here.name}/r"}
    diff = await workspace.text("git_diff", **at)
    assert "[cut: the answer was longer" in diff
    assert len(diff) < 300_000
    found = await structured(workspace, "git_status", limit=10, **at)
    assert (len(found["untracked"]), found["counts"]["untracked"], found["truncated"]) == (10, 30, True)


async def test_an_empty_repository_is_told_as_such(workspace: Workspace, here: Path) -> None:
    (here / "r").mkdir()
    git(here / "r", "init", "--quiet", "--initial-branch=trunk")
    at = {"repository": f"{here.name}/r"}
    assert (await structured(workspace, "git_status", **at))["branch"] == "trunk"
    assert "no commit yet" in await workspace.refused("git_log", **at)
    assert await workspace.text("git_branches", **at) == "No branches yet"
    assert "nothing to commit" in (await workspace.refused("git_commit", message="x", **at)).lower()
    assert "no remote 'origin'" in await workspace.refused("git_push", **at)


async def test_writers_at_once_wait_for_each_other(workspace: Workspace, here: Path) -> None:
    import asyncio

    folder = repository(here / "r")
    for number in range(8):
        (folder / f"n{number}").write_text("x")
    at = {"repository": f"{here.name}/r"}
    await asyncio.gather(*(workspace.text("git_add", paths=[f"n{number}"], **at) for number in range(8)))
    assert len(git(folder, "diff", "--cached", "--name-only").split()) == 8
