"""Objects through the real edge, decision process, store and database, with boto3's default settings."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
import requests
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests import aws
from tests.stack import Account, Stack

LARGE = os.urandom(3 << 20)


@pytest.fixture(scope="module")
def account(stack: Stack) -> Account:
    made = stack.account()
    made.bucket()
    return made


@pytest.fixture(scope="module", params=["http", "https"])
def s3(request: pytest.FixtureRequest, account: Account) -> Any:
    """Over http boto3 signs the body's hash; over https it sends chunks with a trailer."""
    return account.s3(https=request.param == "https")


@pytest.fixture
def presigner(s3: Any, account: Account) -> Any:
    """boto3 presigns with SigV2 unless it is told otherwise."""
    return account.s3(https=s3.meta.endpoint_url.startswith("https"), signature_version="s3v4")


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


KEYS = [
    *("a", "a/x", "a//x", "/a", "a/", "a b/ü+%.txt", "../x", "./.", "..", "a%2Fb"),
    *("(x)*'!~@:,;=&$", "日本語", "a\\b", "x?y#z"),
]


@pytest.mark.parametrize("key", KEYS)
def test_any_key_holds_its_own_bytes(s3: Any, key: str) -> None:
    s3.put_object(Bucket="docs", Key=key, Body=key.encode())
    assert s3.get_object(Bucket="docs", Key=key)["Body"].read() == key.encode()
    assert s3.head_object(Bucket="docs", Key=key)["ContentLength"] == len(key.encode())


def test_odd_keys_are_listed_in_byte_order(account: Account) -> None:
    s3 = account.s3()
    account.bucket("odd")
    for key in KEYS:
        s3.put_object(Bucket="odd", Key=key, Body=b"")
    listed = [row["Key"] for row in s3.list_objects_v2(Bucket="odd")["Contents"]]
    assert listed == sorted(KEYS, key=str.encode)


@pytest.mark.parametrize("body", [b"", b"x", b"y" * 8192, b"z" * 8193, LARGE], ids=len)
def test_a_body_comes_back(s3: Any, body: bytes) -> None:
    put = s3.put_object(Bucket="docs", Key="body", Body=body)
    got = s3.get_object(Bucket="docs", Key="body")
    assert got["Body"].read() == body
    assert got["ETag"] == put["ETag"]
    assert got["ContentLength"] == len(body)
    assert got["AcceptRanges"] == "bytes"
    assert put["ChecksumCRC32"] == got["ChecksumCRC32"]


@pytest.mark.parametrize("body", [b"0123456789", LARGE], ids=len)
def test_ranges(s3: Any, body: bytes) -> None:
    s3.put_object(Bucket="docs", Key="r", Body=body)
    for header, part in {
        "bytes=0-0": body[:1],
        "bytes=2-5": body[2:6],
        "bytes=5-": body[5:],
        "bytes=-3": body[-3:],
        f"bytes=0-{len(body) * 2}": body,
    }.items():
        got = s3.get_object(Bucket="docs", Key="r", Range=header)
        assert got["Body"].read() == part
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
        first = body.index(part) if len(part) > 3 else None
        assert got["ContentRange"].endswith(f"/{len(body)}")
        assert first is None or got["ContentRange"].startswith(f"bytes {first}-")
    head = s3.head_object(Bucket="docs", Key="r", Range="bytes=2-5")
    assert (head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]) == (4, 206)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="docs", Key="r", Range=f"bytes={len(body)}-")
    assert code_of(caught) == ("InvalidRange", 416)


@pytest.mark.parametrize("body", [b"small", LARGE], ids=len)
def test_conditions(s3: Any, body: bytes) -> None:
    etag = s3.put_object(Bucket="docs", Key="c", Body=body)["ETag"]
    modified = s3.head_object(Bucket="docs", Key="c")["LastModified"]
    assert (
        s3.get_object(Bucket="docs", Key="c", IfMatch=etag, IfUnmodifiedSince=modified)["Body"].read() == body
    )
    for condition, status in (
        ({"IfMatch": '"x"'}, 412),
        ({"IfNoneMatch": etag}, 304),
        ({"IfModifiedSince": modified}, 304),
        ({"IfUnmodifiedSince": "2001-01-01"}, 412),
    ):
        for call in (s3.get_object, s3.head_object):
            with pytest.raises(ClientError) as caught:
                call(Bucket="docs", Key="c", **condition)
            assert code_of(caught)[1] == status


@pytest.mark.parametrize("body", [b"small", LARGE], ids=len)
def test_headers_and_metadata_come_back(s3: Any, presigner: Any, body: bytes) -> None:
    fields = {
        "ContentType": "text/plain; charset=utf-8",
        "CacheControl": "max-age=60",
        "ContentDisposition": 'attachment; filename="a b.txt"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "Metadata": {"x": "y", "camelcase": "A B"},
    }
    s3.put_object(Bucket="docs", Key="h", Body=body, **fields)
    for call in (s3.get_object, s3.head_object):
        got = call(Bucket="docs", Key="h")
        if s3.meta.endpoint_url.startswith("https"):  # docs/adr: Caddy spells header names as Go does
            got["Metadata"] = {name.lower(): value for name, value in got["Metadata"].items()}
        assert {name: got[name] for name in fields} == fields
    url = presigner.generate_presigned_url(
        "get_object",
        {"Bucket": "docs", "Key": "h", "ResponseContentType": "a/b", "ResponseCacheControl": "no-store"},
    )
    got = fetch(url, s3, stream=True).headers
    assert (got["content-type"], got["cache-control"]) == ("a/b", "no-store")


def fetch(url: str, s3: Any, method: str = "GET", **options: Any) -> Any:
    """A request without any client library's help."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, verify=s3._endpoint.http_session._verify or False, **options)


def test_no_type_is_binary(s3: Any, presigner: Any) -> None:
    url = presigner.generate_presigned_url("put_object", {"Bucket": "docs", "Key": "t"})
    assert fetch(url, s3, "PUT", data=b"x").status_code == 200
    assert s3.head_object(Bucket="docs", Key="t")["ContentType"] == "binary/octet-stream"


def test_presigned_urls_do_one_thing(s3: Any, presigner: Any) -> None:
    url = presigner.generate_presigned_url("put_object", {"Bucket": "docs", "Key": "p q/ü"}, ExpiresIn=60)
    assert fetch(url, s3, "PUT", data=LARGE).status_code == 200
    got = presigner.generate_presigned_url("get_object", {"Bucket": "docs", "Key": "p q/ü"}, ExpiresIn=60)
    assert fetch(got, s3).content == LARGE
    assert fetch(got, s3, "PUT", data=b"x").status_code == 403
    assert fetch(got.replace("/p%20q/", "/other/"), s3).status_code == 403
    copied = fetch(url, s3, "PUT", data=b"", headers={"x-amz-copy-source": "/docs/h"})
    assert (copied.status_code, "HeadersNotSigned" in copied.text) == (403, True)


def test_a_checksum_in_a_presigned_url_says_nothing(account: Account) -> None:
    """As at AWS: its SDK for JavaScript puts there that of the empty body it has when it presigns."""
    request = AWSRequest(
        "PUT",
        f"{account.stack.url}/s3/docs/js?x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32",
    )
    S3SigV4QueryAuth(Credentials(account.key_id, account.secret), "s3", "us-east-1").add_auth(request)
    assert requests.put(request.url, data=b"hello", timeout=30).status_code == 200
    assert account.s3().get_object(Bucket="docs", Key="js")["Body"].read() == b"hello"


def test_writes_under_conditions(s3: Any) -> None:
    s3.delete_object(Bucket="docs", Key="once")
    etag = s3.put_object(Bucket="docs", Key="once", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="docs", Key="once", Body=b"2", IfNoneMatch="*")
    assert code_of(caught) == ("PreconditionFailed", 412)
    s3.put_object(Bucket="docs", Key="once", Body=b"3", IfMatch=etag)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="docs", Key="once", Body=b"4", IfMatch=etag)
    assert code_of(caught) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket="docs", Key="once")["Body"].read() == b"3"


def test_a_delete_is_seen_at_once(s3: Any) -> None:
    s3.put_object(Bucket="docs", Key="gone", Body=LARGE)
    assert s3.delete_object(Bucket="docs", Key="gone")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.delete_object(Bucket="docs", Key="gone")["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="docs", Key="gone")
    assert code_of(caught) == ("NoSuchKey", 404)
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket="docs", Key="gone")
    assert code_of(caught)[1] == 404
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "false"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums(s3: Any, algorithm: str) -> None:
    name = f"Checksum{algorithm}"
    put = s3.put_object(Bucket="docs", Key="sum", Body=LARGE, ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket="docs", Key="sum", ChecksumMode="ENABLED")
    assert got["Body"].read() == LARGE  # boto3 compares, and says so when it differs
    assert put[name] == got[name] == s3.head_object(Bucket="docs", Key="sum", ChecksumMode="ENABLED")[name]
    assert got["ChecksumType"] == "FULL_OBJECT"
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="docs", Key="sum", Body=b"other", **{name: put[name]})
    assert code_of(caught) == ("BadDigest", 400)
    assert s3.head_object(Bucket="docs", Key="sum")["ContentLength"] == len(LARGE)


def test_virtual_hosts_and_the_domain_itself(
    account: Account, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: resolve("127.0.0.1", *rest, **more)
    )

    for style in ("path", "virtual"):
        s3 = aws.client(
            "s3",
            endpoint_url=f"http://s3.localhost:{stack.port}",
            region_name="eu-anything-1",
            aws_access_key_id=account.key_id,
            aws_secret_access_key=account.secret,
            config=Config(s3={"addressing_style": style}, proxies={}, retries={"max_attempts": 1}),
        )
        s3.put_object(Bucket="docs", Key=f"v/{style}", Body=b"v")
        assert s3.get_object(Bucket="docs", Key=f"v/{style}")["Body"].read() == b"v"
        assert s3.list_objects_v2(Bucket="docs", Prefix="v/")["KeyCount"]
        assert "docs" in [row["Name"] for row in s3.list_buckets()["Buckets"]]
