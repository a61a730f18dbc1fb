"""What an instance writes: two files of bounded size, and those who follow."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from pathlib import Path

LONGEST_LINE = 16 * 1024
HALF = 1 << 20
"""Bytes after which a file becomes the older one."""
BEHIND = 1000
"""Lines that a follower may be behind by; older ones are dropped for it."""
MOST_LINES = 10_000


class Journal:
    """Lines, each with its newline. A longer one is cut in two."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._older = path.with_suffix(".old")
        self._partial = b""
        self._followers: set[Follower] = set()

    def write(self, data: bytes) -> None:
        """Take in output as it comes. A disk that is full loses lines, nothing else."""
        *lines, self._partial = (self._partial + data).split(b"\n")
        while len(self._partial) > LONGEST_LINE:
            lines.append(self._partial[:LONGEST_LINE])
            self._partial = self._partial[LONGEST_LINE:]
        self._add([line + b"\n" for line in lines])

    def end(self) -> None:
        """Its writer has ended."""
        if self._partial:
            self._add([self._partial + b"\n"])
            self._partial = b""
        for follower in self._followers:
            follower.end()

    def _add(self, lines: list[bytes]) -> None:
        if not lines:
            return
        try:
            with self._path.open("ab") as file:
                file.write(b"".join(lines))
                size = file.tell()
            if size > HALF:
                self._path.replace(self._older)
        except OSError:
            pass
        for follower in self._followers:
            follower.add(lines)

    def tail(self, count: int) -> list[bytes]:
        """The last lines, oldest first; at most MOST_LINES."""
        found: list[bytes] = []
        for path in (self._older, self._path):
            try:
                found += path.read_bytes().splitlines(keepends=True)
            except FileNotFoundError:
                continue
        return found[max(0, len(found) - min(count, MOST_LINES)) :] if count > 0 else []

    def follow(self) -> Follower:
        """What is written from now on; to be given back to `leave`."""
        follower = Follower()
        self._followers.add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        self._followers.discard(follower)

    def remove(self) -> None:
        for path in (self._path, self._older):
            path.unlink(missing_ok=True)

    def prepare(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._path.exists():
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))


class Follower:
    """Lines in wait for one reader."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque(maxlen=BEHIND)
        self._news = asyncio.Event()
        self._ended = False

    def add(self, lines: list[bytes]) -> None:
        self._lines.extend(lines)
        self._news.set()

    def end(self) -> None:
        self._ended = True
        self._news.set()

    async def next(self) -> bytes:
        """What has come; empty at the end."""
        while not self._lines and not self._ended:
            self._news.clear()
            await self._news.wait()
        data = b"".join(self._lines)
        self._lines.clear()
        return data
