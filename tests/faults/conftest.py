"""One platform for all faults, and a remote backend that none of them touches."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from gateway.supervisor import probes
from tests.instance import Instance, running, until
from tests.ports import free_port


@pytest.fixture(scope="package")
def instance() -> Iterator[Instance]:
    with running() as instance:
        yield instance


class Moto:
    """A provider that speaks S3, in a process of its own."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        program = Path(sys.executable).with_name("moto_server")
        self._process = subprocess.Popen(
            [program, "-H", "127.0.0.1", "-p", str(self._port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        until(lambda: probes.answers(self._port, "/moto-api/")[0] == 200, 60, "moto answers")

    @contextmanager
    def s3(self) -> Iterator[Any]:
        """A client of the provider itself."""
        credentials = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
        config = Config(s3={"addressing_style": "path"}, proxies={})
        client = boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", config=config, **credentials
        )
        yield client
        client.close()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture(scope="package")
def provider() -> Iterator[Moto]:
    moto = Moto()
    try:
        moto.wait()
        yield moto
    finally:
        moto.stop()
