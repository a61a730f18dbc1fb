"""Other people's S3 servers, run by the tests as remote backends."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.db.scope import platform_scope
from storage.models import Backend
from storage.services import connections
from tests.ports import free_port
from tests.stack import BIN, Process, Stack, listens

from .radosgw import RadosGateway, missing


def _served(name: str, home: Path, port: int, *command: str | Path) -> Process:
    process = Process(name, home, dict(os.environ), *command)
    process.start(lambda: listens(("127.0.0.1", port)))
    return process


def _tried(stack: Stack, name: str, endpoint: str, **options: Any) -> str:
    """The name of a shared backend whose connection test is done: what it can is known."""
    stack.remote_backend(name, endpoint, **options)
    with stack.database(), platform_scope("tests"):
        backend = connections.examine(Backend.objects.get(name=name))
        assert not backend.check_error, backend.check_error
    return name


@pytest.fixture(scope="session")
def moto(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a backend that is moto's server: it knows checksums and trailers, and takes any secret."""
    port = free_port()
    command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    process = _served("moto", tmp_path_factory.mktemp("moto"), port, *command)
    try:
        yield _tried(stack, "moto", f"http://127.0.0.1:{port}", checksum_mode="when_supported")
    finally:
        process.stop()


@pytest.fixture(scope="session")
def rclone(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a backend that is rclone's server: it verifies signatures, and takes no chunked bodies."""
    port = free_port()
    home = tmp_path_factory.mktemp("rclone")
    (home / "files").mkdir()
    options = (
        "--auth-key",
        "remote-key,remote-secret",
        "--addr",
        f"127.0.0.1:{port}",
        "--config",
        os.devnull,
    )
    process = _served("rclone", home, port, BIN / "rclone", "serve", "s3", home / "files", *options)
    try:
        yield _tried(stack, "rclone", f"http://127.0.0.1:{port}", checksum_mode="when_required")
    finally:
        process.stop()


@pytest.fixture(scope="session")
def radosgw(stack: Stack) -> Iterator[str]:
    """The name of a backend that is Ceph's RADOS Gateway: versions, object lock and customers' keys, no checksums."""
    if absent := missing():
        pytest.skip(f"not installed: {', '.join(absent)}")
    gateway = RadosGateway("remote-key", "remote-secret")
    try:
        gateway.start()
        yield _tried(stack, "radosgw", gateway.url)
    finally:
        gateway.stop()
