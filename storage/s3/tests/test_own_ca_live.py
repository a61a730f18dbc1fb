"""A backend whose certificate is of a CA of its own: bytes pass through the process that knows the CA."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gateway.db.scope import platform_scope
from gateway.edge import ca
from storage.models import Backend
from storage.services import connections
from tests.ports import free_port
from tests.stack import Account, Process, Stack, listens

BODY = os.urandom(300_000)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ca.EdgeCertificate:
    """Of a CA that nobody knows."""
    return ca.ensure(tmp_path_factory.mktemp("ca"), ["localhost"])


@pytest.fixture(scope="module")
def endpoint(certificate: ca.EdgeCertificate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    keys = ("--ssl-cert", str(certificate.certificate), "--ssl-key", str(certificate.private_key))
    command = (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port), *keys)
    process = Process("moto-tls", tmp_path_factory.mktemp("moto-tls"), dict(os.environ), *command)
    process.start(lambda: listens(("127.0.0.1", port)))
    yield f"https://localhost:{port}"
    process.stop()


def examined(stack: Stack, name: str) -> str:
    with stack.database(), platform_scope("tests"):
        return str(connections.examine(Backend.objects.get(name=name)).check_error)


def test_the_diagnosis_asks_for_the_certificates(stack: Stack, endpoint: str) -> None:
    stack.remote_backend("untrusted", endpoint)
    assert "Give the certificates of its own CA" in examined(stack, "untrusted")


@pytest.fixture(scope="module")
def account(stack: Stack, endpoint: str, certificate: ca.EdgeCertificate) -> Account:
    stack.remote_backend("own-ca", endpoint, ca_bundle=certificate.ca.read_text())
    assert examined(stack, "own-ca") == ""
    made = stack.account()
    made.bucket("docs", backend="own-ca")
    return made


def test_objects_go_and_come(account: Account) -> None:
    s3: Any = account.s3()
    put = s3.put_object(Bucket="docs", Key="a b", Body=BODY, ContentType="a/b", Metadata={"m": "1"})
    got = s3.get_object(Bucket="docs", Key="a b")
    assert (got["Body"].read(), got["ContentType"], got["ETag"]) == (BODY, "a/b", put["ETag"])
    head = s3.head_object(Bucket="docs", Key="a b")
    assert (head["ContentLength"], head["Metadata"]) == (len(BODY), {"m": "1"})
    part = s3.get_object(Bucket="docs", Key="a b", Range="bytes=5-9")
    assert (part["Body"].read(), part["ContentRange"]) == (BODY[5:10], f"bytes 5-9/{len(BODY)}")
    for condition, status in (({"IfNoneMatch": put["ETag"]}, 304), ({"IfMatch": '"0"'}, 412)):
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket="docs", Key="a b", **condition)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    s3.delete_object(Bucket="docs", Key="a b")
    for call in (s3.get_object, s3.head_object):
        with pytest.raises(ClientError) as caught:
            call(Bucket="docs", Key="a b")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
