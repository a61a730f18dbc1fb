"""The file tools, through the SDK's client."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from gatehouse_workspace.tests.running import Workspace, said


async def test_a_file_is_written_read_and_edited(workspace: Workspace, here: Path) -> None:
    path = f"{here.name}/deep/er/a.txt"
    assert "Made" in await workspace.text("write_file", path=path, content="one\ntwo\nthree\n")
    assert await workspace.text("read_file", path=path) == "one\ntwo\nthree\n"
    diff = await workspace.text("edit_file", path=path, old_text="two", new_text="2")
    assert "-two\n+2" in diff
    assert (here / "deep/er/a.txt").read_text() == "one\n2\nthree\n"
    assert "Replaced" in await workspace.text("write_file", path=path, content="")
    assert await workspace.text("read_file", path=path) == ""


async def test_a_range_of_lines_says_how_to_go_on(workspace: Workspace, here: Path) -> None:
    (here / "a").write_text("".join(f"line {n}\n" for n in range(1, 101)))
    text = await workspace.text("read_file", path=f"{here.name}/a", start_line=10, max_lines=2)
    assert text == "line 10\nline 11\n\n[more follows: continue with start_line=12]"
    assert "has 100 lines" in await workspace.refused("read_file", path=f"{here.name}/a", start_line=200)


async def test_huge_files_are_read_in_parts(workspace: Workspace, here: Path) -> None:
    with (here / "huge").open("wb") as file:
        file.write(b"x" * 100 + b"\n")
        file.write(b"y" * 3_000_000 + b"\n")
        file.write(b"z\n" * 200_000)
    text = await workspace.text("read_file", path=f"{here.name}/huge")
    assert len(text) < 300_000
    assert "[line 2 is cut after 16384 bytes]" in text
    assert "[more follows" in text
    last = await workspace.text("read_file", path=f"{here.name}/huge", start_line=200_002)
    assert last == "z\n"
    assert "at most" in await workspace.refused(
        "edit_file", path=await _sparse(workspace, here), old_text="a", new_text="b"
    )


async def _sparse(workspace: Workspace, here: Path) -> str:
    with (here / "sparse").open("wb") as file:
        file.truncate(50_000_000)
    return f"{here.name}/sparse"


async def test_binary_files_are_read_as_bytes(workspace: Workspace, here: Path) -> None:
    content = bytes(range(256)) * 4
    (here / "b").write_bytes(content)
    path = f"{here.name}/b"
    assert "binary file of 1024 bytes" in await workspace.refused("read_file", path=path)
    assert "binary" in await workspace.refused("edit_file", path=path, old_text="a", new_text="b")
    found = await workspace.call("read_file_bytes", path=path, offset=250, length=20)
    assert found.structured_content is not None
    assert base64.b64decode(found.structured_content["data"]) == content[250:270]
    assert found.structured_content["size"] == 1024


async def test_an_edit_must_be_exact_and_single(workspace: Workspace, here: Path) -> None:
    (here / "a").write_bytes(b"x = 1\r\nx = 1\r\n")
    path = f"{here.name}/a"
    assert "found 2 times" in await workspace.refused("edit_file", path=path, old_text="x = 1", new_text="y")
    assert "line ends" in await workspace.refused("edit_file", path=path, old_text="x = 1\n", new_text="y")
    assert "the same" in await workspace.refused("edit_file", path=path, old_text="x", new_text="x")
    assert "Replaced 2 places" in await workspace.text(
        "edit_file", path=path, old_text="x = 1", new_text="y", replace_all=True
    )
    assert (here / "a").read_bytes() == b"y\r\ny\r\n"


async def test_a_replaced_file_keeps_its_mode(workspace: Workspace, here: Path) -> None:
    (here / "run").write_text("#!/bin/sh\n")
    (here / "run").chmod(0o755)
    await workspace.text("edit_file", path=f"{here.name}/run", old_text="sh", new_text="bash")
    assert (here / "run").stat().st_mode & 0o777 == 0o755
    assert sorted(os.listdir(here)) == ["run"]


async def test_directories_are_listed_and_searched(workspace: Workspace, here: Path) -> None:
    for name in ("src/app/a.py", "src/app/b.txt", "src/c.py", "top.py"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(f"hello from {name}\n")
    listed = (await workspace.call("list_directory", path=here.name)).structured_content
    assert listed is not None
    assert [(item["name"], item["type"]) for item in listed["entries"]] == [
        ("src", "directory"),
        ("top.py", "file"),
    ]
    tree = await workspace.text("directory_tree", path=here.name, depth=2)
    assert tree == "src/\n  app/\n  c.py\ntop.py"
    for pattern, names in {
        "*.py": ["src/app/a.py", "src/c.py", "top.py"],
        "src/**/*.py": ["src/app/a.py", "src/c.py"],
        "src/*.py": ["src/c.py"],
        "[ab].*": ["src/app/a.py", "src/app/b.txt"],
    }.items():
        found = (await workspace.call("search_files", pattern=pattern, path=here.name)).structured_content
        assert found is not None
        assert found["paths"] == [f"{here.name}/{name}" for name in names]
    lines = await workspace.text(
        "search_content", pattern="HELLO", ignore_case=True, path=here.name, glob="*.py"
    )
    assert f"{here.name}/src/c.py:1:hello from src/c.py" in lines.splitlines()
    assert "b.txt" not in lines
    assert await workspace.text("search_content", pattern="from (src|top)", path=here.name) == "No matches"
    assert "top.py:1" in await workspace.text(
        "search_content", pattern="from (src|top)", path=here.name, regex=True
    )
    assert "--full-name" not in await workspace.text("search_content", pattern="--full-name", path=here.name)
    assert "Unmatched" in await workspace.refused("search_content", pattern="(", path=here.name, regex=True)


async def test_long_listings_are_cut_with_a_note(workspace: Workspace, here: Path) -> None:
    for number in range(30):
        (here / f"f{number:02}").write_text("same\n")
    listed = (await workspace.call("list_directory", path=here.name, limit=10)).structured_content
    assert listed is not None
    assert (len(listed["entries"]), listed["total"], listed["truncated"]) == (10, 30, True)
    assert "[cut after 5 entries" in await workspace.text("directory_tree", path=here.name, limit=5)
    assert "[cut after 7 lines" in await workspace.text(
        "search_content", pattern="same", path=here.name, limit=7
    )
    found = (await workspace.call("search_files", pattern="f*", path=here.name, limit=3)).structured_content
    assert found is not None
    assert found["truncated"]


async def test_files_are_moved_copied_and_deleted(workspace: Workspace, here: Path) -> None:
    (here / "d/e").mkdir(parents=True)
    (here / "d/e/f").write_text("f")
    (here / "d/link").symlink_to("e/f")
    name = here.name
    assert "(4 entries)" in await workspace.text(
        "copy_file", source=f"{name}/d", destination=f"{name}/x/copy"
    )
    assert (here / "x/copy/link").readlink() == Path("e/f")
    assert "exists already" in await workspace.refused(
        "copy_file", source=f"{name}/d", destination=f"{name}/x/copy"
    )
    assert "is inside" in await workspace.refused(
        "copy_file", source=f"{name}/d", destination=f"{name}/d/e/g"
    )
    await workspace.text("move_file", source=f"{name}/d/e/f", destination=f"{name}/new/g")
    assert (here / "new/g").read_text() == "f"
    (here / "other").write_text("other")
    again = {"source": f"{name}/other", "destination": f"{name}/new/g"}
    assert "exists already" in await workspace.refused("move_file", **again)
    await workspace.text("move_file", **again, overwrite=True)
    assert "not empty" in await workspace.refused("delete_file", path=f"{name}/x")
    await workspace.text("delete_file", path=f"{name}/x", recursive=True)
    await workspace.text("delete_file", path=f"{name}/new/g")
    await workspace.text("create_directory", path=f"{name}/made/of")
    assert sorted(os.listdir(here)) == ["d", "made", "new"]
    assert "does not exist" in await workspace.refused(
        "move_file", source=f"{name}/no", destination=f"{name}/z"
    )


async def test_what_is_no_file_is_said_to_be_none(workspace: Workspace, here: Path) -> None:
    os.mkfifo(here / "pipe")
    (here / "folder").mkdir()
    assert "not a regular file" in await workspace.refused("read_file", path=f"{here.name}/pipe")
    assert "not a regular file" in await workspace.refused(
        "write_file", path=f"{here.name}/pipe", content="x"
    )
    assert "is a directory" in await workspace.refused("read_file", path=f"{here.name}/folder")
    assert "not a directory" in await workspace.refused("list_directory", path=f"{here.name}/pipe")
    assert "does not exist" in await workspace.refused("read_file", path=f"{here.name}/nothing")
    assert "too long" in await workspace.refused("read_file", path="n" * 300)
    info = (await workspace.call("get_file_info", path=f"{here.name}/pipe")).structured_content
    assert info is not None
    assert info["type"] == "other"


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("read_file", {}, "argument 'path': field required"),
        ("read_file", {"path": 7}, "argument 'path': input should be a valid string"),
        (
            "read_file",
            {"path": "a", "start_line": "x"},
            "argument 'start_line': input should be a valid integer",
        ),
        ("read_file", {"path": "a", "start_line": 0}, "argument 'start_line'"),
        ("read_file", {"path": ""}, "argument 'path'"),
        ("read_file", {"path": "a", "file": "b"}, "has no argument 'file'"),
        ("git_add", {"paths": 7}, "argument 'paths': input should be a valid list"),
        ("git_stash", {"action": "clear"}, "argument 'action'"),
        ("search_files", {"pattern": "a" * 1000}, "pattern"),
        ("nothing", {}, "Unknown tool"),
    ],
)
async def test_wrong_arguments_are_explained(
    workspace: Workspace, tool: str, arguments: dict[str, object], words: str
) -> None:
    text = await workspace.refused(tool, **arguments)
    assert words in text
    assert "pydantic" not in text


async def test_texts_that_no_file_holds_are_refused(workspace: Workspace, here: Path) -> None:
    found = await workspace.call("write_file", path=f"{here.name}/a\0b", content="x")
    assert "NUL" in said(found)
