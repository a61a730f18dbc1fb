"""The programs that the platform is measured against, and the upstream that both use."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor.child import die_with_parent
from gateway.supervisor.ports import pick

CADDY = Path(sys.executable).with_name("caddy")
SMALL, BIG = 4 << 10, 1 << 30
FILES = 1000


@dataclass(frozen=True)
class Peers:
    """Ports of what runs. `files` holds `big` and FILES small ones named `0`, `1`, …"""

    reads: int  # the upstream for GETs
    writes: int  # the upstream that takes PUTs
    proxy_reads: int  # plain Caddy in front of each
    proxy_writes: int
    file_server: int  # plain Caddy over `files`
    bare_store: int
    files: Path
    upstream: str


@contextmanager
def running(folder: Path) -> Iterator[Peers]:
    """All of them, until the block ends."""
    files, kept = folder / "files", folder / "kept"
    files.mkdir()
    kept.mkdir()
    _fill(files)
    ports = [pick(None) for _ in range(6)]
    reads, writes, proxy_reads, proxy_writes, file_server, bare_store = ports
    upstream = "nginx" if shutil.which("nginx") else "bench/upstream.py (no nginx here)"
    peers = Peers(reads, writes, proxy_reads, proxy_writes, file_server, bare_store, files, upstream)
    with ExitStack() as stack:
        started = [
            [sys.executable, "-m", "bench.upstream", str(peers.writes)],
            [sys.executable, "-m", "bench.barestore", str(peers.bare_store), str(kept)],
            _reads(peers, folder),
        ]
        for command in started:
            stack.enter_context(process(command, folder))
        configuration = folder / "caddy.json"
        configuration.write_text(json.dumps(_caddy(peers, folder)))
        stack.enter_context(process([str(CADDY), "run", "--config", str(configuration)], folder))
        for port in ports:
            wait_for(port)
        yield peers


def _fill(files: Path) -> None:
    for number in range(FILES):
        (files / str(number)).write_bytes(bytes(SMALL))
    with (files / "big").open("wb") as file:
        for _ in range(BIG >> 20):
            file.write(bytes(1 << 20))


def _reads(peers: Peers, folder: Path) -> list[str]:
    if not shutil.which("nginx"):
        return [sys.executable, "-m", "bench.upstream", str(peers.reads)]
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"""
        daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr; user root;
        events {{ worker_connections 1024; }}
        http {{
            access_log off; keepalive_requests 1000000000; sendfile on; default_type application/octet-stream;
            client_body_temp_path {folder}/nginx; proxy_temp_path {folder}/nginx;
            fastcgi_temp_path {folder}/nginx; uwsgi_temp_path {folder}/nginx; scgi_temp_path {folder}/nginx;
            server {{
                listen 127.0.0.1:{peers.reads};
                root {peers.files};
                if ($request_method = PUT) {{ return 200; }}
                location / {{ rewrite ^ /0 break; }}
                location ~ big$ {{ rewrite ^ /big break; }}
            }}
        }}
        """
    )
    return ["nginx", "-c", str(configuration), "-e", "stderr"]


def _caddy(peers: Peers, folder: Path) -> dict[str, object]:
    """Plain Caddy: nothing but the handler under test, and the edge's own transport settings."""

    def server(port: int, handler: dict[str, object]) -> dict[str, object]:
        return {
            "listen": [f"127.0.0.1:{port}"],
            "automatic_https": {"disable": True},
            "routes": [{"handle": [handler]}],
        }

    def proxy(port: int) -> dict[str, object]:
        transport = {"protocol": "http", "compression": False, "keep_alive": {"max_idle_conns_per_host": 512}}
        return {
            "handler": "reverse_proxy",
            "upstreams": [{"dial": f"127.0.0.1:{port}"}],
            "transport": transport,
        }

    return {
        "admin": {"disabled": True},
        "storage": {"module": "file_system", "root": str(folder / "caddy")},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {
            "http": {
                "servers": {
                    "reads": server(peers.proxy_reads, proxy(peers.reads)),
                    "writes": server(peers.proxy_writes, proxy(peers.writes)),
                    "files": server(peers.file_server, {"handler": "file_server", "root": str(peers.files)}),
                }
            }
        },
    }


@contextmanager
def process(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> Iterator[None]:
    """A program until the block ends; what it says goes into the folder's peers.log."""
    with (folder / "peers.log").open("ab") as log:
        started = subprocess.Popen(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
    try:
        yield
    finally:
        started.terminate()
        try:
            started.wait(5)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def wait_for(port: int, seconds: float = 10) -> None:
    """Return when something listens there. Raises OSError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
