"""A program run for a tool: bounded output, a time limit, and an end to all it started when the call is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

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
    timed_out: bool = False


@dataclass
class _Bounded:
    limit: int
    full: Callable[[], None]
    data: bytearray = field(default_factory=bytearray)
    truncated: bool = False

    def take(self, chunk: bytes) -> None:
        room = self.limit - len(self.data)
        self.data += chunk[:room]
        if len(chunk) > room and not self.truncated:
            self.truncated = True
            self.full()


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

    With `stop_when_full` a program that writes more is ended: nobody reads on. `progress` is given stderr line by
    line (carriage returns end lines too). After `seconds`, and when the calling task is cancelled, the whole
    process group is told to end, and killed soon after. Raises ToolError where the program is not there.
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
        full = (lambda: _signal(process, signal.SIGTERM)) if stop_when_full else (lambda: None)
        out, err = _Bounded(limit, full), _Bounded(limit, lambda: None)
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
        return Output(process.returncode, bytes(out.data), bytes(err.data), out.truncated, timed_out)


async def _feed(process: asyncio.subprocess.Process, stdin: bytes | None) -> None:
    if stdin is None or process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
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
