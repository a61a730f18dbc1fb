"""What goes into and comes out of the object index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from storage.lifecycle import Rule

NULL_VERSION = "null"  # S3's name for the version that was written while versions were not kept

Kind = Literal["local", "s3"]


@dataclass(frozen=True, slots=True)
class BucketInfo:
    """A bucket as the decision process knows it. `backend_bucket` is its real name on an `s3` backend.

    `owner` is the tenant's slug, which S3 answers as the owner's id. `public_name` is the name where strangers may
    find it. `is_off`: nobody gets in while the tenant has storage switched off; `never_public`: nor strangers while
    it has public buckets switched off.
    """

    id: int
    tenant_id: int
    name: str
    backend_id: int
    kind: Kind
    backend_bucket: str
    created_at: datetime
    ready: bool = True  # False while an `s3` backend has not made it yet
    versioning: Literal["", "Enabled", "Suspended"] = ""
    object_lock: bool = False
    default_retention: Mapping[str, Any] | None = None
    encryption: str = ""
    policy: str = ""
    public_access_block: Mapping[str, bool] | None = None
    cors: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    lifecycle: Sequence[Rule] = ()
    owner: str = ""
    public_name: str | None = None
    location: str = ""
    ownership: str = ""  # storage.models.Bucket.Ownership
    is_off: bool = False
    never_public: bool = False


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """An object. Its bytes are in `inline`, in the local blob `blob`, or (both None) on the bucket's backend.

    `etag` has no quotes. `metadata` are the x-amz-meta-* pairs without that prefix, `headers` the stored system
    headers by lower-case name (cache-control, content-encoding, …), `checksums` algorithm → Base64. `lock`, `sse` and
    `parts` are as storage.models.StoredObject has them. A delete marker has nothing but key, version and time.
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
    version_id: str = NULL_VERSION
    tags: Mapping[str, str] = field(default_factory=dict)
    lock: Mapping[str, Any] = field(default_factory=dict)
    sse: Mapping[str, Any] | None = None
    parts: Sequence[Mapping[str, Any]] | None = None
    writer: str = ""
    is_delete_marker: bool = False
    is_latest: bool = True


@dataclass(frozen=True, slots=True)
class Expected:
    """A write's condition on the current object: none may be there (`absent`), or one to which all that is set fits.

    `etag` is without quotes, `*` means any. With `not_etag` there may be none, or one with any other ETag. `size` and
    `last_modified` (whole seconds) are conditions of deletes; those of a delete by version are on that version, and
    what is not there anyway meets them all.
    """

    absent: bool = False
    etag: str | None = None
    not_etag: str | None = None
    size: int | None = None
    last_modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class PutCommit:
    """A body that is safe (on disk, in `inline` or on the backend) and asks to become the object at `key`.

    `actor` names who wrote it in the event (`AccessKeyInfo.actor`). `version_id` is what a remote backend gave
    it; where that is None a versioned bucket makes one.
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
    tags: Mapping[str, str] = field(default_factory=dict)
    lock: Mapping[str, Any] = field(default_factory=dict)
    sse: Mapping[str, Any] | None = None
    parts: Sequence[Mapping[str, Any]] | None = None
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteCommit:
    """Without `version_id`: the current object, in whose place a versioned bucket has a delete marker then.

    `bypass_governance`: the caller may and wants to delete what is retained in governance mode.
    """

    bucket: BucketInfo
    key: str
    actor: str
    version_id: str | None = None
    bypass_governance: bool = False
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class DeleteOutcome:
    """What a delete did; where nothing `existed`, it was nothing.

    `version_id` is what was removed, or the delete marker made; None in an unversioned bucket.
    `delete_marker`: one was made, or the version removed was one.
    """

    existed: bool
    version_id: str | None = None
    delete_marker: bool = False


class ListedObject(NamedTuple):  # a thousand are made at a time
    key: str
    size: int
    etag: str
    last_modified: datetime
    checksums: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page in byte order. `next` goes into the next call's `start_after`; None = that was all."""

    contents: list[ListedObject]
    common_prefixes: list[str]
    next: str | None


@dataclass(frozen=True, slots=True)
class VersionPage:
    """One page of versions and delete markers: keys in byte order, a key's newest first.

    `next` is the (key, version id) marker of the next call, the version id empty after a common prefix; None = that
    was all. The rows have neither metadata nor body.
    """

    versions: list[ObjectRow]
    common_prefixes: list[str]
    next: tuple[str, str] | None


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
    tags: Mapping[str, str] = field(default_factory=dict)
    lock: Mapping[str, Any] = field(default_factory=dict)
    sse: Mapping[str, Any] | None = None


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
    sse: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Intent:
    """A journalled write to a remote backend that was forwarded and has not been committed yet.

    Plain values, so that it can travel in a commit token.
    """

    id: str
    tenant_id: int
