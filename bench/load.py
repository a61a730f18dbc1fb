"""Many small requests at once: how many a second, and how long one takes.

By wrk where it is installed, since what a generator costs is taken from what it measures: on two cores our own
below, which needs nothing, makes every ratio look a little better than it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from typing import cast

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Load:
    """`targets` (path and query) are asked in turn, over and over, by `connections` for `seconds`."""

    port: int
    targets: Sequence[str]
    method: str = "GET"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 64
    seconds: float = 5.0

    def requests(self) -> list[str]:
        """Each request as text on the wire."""
        lines = [
            f"Host: 127.0.0.1:{self.port}",
            *(f"{name}: {value}" for name, value in self.headers.items()),
        ]
        if self.body or self.method == "PUT":
            lines.append(f"Content-Length: {len(self.body)}")
        tail = "\r\n".join(["", *lines, "", ""]) + self.body.decode("latin-1")
        return [f"{self.method} {target} HTTP/1.1{tail}" for target in self.targets]


@dataclass(frozen=True)
class Outcome:
    """`rate` counts what was answered with 2xx; the times are milliseconds."""

    rate: float
    p50: float
    p99: float
    failed: int


def generator() -> str:
    return (
        "wrk" if shutil.which("wrk") else "bench/load.py (wrk is not installed: ratios flatter us a little)"
    )


def run(load: Load) -> Outcome:
    """Carry it out in a process of its own. Raises RuntimeError when more than one in a hundred failed."""
    with tempfile.TemporaryDirectory() as folder:
        requests = Path(folder, "requests")
        requests.write_text("\0".join(load.requests()), encoding="latin-1")
        command = _wrk(load) if shutil.which("wrk") else [sys.executable, "-m", "bench.load", _told(load)]
        done = subprocess.run(
            command,
            env={**os.environ, "REQUESTS": str(requests)},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"the load generator failed: {done.stdout}{done.stderr}")
    outcome = Outcome(**json.loads(done.stderr.strip().splitlines()[-1]))
    if outcome.failed > 0.01 * outcome.rate * load.seconds:
        raise RuntimeError(f"{load.method} {load.targets[0]}: {outcome}")
    return outcome


def _wrk(load: Load) -> list[str]:
    shape = ["-t1", f"-c{load.connections}", f"-d{load.seconds:.0f}s", "--timeout", "20s"]
    return ["wrk", *shape, "--script", str(SCRIPT), f"http://127.0.0.1:{load.port}"]


def _told(load: Load) -> str:
    return json.dumps({"port": load.port, "connections": load.connections, "seconds": load.seconds})


class _Caller(asyncio.Protocol):
    """One connection that asks, reads the answer to its Content-Length, and asks again."""

    def __init__(self, requests: Iterator[bytes], tally: _Tally) -> None:
        self._requests, self._tally = requests, tally
        self._received = bytearray()
        self._missing = -1  # bytes of the answer's body still to come; below 0 its head is
        self._succeeded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._ask()

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._received += data
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._received[:end]).lower()
            self._succeeded = head[9:10] == b"2"
            _, found, length = head.partition(b"\r\ncontent-length:")
            self._missing = int(length.split(b"\r\n", 1)[0]) if found else 0
            data = bytes(self._received[end + 4 :])
            self._received.clear()
        self._missing -= len(data)
        if self._missing == 0:
            self._missing = -1
            self._tally.count(self._succeeded, time.perf_counter() - self._began)
            self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        self._tally.failed += not self._tally.over


class _Tally:
    def __init__(self) -> None:
        self.times: list[float] = []
        self.failed = 0
        self.over = False

    def count(self, succeeded: bool, seconds: float) -> None:
        if not self.over:
            if succeeded:
                self.times.append(seconds)
            else:
                self.failed += 1


async def _drive(port: int, connections: int, seconds: float) -> Outcome:
    told = Path(os.environ["REQUESTS"]).read_text(encoding="latin-1")
    requests = cycle([request.encode("latin-1") for request in told.split("\0")])
    tally, loop = _Tally(), asyncio.get_running_loop()
    callers = [
        await loop.create_connection(lambda: _Caller(requests, tally), "127.0.0.1", port)
        for _ in range(connections)
    ]
    tally.times.clear()
    await asyncio.sleep(seconds)
    tally.over = True
    for transport, _ in callers:
        transport.abort()
    times = sorted(tally.times) or [0.0]
    p50, p99 = (1000 * times[int(len(times) * share)] for share in (0.5, 0.99))
    return Outcome(len(tally.times) / seconds, p50, p99, tally.failed)


if __name__ == "__main__":
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    print(json.dumps(asdict(asyncio.run(_drive(**json.loads(sys.argv[1]))))), file=sys.stderr)
