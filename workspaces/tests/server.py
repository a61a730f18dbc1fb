"""A real server of a workspace, on sockets where the edge finds a sandbox's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.supervisor import probes
from tests.ports import free_port
from workspaces.addresses import MCP_PORT

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def server(module: str = "gatehouse_workspace", **environment: str) -> Iterator[str]:
    """Its address. `module` is run by Python with the workspace's own environment, and listens on a Unix socket."""
    with TemporaryDirectory(prefix="gw") as home:
        Path(home).chmod(0o755)  # for an edge that runs as another user
        sockets, root = Path(home) / "s", Path(home) / "w"
        sockets.mkdir()
        root.mkdir()
        port = free_port()  # it listens on TCP too, and many run here
        given = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "PYTHONPATH": str(ROOT / "workspace_image"),
            "GATEHOUSE_ROOT": str(root),
            "GATEHOUSE_SOCKETS": str(sockets),
            "GATEHOUSE_PORT": str(port),
            **environment,
        }
        (sockets / f"p{MCP_PORT}.sock").symlink_to(f"p{port}.sock")
        log = Path(home) / "log"
        with log.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", module], env=given, stdout=output, stderr=output, cwd=ROOT
            )
        try:
            until = time.monotonic() + 30
            while not probes.listens(sockets / f"p{MCP_PORT}.sock"):
                if child.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{module} did not start: {log.read_text()[-2000:]}")
                time.sleep(0.05)
            yield str(sockets)
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)
