"""One sandbox that runs: its processes and its sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from gateway.supervisor.child import die_with_parent
from workspaces.addresses import MCP_PORT
from workspaces.providers.base import NotThere, Spec, Unavailable
from workspaces.runner import confinement, seccomp, usage
from workspaces.runner.confinement import Tools
from workspaces.runner.control import Control
from workspaces.runner.egress import LONGEST_HEAD, Egress
from workspaces.runner.gateway import Gateway
from workspaces.runner.terminal import Terminal

_START_SECONDS = 15.0
_STOP_SECONDS = 3.0
_READ = 64 * 1024
_FASTEST = 4 << 20
"""Bytes of output a second that are taken from one sandbox."""
_BACKLOG = 512
_MOST_FILES = 16_384
_LONGEST_FILE = 16 << 30
STOPPED = "It was stopped."
_EXCUSE_SECONDS = 5.0
_KILLED = 128 + signal.SIGKILL
_LAUNCH = (
    f"import sys; sys.path.insert(0, {str(confinement.OURS)!r}); "
    "from gatehouse_workspace.__main__ import main; main()"
)
_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


class Sandbox:
    """`written` takes its output; `ended` is called once with its exit status and why, where it had begun."""

    def __init__(
        self, spec: Spec, folder: Path, written: Callable[[bytes], None], ended: Callable[[int, str], None]
    ) -> None:
        self.spec = spec
        self._folder = folder
        self._written, self._ended = written, ended
        self._loop = asyncio.get_running_loop()
        self._servers: list[asyncio.Server] = []
        self._relays: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self.started_at = time.monotonic()
        self._why = ""
        self._excuse = ("", 0.0)
        self._process: subprocess.Popen[bytes]
        self._pidfd: int
        self._control: Control

    @property
    def pid(self) -> int:
        """Of bubblewrap, from which all its processes descend."""
        return self._process.pid

    async def start(self, tools: Tools, volume: Path, egress: Egress, gateway: Gateway) -> None:
        """Returns when its command was started. Raises Unavailable, OSError; nothing of it is left then."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._unlink()
        try:
            for name, serve in (("egress", egress.serve), ("gateway", gateway.serve)):
                path = str(self._folder / f"{name}.sock")
                accept = self._accepting(serve)
                self._servers.append(await asyncio.start_unix_server(accept, path, limit=LONGEST_HEAD))
            self._spawn(tools, volume)
        except BaseException:
            self._release()
            raise
        try:
            async with asyncio.timeout(_START_SECONDS):
                await self._control.begun
        except TimeoutError as error:
            await self.kill("It did not start in time.")
            raise Unavailable("The sandbox did not start in time.") from error
        except NotThere as error:
            await self.kill("")
            raise Unavailable("The sandbox ended while it was made; its log says why.") from error
        except asyncio.CancelledError:
            await self.kill("")
            raise

    async def stop(self) -> None:
        """Ask its command to end, then end everything. Returns when nothing of it is left."""
        self._why = self._why or STOPPED
        if not self._over.is_set():
            self._control.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await self._over.wait()
        await self.kill(self._why)

    async def kill(self, why: str) -> None:
        """`doom`, to its end."""
        self.doom(why)
        await self._over.wait()

    def doom(self, why: str) -> None:
        """Begin to end everything at once; `why` is told as the reason, unless there is one already."""
        self._why = self._why or why
        if not self._over.is_set():
            # Its first process, so that bubblewrap ends last: with it gone, nothing else is alive.
            inner = [process.pid for process in usage.processes().get(self.pid, ())]
            with contextlib.suppress(ProcessLookupError):
                for pid in inner:
                    os.kill(pid, signal.SIGKILL)
                if not inner:
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def excuse(self, why: str) -> None:
        """One of its processes is being killed; `why` is the reason should it end of that."""
        self._excuse = why, self._loop.time()

    async def terminal(self, command: tuple[str, ...], columns: int, rows: int) -> Terminal:
        """Raises NotThere, Unavailable."""
        return Terminal(self._control, *await self._control.terminal(command, columns, rows))

    def _accepting(self, serve: _Serve) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(serve(reader, writer))
            self._relays.add(task)
            task.add_done_callback(self._relays.discard)

        return accept

    def _spawn(self, tools: Tools, volume: Path) -> None:
        with contextlib.ExitStack() as stack:
            ports = (MCP_PORT, *sorted(set(self.spec.ports) - {MCP_PORT}))
            listeners = {port: stack.enter_context(self._listen(port)) for port in ports}
            channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            stack.enter_context(theirs)
            told = stack.enter_context(_held(json.dumps(self._told(listeners)).encode()))
            passed = [theirs.fileno(), told, *(one.fileno() for one in listeners.values())]
            memory = self.spec.limits.memory_bytes
            arguments = confinement.arguments(tools, volume, self._folder, self.spec.name, memory=memory)
            if seccomp.supported():
                passed.append(stack.enter_context(_held(seccomp.program())))
                arguments += ["--seccomp", str(passed[-1])]
            passed.append(stack.enter_context(_held("\0".join([*arguments, ""]).encode())))
            command = [str(tools.bubblewrap), "--args", str(passed[-1]), "--", *confinement.python()]
            command += ["-I", "-S", str(confinement.INSIDE), str(theirs.fileno()), str(told)]
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    cwd="/",
                    env={},
                    pass_fds=passed,
                    start_new_session=True,
                    preexec_fn=die_with_parent(signal.SIGKILL),
                )
            except BaseException:
                channel.close()
                raise
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        self._pidfd = os.pidfd_open(self._process.pid)
        self._control = Control(channel, lambda: self.doom("Its first process was tampered with."))
        self._loop.add_reader(self._pidfd, self._gone)
        self._loop.add_reader(self._process.stdout.fileno(), self._read)

    def _listen(self, port: int) -> socket.socket:
        """Bound out here and handed in: the edge meets nothing that a workspace could have put there."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._folder / f"p{port}.sock"))
        listener.listen(_BACKLOG)
        return listener

    def _told(self, listeners: dict[int, socket.socket]) -> dict[str, Any]:
        """What the first process reads. Secrets are among it: it is in memory and on no command line."""
        memory = self.spec.limits.memory_bytes
        limits = {
            "RLIMIT_DATA": max(2 * memory, memory + (256 << 20)),
            "RLIMIT_FSIZE": _LONGEST_FILE,
            "RLIMIT_NOFILE": _MOST_FILES,
            "RLIMIT_CORE": 0,
        }
        if confinement.counts_processes():
            limits["RLIMIT_NPROC"] = self.spec.limits.pids
        ours = {
            "GATEHOUSE_ROOT": "/workspace",
            "GATEHOUSE_SOCKETS": str(confinement.SOCKETS),
            "GATEHOUSE_LISTEN_FDS": " ".join(f"{port}:{one.fileno()}" for port, one in listeners.items()),
            "GATEHOUSE_EGRESS": str(confinement.SOCKETS / "egress.sock"),
            "GATEHOUSE_GATEWAY": str(confinement.SOCKETS / "gateway.sock"),
            "GATEHOUSE_INTROSPECT_URL": confinement.INTROSPECT_URL,
        }
        return {
            "command": list(self.spec.command) or [*confinement.python(), "-I", "-c", _LAUNCH],
            "environment": confinement.environment() | dict(self.spec.environment) | ours,
            "folder": "/workspace",
            "limits": limits,
            "listeners": [one.fileno() for one in listeners.values()],
        }

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        if stdout.closed:
            return
        try:
            data = os.read(stdout.fileno(), _READ)
        except BlockingIOError:
            return
        self._loop.remove_reader(stdout.fileno())
        if data:
            self._written(data)
            self._loop.call_later(len(data) / _FASTEST, self._read_on)

    def _read_on(self) -> None:
        stdout = self._process.stdout
        if stdout is not None and not stdout.closed:
            self._loop.add_reader(stdout.fileno(), self._read)

    def _gone(self) -> None:
        """Bubblewrap has ended, and with it all that was inside."""
        code = self._process.wait()
        begun = self._control.begun.done()
        self._drain()
        self._control.close()
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._release()
        self._over.set()
        excuse, at = self._excuse
        if code == _KILLED and self._loop.time() - at < _EXCUSE_SECONDS:
            self._why = self._why or excuse
        if begun:
            self._ended(code if code >= 0 else 128 - code, self._why)

    def _drain(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        with contextlib.suppress(BlockingIOError):
            for _ in range(16):
                if data := os.read(stdout.fileno(), _READ):
                    self._written(data)
        self._loop.remove_reader(stdout.fileno())
        stdout.close()

    def _release(self) -> None:
        for server in self._servers:
            server.close()
        for relay in self._relays:
            relay.cancel()
        self._unlink()

    def _unlink(self) -> None:
        """Remove its sockets: nobody answers there any more."""
        for path in self._folder.glob("*.sock"):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _held(data: bytes) -> Any:
    """A descriptor to read `data` from, which is in memory alone."""
    descriptor = os.memfd_create("gatehouse")
    try:
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
