"""A real Caddy with our configuration, and a real decision process behind it, as children of a test."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.edge import ca, caddy
from gateway.edge.settings import EdgeSettings
from tests.ports import free_port

CADDY = Path(sys.executable).parent / "caddy"
ROOT = Path(__file__).resolve().parents[3]


class Edge:
    """Caddy and the fake decision process in one folder."""

    def __init__(self, home: Path, **changes: Any) -> None:
        self.home = home
        (home / "run").mkdir(mode=0o700)
        (home / "blobs").mkdir()
        self.http_port, self.https_port = free_port(), free_port()
        made = ca.ensure(home, ["localhost", "127.0.0.1", "::1", "*.s3.localhost", "s3.localhost"])
        self.ca = made.ca
        settings = EdgeSettings(
            home=home,
            http_listen=(f"127.0.0.1:{self.http_port}",),
            https_listen=(f"127.0.0.1:{self.https_port}",),
            certificate=made.certificate,
            private_key=made.private_key,
            default_server_name="localhost",
            blob_root=home / "blobs",
            decision_dial=f"unix/{home}/run/decision.sock",
            s3_domain="s3.localhost",
            standard_timeout=2,
            process_timeout=5,
            long_timeout=10,
            stall_timeout=20,
            header_timeout=2,
        )
        self.settings = replace(settings, **changes)
        self._caddy: subprocess.Popen[bytes] | None = None
        self._decision: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def caddy_pid(self) -> int:
        assert self._caddy
        return self._caddy.pid

    @property
    def decision_pid(self) -> int:
        assert self._decision
        return self._decision.pid

    @property
    def log(self) -> str:
        return (self.home / "caddy.log").read_text()

    def start(self) -> None:
        self.start_decision()
        configuration = self.home / "run" / "caddy.json"
        configuration.write_text(json.dumps(caddy.build(self.settings)))
        log = (self.home / "caddy.log").open("wb")
        self._caddy = subprocess.Popen([CADDY, "run", "--config", configuration], stderr=log, stdout=log)
        log.close()
        _wait(lambda: _listens("127.0.0.1", self.http_port), self._caddy, "caddy")

    def start_decision(self, *, wait: bool = True, **environment: str) -> None:
        path = self.home / "run" / "decision.sock"
        path.unlink(missing_ok=True)
        options = ["--uds", str(path), "--loop", "uvloop", "--ws", "none"]
        options += ["--http", "gateway.decision.protocol:EdgeProtocol", "--no-proxy-headers"]
        options += ["--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "2"]
        options += ["--timeout-keep-alive", "120", "--log-level", "warning"]
        log = (self.home / "decision.log").open("ab")
        self._decision = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "gateway.tests.edge.fake_decision:app", *options],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stderr=log,
            stdout=log,
        )
        log.close()
        if wait:
            _wait(lambda: _listens_unix(path), self._decision, "the decision process")

    def stop_decision(self, sign: int = signal.SIGTERM) -> None:
        _stop(self._decision, sign)

    def stop(self) -> None:
        _stop(self._caddy, signal.SIGTERM)
        _stop(self._decision, signal.SIGTERM)


def rss(pid: int) -> int:
    """Resident memory in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _wait(ready: Any, process: subprocess.Popen[bytes], name: str) -> None:
    end = time.monotonic() + 60
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"{name} did not start ({process.poll()})")
        time.sleep(0.02)


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def _listens_unix(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _stop(process: subprocess.Popen[bytes] | None, sign: int) -> None:
    if process is None:
        return
    process.send_signal(sign)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)
