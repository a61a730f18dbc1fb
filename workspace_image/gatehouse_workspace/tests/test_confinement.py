"""What published holes of such servers did, and what else leads out of the workspace."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gatehouse_workspace.beneath import open_beneath, rename_exclusively, walk_beneath
from gatehouse_workspace.tests.running import Workspace, git, repository, said

OUT = "leads outside the workspace"


@pytest.fixture
def secret(workspace: Workspace) -> Path:
    """A file beside the workspace, whose folder has its name as a beginning."""
    folder = workspace.root.with_name(workspace.root.name + "-secret")
    folder.mkdir(exist_ok=True)
    (folder / "key").write_text("the secret")
    return folder / "key"


async def test_names_do_not_lead_out(workspace: Workspace, here: Path, secret: Path) -> None:
    for path in (
        "../root-secret/key",
        str(secret),
        "/etc/passwd",
        f"{here.name}/../../root-secret/key",
        "..",
    ):
        assert OUT in await workspace.refused("read_file", path=path)
        assert OUT in await workspace.refused("get_file_info", path=path)
    for path in ("../root-secret/new", f"{secret.parent}/new", f"{here.name}/../../new"):
        assert OUT in await workspace.refused("write_file", path=path, content="x")
        assert OUT in await workspace.refused("create_directory", path=path)
        assert OUT in await workspace.refused("git_clone", url="https://localhost/x.git", directory=path)
    assert OUT in await workspace.refused("move_file", source=str(secret), destination=f"{here.name}/k")
    assert OUT in await workspace.refused(
        "copy_file", source="../root-secret/key", destination=f"{here.name}/k"
    )
    assert OUT in await workspace.refused("delete_file", path="../root-secret", recursive=True)
    assert os.listdir(secret.parent) == ["key"]


async def test_absolute_names_beneath_the_root_are_fine(workspace: Workspace, here: Path) -> None:
    (here / "a").write_text("a")
    assert await workspace.text("read_file", path=str(here / "a")) == "a"


async def test_symbolic_links_do_not_lead_out(workspace: Workspace, here: Path, secret: Path) -> None:
    """CVE-2025-53109."""
    (here / "out").symlink_to(secret.parent)
    (here / "key").symlink_to(secret)
    (here / "up").symlink_to("../../root-secret")
    for path in ("out/key", "key", "up/key"):
        assert OUT in await workspace.refused("read_file", path=f"{here.name}/{path}")
        text = await workspace.refused("write_file", path=f"{here.name}/{path}", content="x")
        assert OUT in text or "symbolic link" in text
        await workspace.refused("edit_file", path=f"{here.name}/{path}", old_text="secret", new_text="x")
    for path in ("out", "up"):
        await workspace.refused("list_directory", path=f"{here.name}/{path}")
        await workspace.refused("search_content", pattern="secret", path=f"{here.name}/{path}")
        assert OUT in await workspace.refused("git_status", repository=f"{here.name}/{path}")
    assert await workspace.text("search_content", pattern="the secret", path=here.name) == "No matches"
    assert "key@" in await workspace.text("directory_tree", path=here.name)
    info = (await workspace.call("get_file_info", path=f"{here.name}/key")).structured_content
    assert info is not None
    assert info["type"] == "link"
    await workspace.text("copy_file", source=f"{here.name}/key", destination=f"{here.name}/copy")
    assert (here / "copy").is_symlink()
    await workspace.text("delete_file", path=f"{here.name}/out")
    assert secret.read_text() == "the secret"


async def test_links_that_stay_inside_are_followed(workspace: Workspace, here: Path) -> None:
    (here / "real").mkdir()
    (here / "real/a").write_text("inside")
    (here / "link").symlink_to("real")
    assert await workspace.text("read_file", path=f"{here.name}/link/a") == "inside"


async def test_a_folder_swapped_for_a_link_meanwhile(workspace: Workspace, here: Path, secret: Path) -> None:
    """GHSA-53mr-w429-c597: what is checked is what is opened."""
    (here / "real").mkdir()
    (here / "real/key").write_text("harmless")
    (here / "evil").symlink_to(secret.parent)
    (here / "place").symlink_to("real")
    stop = threading.Event()

    def swap() -> None:
        while not stop.wait(0.0005):
            for target in ("evil", "real"):
                os.symlink(target, here / "next")
                os.rename(here / "next", here / "place")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for number in range(25):
            found = await workspace.call("read_file", path=f"{here.name}/place/key")
            assert said(found) == "harmless" or found.is_error
            await workspace.call("write_file", path=f"{here.name}/place/new{number}", content="x")
            await workspace.call("delete_file", path=f"{here.name}/place/key-not-there")
    finally:
        stop.set()
        thread.join()
    assert secret.read_text() == "the secret"
    assert os.listdir(secret.parent) == ["key"]


@pytest.mark.parametrize("way", [open_beneath, walk_beneath])
def test_both_ways_of_opening_agree(tmp_path: Path, way: object) -> None:
    inside = tmp_path / "inside"
    (inside / "d/e").mkdir(parents=True)
    (inside / "d/e/f").write_text("f")
    (tmp_path / "secret").write_text("secret")
    (inside / "to-f").symlink_to("d/e/../e/f")
    (inside / "to-d").symlink_to("d")
    (inside / "abs").symlink_to(inside / "d/e/f")
    (inside / "up").symlink_to("../secret")
    (inside / "loop").symlink_to("loop")
    (inside / "d/back").symlink_to("../d/e/f")
    root = os.open(inside, os.O_PATH)
    opened = way(root, "to-d/e/../../d/e/f", os.O_RDONLY)  # type: ignore[operator]
    assert os.read(opened, 9) == b"f"
    os.close(opened)
    for path in ("to-f", "d/back", "./d//e/f"):
        fd = way(root, path, os.O_RDONLY)  # type: ignore[operator]
        assert os.read(fd, 9) == b"f"
        os.close(fd)
    for path in ("abs", "up", "..", "../secret", "d/../../secret", "/etc/passwd", "loop", "no", "d/e/f/g"):
        with pytest.raises(OSError, match=r"."):
            way(root, path, os.O_RDONLY)  # type: ignore[operator]
    with pytest.raises(OSError, match=r"."):
        way(root, "to-f", os.O_RDONLY | os.O_NOFOLLOW)  # type: ignore[operator]
    os.close(way(root, ".", os.O_RDONLY | os.O_DIRECTORY))  # type: ignore[operator]
    with pytest.raises(FileExistsError):
        rename_exclusively(root, "d", root, "to-d")
    os.close(root)


async def test_a_revision_is_no_option(workspace: Workspace, here: Path) -> None:
    """CVE-2025-68144: `--output=…` as a revision wrote files."""
    repository(here / "r")
    name = f"{here.name}/r"
    for value in ("--output=/tmp/pwned", "-p", "--upload-pack=touch pwned"):
        for tool, argument in (
            ("git_diff", "revision"),
            ("git_log", "revision"),
            ("git_show", "revision"),
            ("git_merge", "revision"),
            ("git_checkout", "target"),
            ("git_fetch", "remote"),
            ("git_pull", "remote"),
            ("git_push", "remote"),
        ):
            assert "is not the name" in await workspace.refused(tool, repository=name, **{argument: value})
        assert "can have" in await workspace.refused(
            "git_checkout", repository=name, target=value, create=True
        )
        assert "can have" in await workspace.refused("git_push", repository=name, branch=value)
        await workspace.refused("git_blame", repository=name, path=value)
        await workspace.refused("git_add", repository=name, paths=[value])
        await workspace.refused("git_checkout", repository=name, paths=[value])
        await workspace.refused("git_clone", url=value, directory=f"{here.name}/c")
    assert not Path("/tmp/pwned").exists()
    assert sorted(os.listdir(here / "r")) == [".git", "a.txt"]


async def test_a_repository_is_in_the_workspace(workspace: Workspace, here: Path) -> None:
    """CVE-2025-68145: the repository's path was not held to the folder that was allowed. And CVE-2025-68143."""
    outside = workspace.root.with_name("elsewhere")
    if not outside.exists():
        repository(outside)
    (here / "link").symlink_to(outside)
    (here / "pointing").mkdir()
    (here / "pointing/.git").write_text(f"gitdir: {outside}/.git\n")
    (here / "linked").mkdir()
    (here / "linked/.git").symlink_to(outside / ".git")
    for path in (str(outside), "../elsewhere", f"{here.name}/link"):
        assert OUT in await workspace.refused("git_log", repository=path)
        assert OUT in await workspace.refused("git_diff", repository=path)
    for path in ("pointing", "linked"):
        for tool in ("git_status", "git_log", "git_branches", "git_diff", "git_show"):
            assert "no git repository of its own" in await workspace.refused(
                tool, repository=f"{here.name}/{path}"
            )


async def test_add_takes_only_files_of_the_repository(workspace: Workspace, here: Path, secret: Path) -> None:
    """CVE-2026-27735: `git_add` with ../ staged files from outside."""
    repository(here / "r")
    (here / "r/out").symlink_to(secret.parent)
    for path in ("../../../root-secret/key", str(secret), "out/key", "/etc/passwd"):
        await workspace.refused("git_add", repository=f"{here.name}/r", paths=[path])
    assert git(here / "r", "diff", "--cached", "--name-only") == ""
    await workspace.text("git_add", repository=f"{here.name}/r", paths=["."])
    assert git(here / "r", "ls-files").split() == ["a.txt", "out"]


async def test_the_git_folder_is_out_of_reach_of_file_tools(workspace: Workspace, here: Path) -> None:
    """Hooks and configuration are commands."""
    repository(here / "r")
    (here / "r/link").symlink_to(".git")
    (here / "r/hooks").symlink_to(".git/hooks")
    name = f"{here.name}/r"
    for path in (
        ".git/config",
        ".git/hooks/pre-commit",
        "link/config",
        "hooks/pre-commit",
        ".GIT/config",
        ".git",
    ):
        refused = await workspace.refused("write_file", path=f"{name}/{path}", content="x")
        assert ".git" in refused
    (here / "evil").mkdir()
    (here / "evil/config").write_text("[core]\n\tfsmonitor = touch /tmp/pwned\n")
    for tool in ("move_file", "copy_file"):
        text = await workspace.refused(tool, source=f"{here.name}/evil", destination=f"{here.name}/new/.git")
        assert "git tools only" in text
    assert "git tools only" in await workspace.refused("delete_file", path=f"{name}/.git", recursive=True)
    assert "git tools only" in await workspace.refused("move_file", source=f"{name}/.git", destination="x")
