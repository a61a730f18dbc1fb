"""Reading files as text, a part at a time."""

from __future__ import annotations

import os
import stat
from io import BufferedReader

from mcp.server.mcpserver.exceptions import ToolError

from gatehouse_workspace.root import Root
from gatehouse_workspace.work import Work

MAX_ANSWER = 256 * 1024
MAX_LINE = 16 * 1024
MAX_WHOLE = 10 * 1024 * 1024
PROBE = 8192


def regular(fd: int, path: str) -> os.stat_result:
    """What fstat says. Raises ToolError for what is no regular file."""
    info = os.fstat(fd)
    if stat.S_ISDIR(info.st_mode):
        raise ToolError(f"{path}: is a directory; list_directory shows it")
    if not stat.S_ISREG(info.st_mode):
        raise ToolError(f"{path}: is not a regular file")
    return info


def is_binary(beginning: bytes) -> bool:
    """As git judges it: a NUL byte near the beginning."""
    return b"\0" in beginning


def read_lines(root: Root, path: str, start: int, count: int) -> str:
    """`count` lines from line `start` (1 is the first), with a note in brackets about what was left out.

    Raises ToolError for binary files and for a start behind the end.
    """
    work = Work()
    with root.open(path) as fd:
        size = regular(fd, path).st_size
        with open(fd, "rb", closefd=False) as file:
            if is_binary(file.peek(PROBE)[:PROBE]):
                raise ToolError(
                    f"{path}: is a binary file of {size} bytes; read_file_bytes returns parts of it in base64"
                )
            return _lines(file, path, start, count, work)


def _lines(file: BufferedReader, path: str, start: int, count: int, work: Work) -> str:
    number = size = 0
    taken: list[bytes] = []
    notes: list[str] = []
    while line := file.readline(MAX_LINE):
        number += 1
        if number % 1024 == 0:
            work.step()
        whole = line.endswith(b"\n") or len(line) < MAX_LINE
        wanted = number >= start
        if wanted:
            if len(taken) >= count or size + len(line) > MAX_ANSWER:
                notes.append(f"more follows: continue with start_line={number}")
                break
            taken.append(line)
            size += len(line)
        if not whole:
            rest = _skip_line(file, work)
            if wanted and rest:
                taken[-1] += b"\n"
                notes.append(f"line {number} is cut after {MAX_LINE} bytes")
    if number < start and not (number == 0 and start == 1):
        raise ToolError(f"{path}: has {number} lines; line {start} is behind the end")
    text = b"".join(taken).decode("utf-8", errors="replace")
    return text + "".join(f"\n[{note}]" for note in notes[:20])


def _skip_line(file: BufferedReader, work: Work) -> int:
    skipped = 0
    while part := file.readline(1024 * 1024):
        skipped += len(part)
        if part.endswith(b"\n"):
            break
        work.step()
    return skipped


def read_whole(root: Root, path: str) -> bytes:
    """A text file of at most MAX_WHOLE bytes. Raises ToolError for larger and for binary ones."""
    with root.open(path) as fd:
        size = regular(fd, path).st_size
        if size > MAX_WHOLE:
            raise ToolError(f"{path}: has {size} bytes; at most {MAX_WHOLE} can be edited")
        with open(fd, "rb", closefd=False) as file:
            content = file.read(MAX_WHOLE + 1)
    if is_binary(content[:PROBE]):
        raise ToolError(f"{path}: is a binary file and cannot be edited as text")
    return content
