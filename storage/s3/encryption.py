"""Encryption at rest of objects in our own store: what requests ask for, and the keys that it takes.

SSE-S3 (`AES256`): the object's data key is sealed by `gateway.crypto`. SSE-C: it is sealed by the customer's key
(`customer_keys`). A row's (or an upload's) `sse` is

    {"mode": "AES256" | "customer", "key": Base64 of the sealed data key, **Layout.as_json()}

and the `sse` of a part is the layout alone. Handlers ask `writing*` before they open a writer and `reading*` before
they send a byte.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from gateway import crypto
from storage.index import BucketInfo, ObjectRow, PartRow, UploadRow
from storage.s3 import customer_keys
from storage.s3.errors import S3Error
from storage.store.digests import BlobInfo
from storage.store.sealed import Layout, Opener, new_key

if TYPE_CHECKING:
    from storage.s3.request import Request

SSE: Final = "x-amz-server-side-encryption"
AES256: Final = "AES256"


@dataclass(frozen=True, slots=True)
class Writing:
    """How a body is to be stored: `key` goes into `BlobStore.writer(sealing=…)`, `headers` on the answer.

    Nothing is encrypted where `key` is None; all the rest works then too, so that handlers need not ask.
    """

    key: bytes | None = field(default=None, repr=False)
    kept: Mapping[str, Any] | None = None  # mode and sealed key: the `sse` of an upload
    headers: list[tuple[str, str]] = field(default_factory=list)

    def row(self, info: BlobInfo) -> dict[str, Any] | None:
        """`PutCommit.sse` for what the writer made."""
        if self.kept is None:
            return None
        assert info.layout is not None
        return {**self.kept, **info.layout.as_json()}

    def part(self, info: BlobInfo) -> dict[str, Any] | None:
        """`PartRow.sse` for what the writer made."""
        return info.layout.as_json() if info.layout else None

    def etag(self, info: BlobInfo) -> str:
        """The body's ETag: its MD5, but with a customer's key nothing that tells of the plain bytes."""
        if self.key is None or self.kept is None or self.kept["mode"] == AES256:
            return info.md5
        return hmac.digest(self.key, b"etag" + bytes.fromhex(info.md5), "sha256").hex()[:32]

    def takes_over(self, bucket: BucketInfo, source: BucketInfo, row: ObjectRow) -> bool:
        """Whether a copy of `row` may take its stored bytes as they are, and `row.sse` with them."""
        if row.sse is None or self.kept is None:
            return row.sse is None and self.kept is None
        return bucket.tenant_id == source.tenant_id and row.sse["mode"] == self.kept["mode"] == AES256


@dataclass(frozen=True, slots=True)
class Reading:
    """How a body is read: `opener` goes into `BlobStore.read(opener=…)`, `headers` on the answer."""

    opener: Opener | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)

    def inline(self, body: bytes, start: int = 0, length: int | None = None) -> bytes:
        """The range of a body that is in the row. Raises BlobCorrupt."""
        if self.opener is not None:
            return self.opener.open_bytes(body, start, length)
        return body[start:] if length is None else body[start : start + length]


def writing(request: Request, bucket: BucketInfo) -> Writing:
    """What PutObject, CopyObject, POST Object and CreateMultipartUpload ask for, else what the bucket does by itself.

    An upload keeps `kept` as its `sse`. Raises S3Error for every wrong combination of headers.
    """
    customer = customer_keys.given(request)
    if customer is not None:
        refuse_both(request.headers)
        key = new_key()
        kept = {"mode": "customer", "key": customer_keys.wrap(customer, key, _place(bucket))}
        return Writing(key, kept, customer_keys.headers(customer))
    asked = managed(request.headers)
    if asked or bucket.encryption:
        key = new_key()
        sealed = crypto.seal(key, _place(bucket))
        return Writing(key, {"mode": AES256, "key": b64encode(sealed).decode()}, [(SSE, AES256)])
    return Writing()


def managed(given: Mapping[str, str]) -> str:
    """The encryption with our keys that a write asks for: `AES256` or nothing."""
    asked = given.get(SSE, "")
    of_kms = [name for name in (SSE + "-aws-kms-key-id", SSE + "-context") if given.get(name)]
    if asked in ("aws:kms", "aws:kms:dsse"):
        raise S3Error("NotImplemented", "Encryption with keys of a KMS is not implemented.")
    if asked not in ("", AES256):
        raise S3Error(
            "InvalidArgument",
            "The encryption method specified is not supported",
            extra={"ArgumentName": SSE, "ArgumentValue": asked},
        )
    if of_kms:
        raise S3Error(
            "InvalidArgument",
            f"Server Side Encryption with AWS KMS managed key requires HTTP header {SSE} : aws:kms",
            extra={"ArgumentName": of_kms[0]},
        )
    return asked


def refuse_both(given: Mapping[str, str]) -> None:
    """Raise InvalidArgument where the headers of a request with a customer's key name another encryption too."""
    if asked := given.get(SSE):
        raise S3Error(
            "InvalidArgument",
            "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
            extra={"ArgumentName": SSE, "ArgumentValue": asked},
        )


def writing_part(request: Request, bucket: BucketInfo, upload: UploadRow) -> Writing:
    """What UploadPart and UploadPartCopy do: as the upload says. A customer's key must come again, and be the same."""
    customer = customer_keys.given(request)
    if upload.sse is None:
        if customer is not None:
            raise S3Error(
                "InvalidRequest", "The multipart upload was initiated without server-side encryption."
            )
        return Writing()
    if upload.sse["mode"] == AES256:
        _refuse_needless(customer)
        return Writing(_unseal(upload.sse, bucket), upload.sse, headers(upload.sse))
    if customer is None:
        raise S3Error(
            "InvalidRequest",
            "The multipart upload initiate requested encryption. Subsequent part requests must include the "
            "appropriate encryption parameters.",
        )
    key = customer_keys.unwrap(customer, upload.sse["key"], _place(bucket))
    return Writing(key, upload.sse, customer_keys.headers(customer))


def completed(upload: UploadRow, parts: Sequence[PartRow]) -> dict[str, Any] | None:
    """`PutCommit.sse` of an upload whose parts' blobs are joined in this order."""
    if upload.sse is None:
        return None
    layouts = [Layout.from_json(part.sse) for part in parts if part.sse is not None]
    assert len(layouts) == len(parts), "parts of a sealed upload are sealed"
    return {**upload.sse, **Layout.joined(layouts).as_json()}


def reading(request: Request, bucket: BucketInfo, row: ObjectRow) -> Reading:
    """What it takes to read an object (GetObject, HeadObject, GetObjectAttributes). Raises S3Error."""
    refuse_choice(request.headers)
    return _reading(customer_keys.given(request), bucket, row)


def refuse_choice(given: Mapping[str, str]) -> None:
    """Raise InvalidArgument for a read that names an encryption with our keys: it is as the object was stored."""
    if SSE in given:
        raise S3Error("InvalidArgument", f"{SSE} header is not supported for this operation.")


def reading_source(request: Request, bucket: BucketInfo, row: ObjectRow) -> Reading:
    """As `reading`, of a copy's source by its `x-amz-copy-source-…` headers; `bucket` is the source's."""
    return _reading(customer_keys.given(request, customer_keys.OF_SOURCE), bucket, row)


def reading_ours(bucket_tenant: int, sse: Mapping[str, Any]) -> Opener | None:
    """An opener for our own work (verification); None where only the customer can open. Raises CannotOpen."""
    if sse["mode"] != AES256:
        return None
    key = crypto.open_sealed(b64decode(sse["key"]), place_of(bucket_tenant))
    return Opener(key, Layout.from_json(sse))


def headers(sse: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What answers say about an object, upload or part by its `sse` alone."""
    return [(SSE, AES256)] if sse is not None and sse["mode"] == AES256 else []


def _reading(customer: bytes | None, bucket: BucketInfo, row: ObjectRow) -> Reading:
    if row.sse is None:
        _refuse_needless(customer)
        return Reading()
    layout = Layout.from_json(row.sse)
    if row.sse["mode"] == AES256:
        _refuse_needless(customer)
        return Reading(Opener(_unseal(row.sse, bucket), layout), headers(row.sse))
    if customer is None:
        raise customer_keys.not_the_key()
    key = customer_keys.unwrap(customer, row.sse["key"], _place(bucket))
    return Reading(Opener(key, layout), customer_keys.headers(customer))


def _refuse_needless(customer: bytes | None) -> None:
    if customer is not None:
        raise S3Error("InvalidRequest", "The encryption parameters are not applicable to this object.")


def _unseal(sse: Mapping[str, Any], bucket: BucketInfo) -> bytes:
    """The data key. A configured key that is missing is our fault, not the client's."""
    try:
        return crypto.open_sealed(b64decode(sse["key"]), _place(bucket))
    except crypto.CannotOpen as e:
        raise S3Error("InternalError", "The object's key cannot be opened.") from e


def _place(bucket: BucketInfo) -> bytes:
    return place_of(bucket.tenant_id)


def place_of(tenant_id: int) -> bytes:
    """What binds a data key to its tenant."""
    return b"storage.object:%d" % tenant_id
