"""What a body's way here needs stays here: `aws-chunked` is nothing that an object is coded with."""

from __future__ import annotations

import base64
import gzip
import zlib

import pytest

from storage.s3 import sigv4
from tests.stack import Account

from . import chunks, signer

BODY = gzip.compress(b"hello " * 3000)
PLAIN, TRAILER = "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
CODINGS = [("aws-chunked", None), ("aws-chunked,gzip", "gzip"), ("gzip, AWS-Chunked", "gzip")]


def put(account: Account, payload: str, target: str, coding: str) -> int:
    headers = {"Content-Encoding": coding}
    if payload == PLAIN:
        headers = signer.signed(account, "PUT", target, headers=headers, payload=payload)
        return signer.send(account, "PUT", target, headers, BODY).status
    headers["x-amz-decoded-content-length"] = str(len(BODY))
    if payload == TRAILER:
        crc = base64.b64encode(zlib.crc32(BODY).to_bytes(4, "big")).decode()
        headers["x-amz-trailer"] = "x-amz-checksum-crc32"
        body = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % (len(BODY), BODY, crc.encode())
        headers = signer.signed(account, "PUT", target, headers=headers, payload=payload)
        return signer.send(account, "PUT", target, headers, body).status
    headers = signer.signed(account, "PUT", target, headers=headers, payload=payload)
    scope = headers["Authorization"].partition("Credential=")[2].partition(",")[0].partition("/")[2]
    key = sigv4.signing_key(account.secret, *scope.split("/")[:3])
    seed = headers["Authorization"].rpartition("Signature=")[2]
    body = chunks.body(chunks.Chunked(key, headers["X-Amz-Date"], scope, seed), [BODY])
    return signer.send(account, "PUT", target, headers, body).status


@pytest.mark.parametrize("bucket", ["docs", "local"])
@pytest.mark.parametrize("payload", [PLAIN, TRAILER, SIGNED])
@pytest.mark.parametrize(("coding", "left"), CODINGS)
def test_it_is_neither_kept_nor_told(
    account: Account, backend: str, bucket: str, payload: str, coding: str, left: str | None
) -> None:
    key = f"{payload[-8:]}-{coding}".replace(",", "_").replace(" ", "_")
    assert put(account, payload, f"/s3/{bucket}/{key}", coding) == 200
    s3 = account.s3()
    for answer in (s3.head_object(Bucket=bucket, Key=key), s3.get_object(Bucket=bucket, Key=key)):
        assert answer.get("ContentEncoding") == left, answer["ResponseMetadata"]
    assert answer["Body"].read() == BODY
