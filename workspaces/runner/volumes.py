"""The folders that outlive sandboxes, one per workspace."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from workspaces.providers.base import NotThere, Refused, Unavailable
from workspaces.runner import confinement
from workspaces.runner.confinement import Tools
from workspaces.runner.records import KEY

_CHUNK = 256 * 1024
_STALL_SECONDS = 120.0
"""How long the far end of an archive may do nothing."""
_MOST_ENTRIES = 200_000
"""More files than that are not counted."""
_AT_ONCE = 2


class Volumes:
    """`<folder>/<key>` are volumes; `<key>.new` and `<key>.old` are those of a restore under way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._slots = asyncio.Semaphore(_AT_ONCE)

    def recover(self) -> None:
        """After a crash in a restore: the old content, unless the new one was in place."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in self._folder.glob("*.old"):
            if not old.with_suffix("").exists():
                old.rename(old.with_suffix(""))

    async def tidy(self, tools: Tools) -> None:
        """Remove what a crash left of restores."""
        for left in (*self._folder.glob("*.old"), *self._folder.glob("*.new")):
            await self._discard(tools, left)

    def path(self, key: str) -> Path:
        return self._folder / key

    @asynccontextmanager
    async def made(self, key: str) -> AsyncIterator[Path]:
        """The volume, there; one that was made for what then failed goes again. Raises Unavailable."""
        path, is_new = self.path(key), False
        try:
            path.mkdir(mode=0o755)
            is_new = True
        except FileExistsError:
            pass
        except OSError as error:
            raise unavailable(error) from error
        try:
            yield path
        except BaseException:
            if is_new:
                with contextlib.suppress(OSError):
                    path.rmdir()
            raise

    def keys(self) -> list[str]:
        return [path.name for path in self._folder.iterdir() if KEY.fullmatch(path.name)]

    async def remove(self, tools: Tools, key: str) -> None:
        """Raises Unavailable."""
        if self.path(key).exists():
            await self._discard(tools, self.path(key))

    async def size(self, key: str) -> int | None:
        """Bytes on disk; None for more files than are counted. Raises NotThere."""
        if not self.path(key).is_dir():
            raise NotThere("There is no volume.")
        async with self._slots:
            return await asyncio.to_thread(_size, self.path(key))

    async def export(self, tools: Tools, key: str) -> AsyncIterator[bytes]:
        """A tar stream. Raises NotThere, Unavailable."""
        if not self.path(key).is_dir():
            raise NotThere("There is no volume.")
        async with self._slots:
            process = await self._run(tools, "export", self.path(key))
            assert process.stdout is not None
            try:
                while data := await _in_time(process.stdout.read(_CHUNK)):
                    yield data
                await _judge(process)
            finally:
                await _end(process)

    async def restore(self, tools: Tools, key: str, content: AsyncIterator[bytes]) -> None:
        """Replace a volume. `content` is read to its end in any case. Raises Refused, Unavailable, OSError."""
        async with self._slots:
            new, old = self._folder / f"{key}.new", self._folder / f"{key}.old"
            for left in (new, old):
                await self._discard(tools, left)
            try:
                new.mkdir(mode=0o755)
                await self._unpack(tools, new, content)
            except BaseException:
                async for _ in content:
                    pass
                await self._discard(tools, new)
                raise
            if self.path(key).exists():
                self.path(key).rename(old)
            new.rename(self.path(key))
            await self._discard(tools, old)

    async def _unpack(self, tools: Tools, new: Path, content: AsyncIterator[bytes]) -> None:
        process = await self._run(tools, "restore", new)
        assert process.stdin is not None
        try:
            try:
                async for data in content:
                    process.stdin.write(data)
                    await _in_time(process.stdin.drain())
                process.stdin.close()
            except (BrokenPipeError, ConnectionResetError):
                pass  # it refused: its status says so
            await _judge(process)
        finally:
            await _end(process)

    async def _discard(self, tools: Tools, path: Path) -> None:
        if not _exists(path):
            return
        process = await self._run(tools, "clear", path)
        try:
            await _judge(process)
        finally:
            await _end(process)
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    async def _run(self, tools: Tools, what: str, volume: Path) -> asyncio.subprocess.Process:
        sandbox = confinement.for_volumes(tools, {"/volume": volume})
        program = (*confinement.python(), "-I", "-S", str(confinement.ARCHIVE), what)
        return await asyncio.create_subprocess_exec(
            *(str(tools.bubblewrap), *sandbox, "--", *program),
            stdin=subprocess.PIPE if what == "restore" else subprocess.DEVNULL,
            stdout=subprocess.PIPE if what == "export" else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={},
        )


def unavailable(error: OSError) -> Unavailable:
    """An error of the disk, in words for a workspace's owner."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable("The disk is full.")
    return Unavailable(f"It cannot be done now: {error.strerror or error}.")


async def _in_time(work: object) -> bytes:
    try:
        async with asyncio.timeout(_STALL_SECONDS):
            return await work  # type: ignore[misc,no-any-return]
    except TimeoutError as error:
        raise Unavailable("The archive does not move.") from error


async def _judge(process: asyncio.subprocess.Process) -> None:
    """Wait for its end. Raises Refused, Unavailable for one that failed."""
    assert process.stderr is not None
    said = (await _in_time(process.stderr.read(4096))).decode(errors="replace").strip()
    code = await process.wait()
    if code == 3:
        raise Refused(said)
    if code == 4:
        raise Unavailable("The disk is full.")
    if code:
        raise Unavailable(f"The volume cannot be worked on: {said.rpartition(chr(10))[2][:200]}")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


def _exists(path: Path) -> bool:
    return path.exists()


def _size(folder: Path) -> int | None:
    total = count = 0
    for here, folders, files in os.walk(folder):
        for name in (*folders, *files):
            count += 1
            try:
                total += os.lstat(os.path.join(here, name)).st_blocks * 512  # noqa: PTH118  many of them
            except OSError:
                continue
        if count > _MOST_ENTRIES:
            return None
    return total
