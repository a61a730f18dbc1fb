"""Other servers of S3 beside ours: small objects, 64 at once, signed requests, each server by its own default.

rclone's writes files and does not sync them; MiniStack keeps objects in memory. Ours has committed to disk what it
acknowledges.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from bench import load
from bench.load import Load
from bench.peers import FILES, SMALL, Peers, process, wait_for
from bench.table import Row, in_turns
from gateway.supervisor.ports import pick
from tests.instance import Instance

KEYS = ("test", "test")  # MiniStack knows no other pair
BUCKET = "bench"
WRITTEN = 5000
BODY = b"0123456789abcdef" * (SMALL // 16)


def servers(instance: Instance, peers: Peers) -> Iterator[Row]:
    """4 KiB GET and PUT of ours against each server that is installed."""
    member = instance.member()
    member.bucket(BUCKET)
    ours = _Requests(member.s3(signature_version="s3v4"), member.url)
    for name, start in (("rclone serve s3", _rclone), ("MiniStack", _ministack)):
        with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder, start(Path(folder)) as port:
            if port is None:
                continue
            url = f"http://127.0.0.1:{port}"
            theirs = _Requests(_client(url), url)
            theirs.make_bucket()
            gets = (Load(instance.port, ours("get_object")), Load(port, theirs("get_object")))
            puts = (
                Load(instance.port, ours("put_object"), "PUT", BODY),
                Load(port, theirs("put_object"), "PUT", BODY),
            )
            yield Row(f"4 KiB PUT, own store, 64 at once; {name}", "/s", *_rates(*puts), aim=1)
            yield Row(f"4 KiB GET, own store, 64 at once; {name}", "/s", *_rates(*gets), aim=1)


class _Requests:
    """Presigned requests of a client; objects to be read are written first."""

    def __init__(self, client: Any, url: str) -> None:
        self._client, self._url = client, url

    def make_bucket(self) -> None:
        self._client.create_bucket(Bucket=BUCKET)

    def __call__(self, verb: str) -> list[str]:
        keys = (
            [f"read/{n}" for n in range(FILES)]
            if verb == "get_object"
            else [f"write/{n}" for n in range(WRITTEN)]
        )
        if verb == "get_object":
            for key in keys:
                self._client.put_object(Bucket=BUCKET, Key=key, Body=BODY)
        urls = (
            self._client.generate_presigned_url(verb, Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=3600)
            for key in keys
        )
        return [url.removeprefix(self._url) for url in urls]


def _client(url: str) -> Any:
    config = Config(s3={"addressing_style": "path"}, proxies={}, signature_version="s3v4",
                    request_checksum_calculation="when_required")  # fmt: skip
    return boto3.session.Session().client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=KEYS[0],
        aws_secret_access_key=KEYS[1],
        config=config,
    )


@contextmanager
def _rclone(folder: Path) -> Iterator[int | None]:
    program = shutil.which("rclone") or str(Path(sys.executable).with_name("rclone"))
    port = pick(None)
    (folder / "files").mkdir()
    options = ["--auth-key", ",".join(KEYS), "--addr", f"127.0.0.1:{port}", "--config", os.devnull]
    with process([program, "serve", "s3", str(folder / "files"), *options], folder):
        wait_for(port)
        yield port


@contextmanager
def _ministack(folder: Path) -> Iterator[int | None]:
    """None where it is not installed."""
    program = os.environ.get("MINISTACK") or shutil.which("ministack")
    if program is None:
        print("MiniStack is not installed (pip install ministack, or MINISTACK=<its program>): left out")
        yield None
        return
    port = pick(None)
    environment = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "LOG_LEVEL": "ERROR",
        "SERVICES": "s3",
    }
    with process([program], folder, environment):
        wait_for(port, 30)
        yield port


def _rates(ours: Load, theirs: Load) -> tuple[float, float]:
    return in_turns(lambda: load.run(ours).rate, lambda: load.run(theirs).rate)
