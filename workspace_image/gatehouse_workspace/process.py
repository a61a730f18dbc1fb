"""A program run for a tool: bounded output, a time limit, and an end to all it started when the call is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from mcp.server.mcpserver.exceptions import ToolError

GRACE = 2.0
POLL = 0.05
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
        process = _started(argv, folder, environment, stdin)
        out = _Bounded(limit, (lambda: _signal(process, signal.SIGTERM)) if stop_when_full else None)
        err = _Bounded(limit, None)
        timed_out = False
        reads = [
            asyncio.ensure_future(_read(process.stdout, out, None)),
            asyncio.ensure_future(_read(process.stderr, err, progress)),
        ]
        try:
            async with asyncio.timeout(seconds):
                await _exited(process)
        except TimeoutError:
            timed_out = True
        finally:
            await asyncio.shield(_end(process))
            # To the end of the pipes, unless something left the group and holds them open.
            await asyncio.wait(reads, timeout=GRACE)
            for read in reads:
                read.cancel()
        return Output(process.returncode, out.whole(), err.whole(), out.truncated, err.truncated, timed_out)


def _started(
    argv: Sequence[str], folder: int, environment: dict[str, str], stdin: bytes | None
) -> subprocess.Popen[bytes]:
    """Not by the event loop: uvloop lets children inherit its ends of their pipes, which then never close."""
    with contextlib.ExitStack() as stack:
        given: int = subprocess.DEVNULL
        if stdin is not None:
            given = os.memfd_create("stdin")
            stack.callback(os.close, given)
            with open(given, "wb", closefd=False) as file:
                file.write(stdin)
            os.lseek(given, 0, os.SEEK_SET)
        try:
            return subprocess.Popen(
                argv,
                cwd=f"/proc/self/fd/{folder}",  # the folder itself, whatever its path names by now
                env=environment,
                stdin=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise ToolError(f"{argv[0]}: there is no such program in this workspace") from error


async def _read(pipe: IO[bytes] | None, into: _Bounded, progress: Callable[[str], None] | None) -> None:
    reader = asyncio.StreamReader(limit=CHUNK)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    line = b""
    try:
        while chunk := await reader.read(CHUNK):
            into.take(chunk)
            if progress is None:
                continue
            *lines, line = (line + chunk).replace(b"\r", b"\n").split(b"\n")
            line = line[-MAX_PROGRESS_LINE:]
            for whole in lines:
                progress(whole.decode(errors="replace"))
    finally:
        transport.close()


async def _exited(process: subprocess.Popen[bytes]) -> None:
    """Wait until it ended. It is not reaped yet: its number still names its group."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:  # kernels before 5.3, and sandboxes that do not know it
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while os.waitid(os.P_PID, process.pid, flags) is None:  # noqa: ASYNC110, ASYNC222 - it does not block
            await asyncio.sleep(POLL)
        return
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_reader(handle, _note, ended)
    try:
        await ended
    finally:
        loop.remove_reader(handle)
        os.close(handle)


def _note(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


async def _end(process: subprocess.Popen[bytes]) -> None:
    """The group is ended even where its leader did end: what it left behind is not to stay."""
    _signal(process, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await _exited(process)
    _signal(process, signal.SIGKILL)
    await _exited(process)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
