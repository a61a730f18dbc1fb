"""Providers against the contract, and what a person is told when a backend cannot be reached."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from storage import providers
from storage.providers.fake import FakeBackend, FakeProvider
from storage.providers.local import LocalProvider
from storage.providers.s3 import S3Provider
from storage.s3.tests.radosgw import RadosGateway, missing
from tests.instance import until
from tests.ports import free_port
from tests.stack import listens

from .provider_contract import Put, RemoteProviderContract, VersionedProviderContract

KEYS: dict[str, Any] = {"access_key": "test-key", "secret_key": "test-secret"}


def uploader(connection: providers.Connection) -> Put:
    s3 = boto3.client(
        "s3",
        endpoint_url=connection.endpoint,
        region_name="us-east-1",
        aws_access_key_id=connection.access_key,
        aws_secret_access_key=connection.secret_key,
        config=Config(request_checksum_calculation="when_required", s3={"addressing_style": "path"}),
    )
    return lambda bucket, key, body: s3.put_object(Bucket=bucket, Key=key, Body=body)


@pytest.fixture(scope="module")
def moto() -> Iterator[providers.Connection]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield providers.Connection(endpoint=f"http://{host}:{port}", region="us-east-1", **KEYS)
    server.stop()


@contextmanager
def rclone_server(folder: Path) -> Iterator[str]:
    program = shutil.which("rclone") or str(Path(sys.executable).with_name("rclone"))
    port = free_port()
    server = subprocess.Popen(
        [
            program, "serve", "s3", str(folder), "--addr", f"127.0.0.1:{port}", "--config", "/dev/null",
            "--auth-key", f"{KEYS['access_key']},{KEYS['secret_key']}", "--vfs-cache-mode", "off",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: listens(("127.0.0.1", port)), 60, "rclone listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[providers.Connection]:
    with rclone_server(tmp_path_factory.mktemp("rclone")) as endpoint:
        yield providers.Connection(endpoint=endpoint, region="us-east-1", **KEYS)


class TestFake(VersionedProviderContract):
    @pytest.fixture
    def backend(self) -> FakeBackend:
        return FakeBackend()

    @pytest.fixture
    def provider(self, backend: FakeBackend) -> FakeProvider:
        return FakeProvider(providers.Connection(), backend)

    @pytest.fixture
    def put(self, backend: FakeBackend) -> Put:
        return backend.put  # type: ignore[return-value]


class TestMoto(VersionedProviderContract):
    @pytest.fixture
    def provider(self, moto: providers.Connection) -> S3Provider:
        return S3Provider(moto)

    @pytest.fixture
    def put(self, moto: providers.Connection) -> Put:
        return uploader(moto)

    def test_unfinished_uploads_go_with_the_bucket(
        self, provider: S3Provider, moto: providers.Connection
    ) -> None:
        provider.ensure_bucket("gh-uploads")
        provider._s3.create_multipart_upload(Bucket="gh-uploads", Key="k")
        provider.remove_bucket("gh-uploads")


class TestRclone(RemoteProviderContract):
    @pytest.fixture
    def provider(self, rclone: providers.Connection) -> S3Provider:
        return S3Provider(rclone)

    @pytest.fixture
    def put(self, rclone: providers.Connection) -> Put:
        return uploader(rclone)


@pytest.fixture(scope="module")
def radosgw() -> Iterator[providers.Connection]:
    if absent := missing():
        pytest.skip(f"not installed: {', '.join(absent)}")
    gateway = RadosGateway(KEYS["access_key"], KEYS["secret_key"])
    try:
        gateway.start()
        yield providers.Connection(endpoint=gateway.url, region="us-east-1", **KEYS)
    finally:
        gateway.stop()


@pytest.mark.long
class TestRadosGateway(VersionedProviderContract):
    @pytest.fixture
    def provider(self, radosgw: providers.Connection) -> S3Provider:
        return S3Provider(radosgw)

    @pytest.fixture
    def put(self, radosgw: providers.Connection) -> Put:
        return uploader(radosgw)

    def test_what_it_can(self, provider: S3Provider) -> None:
        found = provider.probe()
        can = {name for name, has in found.capabilities.items() if has}
        assert (found.vendor, can) == ("ceph", {"versioning", "object_lock", "customer_keys"})


def test_wrong_keys_are_told_as_such(rclone: providers.Connection) -> None:
    for wrong in (replace(rclone, secret_key="other"), replace(rclone, access_key="other")):
        with pytest.raises(providers.Refused, match="key") as refused:
            S3Provider(wrong).check()
        assert refused.value.permanent
        assert "other" not in str(refused.value)


def test_nothing_listens() -> None:
    nowhere = providers.Connection(endpoint=f"http://127.0.0.1:{free_port()}", **KEYS)
    with pytest.raises(providers.Unreachable, match="cannot be reached: nothing listens there"):
        S3Provider(nowhere).check()
    with pytest.raises(providers.Unreachable, match=r"there is no host no-such-host\.invalid"):
        S3Provider(replace(nowhere, endpoint="http://no-such-host.invalid")).check()


def test_no_answer_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        provider = S3Provider(providers.Connection(endpoint=endpoint, **KEYS))
        config: Any = provider._s3._endpoint.http_session
        monkeypatch.setattr(config, "_timeout", (0.2, 0.2))
        config._manager.connection_pool_kw["timeout"].__init__(connect=0.2, read=0.2)
        with pytest.raises(providers.Unreachable, match="does not answer within"):
            provider.check()


def test_it_speaks_no_tls_there(rclone: providers.Connection) -> None:
    with pytest.raises(providers.Refused, match="should the endpoint begin with http://"):
        S3Provider(replace(rclone, endpoint=rclone.endpoint.replace("http:", "https:"))).check()


def test_bucket_names_are_no_host_names_there(moto: providers.Connection) -> None:
    virtual = replace(moto, endpoint=moto.endpoint.replace("127.0.0.1", "localhost"), path_style=False)
    with pytest.raises(providers.ProviderError, match="so it needs path style"):
        S3Provider(virtual).probe()


def test_a_private_address_is_dialled_for_staff_alone(moto: providers.Connection) -> None:
    for name in ("127.0.0.1", "localhost"):
        there = replace(moto, endpoint=moto.endpoint.replace("127.0.0.1", name))
        S3Provider(there).check()
        with pytest.raises(providers.Refused, match="only platform staff name such a backend"):
            S3Provider(replace(there, may_be_private=False)).check()


def test_what_a_server_can_is_found_out(moto: providers.Connection, rclone: providers.Connection) -> None:
    much = S3Provider(moto).probe()
    assert much.capabilities["versioning"] and much.capabilities["object_lock"]
    assert much.capabilities["conditional_writes"] and not much.capabilities["customer_keys"]
    little = S3Provider(rclone).probe()
    assert not any(little.capabilities[name] for name in ("versioning", "checksums"))
    left = [
        bucket["Name"]
        for connection in (moto, rclone)
        for bucket in S3Provider(connection)._s3.list_buckets()["Buckets"]
        if bucket["Name"].startswith("gh-probe-")
    ]
    assert not left


class TestLocal:
    def test_a_store_in_order(self, settings: Any, tmp_path: Path) -> None:
        settings.STORAGE_ROOT = tmp_path
        local = LocalProvider(providers.Connection())
        with pytest.raises(providers.Unreachable, match="is not there"):
            local.check()
        (tmp_path / "tmp").mkdir()
        local.check()
        settings.STORAGE_FOLDERS = {"disk2": tmp_path / "gone"}
        with pytest.raises(providers.Unreachable, match=r"disk2: .*mounted"):
            local.check()
        local.ensure_bucket("any")
        local.remove_bucket("any")
