"""Changing files: whole or not at all, never through a symbolic link."""

from __future__ import annotations

import os
import secrets
import stat
from difflib import unified_diff
from itertools import islice

from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace.files.text import read_whole
from gatehouse_workspace.root import Root

MAX_DIFF_LINES = 200
NEW_MODE = 0o644


def replace(root: Root, path: str, content: bytes, *, make: bool = True, overwrite: bool = True) -> bool:
    """Put `content` in the place of `path`, keeping the mode of what was there; True where it is new.

    Raises ToolError for a directory or a link in its place, and where it exists and `overwrite` is False.
    """
    with root.parent(path, make=make) as (folder, name):
        try:
            before = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            before = None
        if before is not None:
            if stat.S_ISLNK(before.st_mode):
                raise ToolError(f"{path}: is a symbolic link; write to the file that it names")
            if not stat.S_ISREG(before.st_mode):
                raise ToolError(f"{path}: is not a regular file")
            if not overwrite:
                raise ToolError(f"{path}: exists already")
        mode = stat.S_IMODE(before.st_mode) & 0o777 if before else NEW_MODE
        _put(folder, name, content, mode)
        return before is None


def _put(folder: int, name: str, content: bytes, mode: int) -> None:
    """Written aside and renamed: a link that appears meanwhile is replaced, not followed."""
    aside = f".{name[:200]}.{secrets.token_hex(4)}"
    fd = os.open(
        aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder
    )
    try:
        with open(fd, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(aside, dir_fd=folder)
        raise


def edit(root: Root, path: str, old: str, new: str, every: bool) -> tuple[int, str]:
    """Replace `old` by `new`, exactly; how often, and a unified diff.

    Raises ToolError where `old` is not there, or more than once and not `every` one is meant.
    """
    content = read_whole(root, path)
    wanted, instead = old.encode(), new.encode()
    if not wanted:
        raise ToolError("old_text is empty; write_file makes new files")
    if wanted == instead:
        raise ToolError("old_text and new_text are the same")
    count = content.count(wanted)
    if count == 0:
        hint = " (the file has Windows line ends, \\r\\n)" if b"\r\n" in content and "\n" in old else ""
        raise ToolError(f"{path}: old_text was not found; it must match exactly, white space included{hint}")
    if count > 1 and not every:
        raise ToolError(
            f"{path}: old_text was found {count} times; give more of its surroundings, or set replace_all"
        )
    changed = content.replace(wanted, instead)
    replace(root, path, changed, make=False)
    return count, _diff(path, content, changed)


def _diff(path: str, before: bytes, after: bytes) -> str:
    lines = unified_diff(
        before.decode(errors="replace").splitlines(keepends=True),
        after.decode(errors="replace").splitlines(keepends=True),
        f"a/{path}",
        f"b/{path}",
    )
    shown = list(islice(lines, MAX_DIFF_LINES + 1))
    cut = "\n[the diff is cut]" if len(shown) > MAX_DIFF_LINES else ""
    return "".join(line if line.endswith("\n") else line + "\n" for line in shown[:MAX_DIFF_LINES]) + cut


def make_directory(root: Root, path: str) -> None:
    """Make a folder and those that it lies in. One that is there already is fine."""
    with root.parent(path, make=True) as (folder, name):
        try:
            os.mkdir(name, dir_fd=folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise
