"""What requests ask of encryption, the keys it takes, and every wrong combination."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from storage.errors import BlobCorrupt
from storage.index import BucketInfo, ObjectRow, PartRow, UploadRow
from storage.s3 import encryption
from storage.s3.errors import S3Error
from storage.s3.request import Request
from storage.store import BlobInfo, BlobStore, multipart_etag

NOW = datetime.now(UTC).replace(microsecond=0)
KEY, OTHER = b"k" * 32, b"o" * 32
SSE = "x-amz-server-side-encryption"


def asks(scheme: str = "https", client: str = "198.51.100.7", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return cast(
        Request, SimpleNamespace(headers=named, head=SimpleNamespace(scheme=scheme, client_ip=client))
    )


def customers(key: bytes = KEY, prefix: str = SSE) -> dict[str, str]:
    return {
        f"{prefix}-customer-algorithm": "AES256",
        f"{prefix}-customer-key": b64encode(key).decode(),
        f"{prefix}-customer-key-md5": b64encode(hashlib.md5(key).digest()).decode(),
    }


def bucket(encryption: str = "", tenant: int = 1) -> BucketInfo:
    return BucketInfo(1, tenant, "docs", 1, "local", "docs", NOW, encryption=encryption)


def row_of(sse: Any, info: BlobInfo) -> ObjectRow:
    return ObjectRow(1, "k", info.size, "e", "t", NOW, blob=info.id, inline=info.inline, sse=sse)


async def stored(store: BlobStore, writing: encryption.Writing, body: bytes = b"secret body") -> BlobInfo:
    async with store.writer(sealing=writing.key, inline_limit=1 << 20) as writer:
        await writer.write(body)
        return await writer.finish()


@pytest.fixture(autouse=True)
def strict(settings: Any) -> None:
    settings.S3_CUSTOMER_KEYS_OVER_HTTP = False


async def test_nothing_is_sealed_unless_somebody_asks(store: BlobStore) -> None:
    writing = encryption.writing(asks(), bucket())
    info = await stored(store, writing)
    assert (writing.key, writing.headers, writing.row(info), writing.etag(info)) == (None, [], None, info.md5)
    reading = encryption.reading(asks(), bucket(), row_of(None, info))
    assert info.inline
    assert reading.inline(info.inline, 2, 3) == b"cre"
    assert reading.headers == []


@pytest.mark.parametrize("by", ["header", "bucket"])
async def test_with_our_keys(store: BlobStore, by: str) -> None:
    request = asks(**{SSE: "AES256"}) if by == "header" else asks()
    writing = encryption.writing(request, bucket("AES256" if by == "bucket" else ""))
    info = await stored(store, writing)
    row = row_of(writing.row(info), info)
    assert writing.headers == [(SSE, "AES256")]
    assert writing.etag(info) == info.md5 == hashlib.md5(b"secret body").hexdigest()
    assert info.inline
    reading = encryption.reading(asks(), bucket(), row)
    assert reading.inline(info.inline) == b"secret body"
    assert reading.headers == [(SSE, "AES256")] == encryption.headers(row.sse)
    with pytest.raises(S3Error, match="not applicable"):
        encryption.reading(asks(**customers()), bucket(), row)
    with pytest.raises(S3Error, match="cannot be opened"):
        encryption.reading(asks(), bucket(tenant=2), row)


async def test_with_the_customers_key(store: BlobStore) -> None:
    writing = encryption.writing(asks(**customers()), bucket("AES256"))
    info = await stored(store, writing)
    row = row_of(writing.row(info), info)
    told = dict(writing.headers)
    assert told == {
        f"{SSE}-customer-algorithm": "AES256",
        f"{SSE}-customer-key-MD5": customers()[f"{SSE}-customer-key-md5"],
    }
    assert b64encode(KEY).decode() not in str(row.sse)
    assert writing.etag(info) != info.md5
    assert len(writing.etag(info)) == 32
    assert info.inline
    reading = encryption.reading(asks(**customers()), bucket(), row)
    assert reading.inline(info.inline) == b"secret body"
    assert dict(reading.headers) == told
    assert encryption.headers(row.sse) == []
    for wrong in ({}, customers(OTHER)):
        with pytest.raises(S3Error) as caught:
            encryption.reading(asks(**wrong), bucket(), row)
        assert (caught.value.status, caught.value.code) == (400, "InvalidRequest")
    source = asks(**customers(prefix="x-amz-copy-source-server-side-encryption"))
    assert encryption.reading_source(source, bucket(), row).inline(info.inline) == b"secret body"
    with pytest.raises(BlobCorrupt):
        reading.inline(info.inline[:-1] + b"?")


WITHOUT = {
    name: {k: v for k, v in customers().items() if not k.endswith(name)}
    for name in ("algorithm", "-key", "md5")
}


@pytest.mark.parametrize(
    ("headers", "code", "says"),
    [
        (WITHOUT["algorithm"], "InvalidArgument", "valid encryption algorithm"),
        (WITHOUT["-key"], "InvalidArgument", "appropriate secret key"),
        (WITHOUT["md5"], "InvalidArgument", "calculated MD5 of the secret key"),
        (customers() | {f"{SSE}-customer-algorithm": "AES192"}, "InvalidEncryptionAlgorithmError", "AES256"),
        (customers() | {f"{SSE}-customer-key": "c2hvcnQ="}, "InvalidArgument", "invalid for the specified"),
        (customers() | {f"{SSE}-customer-key": "?"}, "InvalidArgument", "invalid for the specified"),
        (customers() | {f"{SSE}-customer-key-md5": "AAAA"}, "InvalidArgument", "did not match the hash"),
        (customers() | {SSE: "AES256"}, "InvalidArgument", "incompatible"),
        (customers() | {SSE: "aws:kms"}, "InvalidArgument", "incompatible"),
        ({SSE: "aws:kms"}, "NotImplemented", "KMS"),
        ({SSE: "AES512"}, "InvalidArgument", "not supported"),
        ({f"{SSE}-aws-kms-key-id": "k"}, "InvalidArgument", "aws:kms"),
        ({SSE: "AES256", f"{SSE}-context": "e30="}, "InvalidArgument", "aws:kms"),
    ],
)
def test_wrong_headers(headers: dict[str, str], code: str, says: str) -> None:
    with pytest.raises(S3Error, match=says) as caught:
        encryption.writing(asks(**headers), bucket())
    assert caught.value.code == code


def test_a_read_may_not_choose() -> None:
    with pytest.raises(S3Error, match="not supported for this operation"):
        encryption.reading(asks(**{SSE: "AES256"}), bucket(), row_of(None, BlobInfo(0, "", NOW)))


def test_a_customers_key_comes_over_tls_or_from_here(settings: Any) -> None:
    for client in ("198.51.100.7", "::ffff:198.51.100.7", ""):
        with pytest.raises(S3Error, match="secure connection"):
            encryption.writing(asks("http", client, **customers()), bucket())
    for client in ("127.0.0.1", "::1"):
        assert encryption.writing(asks("http", client, **customers()), bucket()).key
    settings.S3_CUSTOMER_KEYS_OVER_HTTP = True
    assert encryption.writing(asks("http", **customers()), bucket()).key


@pytest.mark.parametrize("kind", ["ours", "customer's"])
async def test_an_upload(store: BlobStore, kind: str) -> None:
    request = asks(**({SSE: "AES256"} if kind == "ours" else customers()))
    begun = encryption.writing(request, bucket())
    upload = UploadRow("u", 1, "k", NOW, "a", "t", {}, {}, sse=begun.kept)
    again = asks() if kind == "ours" else request
    parts, infos = [], []
    for number, body in enumerate((b"one" * 5000, b"two"), 1):
        writing = encryption.writing_part(again, bucket(), upload)
        async with store.writer(sealing=writing.key) as writer:
            await writer.write(body)
            info = await writer.finish()
        infos.append(info)
        parts.append(PartRow(number, info.size, writing.etag(info), NOW, info.id, sse=writing.part(info)))
    whole = await store.join([part.blob or "" for part in parts])
    row = ObjectRow(
        1, "k", 15003, multipart_etag(part.etag for part in parts), "t", NOW, blob=whole.id,
        sse=encryption.completed(upload, parts),
    )  # fmt: skip
    reading = encryption.reading(again, bucket(), row)
    assert reading.opener
    pieces = store.read(row.blob or "", 14_998, 8, opener=reading.opener)
    assert b"".join([piece async for piece in pieces]) == b"netwo"
    assert (infos[0].md5 == parts[0].etag) is (kind == "ours")


def test_a_part_that_does_not_fit_its_upload() -> None:
    plain = UploadRow("u", 1, "k", NOW, "a", "t", {}, {})
    theirs = UploadRow(
        "u", 1, "k", NOW, "a", "t", {}, {}, sse=encryption.writing(asks(**customers()), bucket()).kept
    )
    for upload, headers, says in (
        (plain, customers(), "without server-side encryption"),
        (theirs, {}, "Subsequent part requests"),
        (theirs, customers(OTHER), "correct parameters"),
    ):
        with pytest.raises(S3Error, match=says) as caught:
            encryption.writing_part(asks(**headers), bucket(), upload)
        assert caught.value.status == 400
    assert encryption.writing_part(asks(), bucket(), plain).key is None
    assert encryption.completed(plain, []) is None


async def test_which_copies_take_the_stored_bytes(store: BlobStore) -> None:
    kinds = {"ours": asks(**{SSE: "AES256"}), "theirs": asks(**customers()), "plain": asks()}
    writing = {name: encryption.writing(request, bucket()) for name, request in kinds.items()}
    rows = {}
    for name, each in writing.items():
        info = await stored(store, each)
        rows[name] = row_of(each.row(info), info)
    taken = {
        (name, source)
        for name, each in writing.items()
        for source, row in rows.items()
        if each.takes_over(bucket(), bucket(), row)
    }
    assert taken == {("ours", "ours"), ("plain", "plain")}
    assert not writing["ours"].takes_over(bucket(tenant=2), bucket(), rows["ours"])
    assert writing["plain"].takes_over(bucket(tenant=2), bucket(), rows["plain"])
