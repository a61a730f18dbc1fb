"""What goes into and comes out of the object index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Kind = Literal["local", "s3"]


@dataclass(frozen=True, slots=True)
class BucketInfo:
    """A bucket as the decision process knows it. `backend_bucket` is its real name on an `s3` backend."""

    id: int
    tenant_id: int
    name: str
    backend_id: int
    kind: Kind
    backend_bucket: str
    created_at: datetime
    ready: bool = True  # False while an `s3` backend has not made it yet


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An object. Its bytes are in `inline`, in the local blob `blob`, or (both None) on the bucket's backend.

    `etag` has no quotes. `metadata` are the x-amz-meta-* pairs without that prefix, `headers` the stored system
    headers by lower-case name (cache-control, content-encoding, …), `checksums` algorithm → Base64.
    """

    bucket_id: int
    key: str
    size: int
    etag: str
    content_type: str
    last_modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    blob: str | None = None
    inline: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Expected:
    """A write's condition: the key must be free (`absent`) or hold `etag` (without quotes)."""

    absent: bool = False
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class PutCommit:
    """A body that is safe (on disk, in `inline` or on the backend) and asks to become the object at `key`.

    `actor` names who wrote it in the event (`AccessKeyInfo.actor`).
    """

    bucket: BucketInfo
    key: str
    size: int
    etag: str
    last_modified: datetime
    actor: str
    content_type: str = "binary/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    blob: str | None = None
    inline: bytes | None = field(default=None, repr=False)
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class DeleteCommit:
    bucket: BucketInfo
    key: str
    actor: str


@dataclass(frozen=True, slots=True)
class ListedObject:
    key: str
    size: int
    etag: str
    last_modified: datetime


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page in byte order. `next` goes into the next call's `start_after`; None = that was all."""

    contents: list[ListedObject]
    common_prefixes: list[str]
    next: str | None


@dataclass(frozen=True, slots=True)
class UploadRow:
    """A multipart upload. `remote_id` is the backend's own upload id for an `s3` bucket, else empty."""

    id: str
    bucket_id: int
    key: str
    initiated: datetime
    actor: str
    content_type: str
    metadata: Mapping[str, str]
    headers: Mapping[str, str]
    remote_id: str = ""


@dataclass(frozen=True, slots=True)
class UploadPage:
    """`next` is the (key, upload id) marker of the next call; None = that was all."""

    uploads: list[UploadRow]
    common_prefixes: list[str]
    next: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class PartRow:
    number: int
    size: int
    etag: str
    last_modified: datetime
    blob: str | None = None
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Intent:
    """A journalled write to a remote backend that was forwarded and has not been committed yet.

    Plain values, so that it can travel in a commit token.
    """

    id: str
    tenant_id: int
