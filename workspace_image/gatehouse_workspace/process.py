"""A program run for a tool: bounded output, a time limit, and an end to all it started when the call is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcp.server.mcpserver.exceptions import ToolError

GRACE = 2.0
CHUNK = 64 * 1024
MAX_AT_ONCE = 16
MAX_PROGRESS_LINE = 4096

_running = asyncio.Semaphore(MAX_AT_ONCE)


@dataclass
class Output:
    """What a program wrote, up to the bound, and how it ended (negative: by that signal)."""

    code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False
    stderr_truncated: bool = False
    timed_out: bool = False


class _Bounded:
    """Output up to a limit: its beginning, and where the program runs on also its end."""

    def __init__(self, limit: int, full: Callable[[], None] | None) -> None:
        self._room = limit if full else limit // 2
        self._full = full
        self._head, self._tail = bytearray(), bytearray()
        self._left_out = 0

    @property
    def truncated(self) -> bool:
        return self._left_out > 0

    def take(self, chunk: bytes) -> None:
        room = self._room - len(self._head)
        self._head += chunk[:room]
        rest = chunk[room:]
        if not rest:
            return
        if self._full:
            if not self._left_out:
                self._full()
            self._left_out += len(rest)
            return
        self._tail += rest
        if (over := len(self._tail) - self._room) > 0:
            del self._tail[:over]
            self._left_out += over

    def whole(self) -> bytes:
        note = b"\n[%d bytes left out]\n" % self._left_out if self._left_out and not self._full else b""
        return bytes(self._head) + note + bytes(self._tail)


async def run(
    argv: Sequence[str],
    *,
    folder: int,
    environment: dict[str, str],
    limit: int,
    seconds: float,
    stdin: bytes | None = None,
    stop_when_full: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Output:
    """Run `argv` in the open folder `folder`; `limit` bounds stdout and stderr each, in bytes.

    With `stop_when_full` a program that writes more is ended, since nobody reads on; else the middle is left out.
    `progress` is given stderr line by line (carriage returns end lines too). After `seconds`, and when the calling
    task is cancelled, the whole process group is told to end, and killed soon after. Raises ToolError where the
    program is not there.
    """
    async with _running:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                cwd=f"/proc/self/fd/{folder}",  # the folder itself, whatever its path names by now
                env=environment,
                stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ToolError(f"{argv[0]}: there is no such program in this workspace") from error
        out = _Bounded(limit, (lambda: _signal(process, signal.SIGTERM)) if stop_when_full else None)
        err = _Bounded(limit, None)
        timed_out = False
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(
                    _feed(process, stdin),
                    _read(process.stdout, out, None),
                    _read(process.stderr, err, progress),
                )
                await process.wait()
        except TimeoutError:
            timed_out = True
        finally:
            await asyncio.shield(_end(process))
        assert process.returncode is not None
        return Output(process.returncode, out.whole(), err.whole(), out.truncated, err.truncated, timed_out)


async def _feed(process: asyncio.subprocess.Process, stdin: bytes | None) -> None:
    if stdin is None or process.stdin is None:
        return
    # A program need not read all; uvloop says RuntimeError where it has closed its end already.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError, RuntimeError):
        process.stdin.write(stdin)
        await process.stdin.drain()
    process.stdin.close()


async def _read(
    stream: asyncio.StreamReader | None, into: _Bounded, progress: Callable[[str], None] | None
) -> None:
    assert stream is not None
    line = b""
    while chunk := await stream.read(CHUNK):
        into.take(chunk)
        if progress is None:
            continue
        *lines, line = (line + chunk).replace(b"\r", b"\n").split(b"\n")
        line = line[-MAX_PROGRESS_LINE:]
        for whole in lines:
            progress(whole.decode(errors="replace"))


async def _end(process: asyncio.subprocess.Process) -> None:
    """The group is told to end even where its leader is gone: what it left behind is not to stay."""
    if process.returncode is None:
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await process.wait()
    _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
