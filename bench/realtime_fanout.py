"""Event streams against a bare broadcaster: how long after its publishing an event reaches 1,000 readers.

    python -m bench.realtime_fanout [READERS]

with PostgreSQL and Valkey in the environment. The peer is an asyncio program that writes the same bytes to the same
number of sockets: no log, no filters, no identity, no bounds. Both run alone, one after the other; the readers are
one process of their own, which takes processor time from either.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READERS, PACED, PACE_SECONDS, BURST = 1000, 60, 0.15, 200
PATH = "/api/v1/realtime/events"
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Result:
    """Milliseconds from before publishing to a reader's socket; deliveries a second while events queue up;
    microseconds of the server's processor time for a delivery, which a busy machine changes least."""

    p50: float
    p99: float
    burst: float
    cost: float


class Reader(asyncio.Protocol):
    """Opens a stream, then notes when each event came, and how old it was by the clock in it."""

    def __init__(self, head: bytes, ages: list[int], opened: Callable[[], None], expected: int) -> None:
        self._head, self._ages, self._opened, self._left = head, ages, opened, expected
        self._is_open = False
        self._rest = b""
        self.finished = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        now = time.time_ns()
        if not self._is_open:
            if b"retry:" not in data and b"\r\n\r\n" not in data:
                raise RuntimeError(data.decode("latin-1"))
            self._is_open = True
            self._opened()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                self._ages.append(now - int(line.partition(b'"sent":')[2].split(b"}", 1)[0]))
                self._left -= 1
        if self._left <= 0 and not self.finished.done():
            self.finished.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.finished.done():
            self.finished.set_exception(ConnectionError("a reader was cut off"))


async def _read(port: int, token: str, readers: int) -> None:
    """Print `open` when all streams are, and the result as JSON when all have seen every event."""
    loop, is_open = asyncio.get_running_loop(), asyncio.Semaphore(0)
    ages: list[int] = []
    head = f"GET {PATH}?types=system.* HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    made = []
    for _ in range(readers):
        _, reader = await loop.create_connection(
            lambda: Reader(head, ages, is_open.release, PACED + BURST), "127.0.0.1", port
        )
        made.append(reader)
        await is_open.acquire()
    print("open", flush=True)
    await asyncio.gather(*(reader.finished for reader in made))
    paced = sorted(ages[: PACED * readers])
    spread = max(ages[PACED * readers :]) / 1e9
    percentile = statistics.quantiles(paced, n=100)
    result = {"p50": percentile[49] / 1e6, "p99": percentile[98] / 1e6, "burst": BURST * readers / spread}
    print(json.dumps(result), flush=True)


def _measure(server: int, port: int, token: str, readers: int, publish: Callable[[int], None]) -> Result:
    """`publish(count)` sends events, each bearing the time of its own sending."""
    with subprocess.Popen(
        [sys.executable, "-m", "bench.realtime_fanout", "--read", str(port), token, str(readers)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as client:
        assert client.stdout is not None
        try:
            if client.stdout.readline() != "open\n":
                raise RuntimeError("the readers did not all open")
            time.sleep(1)
            before = _processor_seconds(server)
            for _ in range(PACED):
                publish(1)
                time.sleep(PACE_SECONDS)
            time.sleep(2)
            cost = (_processor_seconds(server) - before) * 1e6 / (PACED * readers)
            publish(BURST)
            return Result(**json.loads(client.stdout.readline()), cost=cost)
        finally:
            client.kill()


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _broadcast(port: int) -> None:
    """The peer: streams on `port`; what comes in on the next port goes to all of them."""
    streams: set[asyncio.WriteTransport] = set()

    class Stream(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.WriteTransport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            streams.add(self.transport)

        def connection_lost(self, exc: Exception | None) -> None:
            streams.discard(self.transport)

    async def relay(source: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while event := await source.readline():
            for stream in streams:
                stream.write(b"id: 1\n" + event + b"\n")

    loop = asyncio.get_running_loop()
    await loop.create_server(Stream, "127.0.0.1", port)
    control = await asyncio.start_server(relay, "127.0.0.1", port + 1)
    await control.serve_forever()


def _peer(readers: int) -> Result:
    port = _free_port()
    with (
        _process("-m", "bench.realtime_fanout", "--broadcast", str(port)) as server,
        _connect(port + 1) as control,
    ):
        padding = secrets.token_hex(60)

        def publish(count: int) -> None:
            for _ in range(count):
                event = f'data: {{"specversion":"1.0","padding":"{padding}","data":{{"sent":{time.time_ns()}}}}}\n'
                control.sendall(event.encode())

        return _measure(server, port, "-", readers, publish)


def _ours(readers: int) -> Result:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
    os.environ["REALTIME_RATE_LIMIT"] = "0"
    django.setup()
    from django.core.management import call_command

    from gateway.db.scope import tenant_scope
    from realtime.services import publish as publish_event
    from tenants.principal import system
    from tenants.services import token_families
    from tenants.services.tenants import create_tenant
    from tenants.services.users import create_user

    call_command("prepare_database", verbosity=0)
    call_command("migrate", verbosity=0)
    name = f"bench-{secrets.token_hex(4)}"
    tenant = create_tenant(name, name, actor=None)
    membership = create_user(
        tenant, name, password=secrets.token_urlsafe(), role="owner", actor=system(tenant)
    )
    token = str(token_families.begin(membership.user, ip=None, user_agent="bench")["access"])

    def publish(count: int) -> None:
        with tenant_scope(tenant.pk):
            for _ in range(count):
                publish_event(tenant.pk, "system.bench.measured", subject=name, data={"sent": time.time_ns()})

    port = _free_port()
    serve = ["-m", "uvicorn", "gateway.asgi:application", "--port", str(port), "--loop", "uvloop"]
    with _process(*serve, "--log-level", "warning", "--no-access-log") as server:
        _connect(port).close()
        return _measure(server, port, token, readers, publish)


@contextmanager
def _process(*arguments: str) -> Iterator[int]:
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _connect(port: int) -> socket.socket:
    for _ in range(300):
        try:
            return socket.create_connection(("127.0.0.1", port), 1)
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"nothing listens on {port}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def measure(readers: int = READERS) -> tuple[Result, Result]:
    """Ours, then the peer."""
    _raise_file_limit()
    return _ours(readers), _peer(readers)


def main(readers: int = READERS) -> None:
    """Measure both and print what they took and the ratios."""
    ours, peer = measure(readers)
    print(f"event streams, {readers} readers, against a bare asyncio broadcaster")
    for what, unit, a, b in (
        ("fan-out p50", "ms", ours.p50, peer.p50),
        ("fan-out p99", "ms", ours.p99, peer.p99),
        ("deliveries in a burst", "/s", ours.burst, peer.burst),
        ("processor per delivery", "µs", ours.cost, peer.cost),
    ):
        print(f"  {what:24}{a:>12,.1f} {unit:3}peer {b:>12,.1f} {unit:3}ratio {a / b:.2f}")


def _raise_file_limit() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--read", port, token, readers]:
            asyncio.run(_read(int(port), token, int(readers)))
        case ["--broadcast", port]:
            asyncio.run(_broadcast(int(port)))
        case [readers]:
            main(int(readers))
        case _:
            main()
