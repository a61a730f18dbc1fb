"""What the decision process holds of storage: backends, buckets, access keys with their secrets, quotas.

Four parts, each refreshed by its topics and by time:

    ctx.snapshot.get(BACKENDS)      backend id → BackendInfo
    ctx.snapshot.get(BUCKETS)       (tenant id, name) → BucketInfo
    ctx.snapshot.get(ACCESS_KEYS)   access key id → AccessKeyInfo
    ctx.snapshot.get(QUOTAS)        tenant id → bytes; absent = unlimited

A name that is not in them is looked up once (`find_*`) before it is refused, since a NOTIFY may still be on its way.
A bucket that was deleted and made again has a new id: on BucketGone look it up and try once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from gateway.decision.snapshot import SnapshotPart

from .index.types import BucketInfo

if TYPE_CHECKING:
    import asyncpg

ChecksumMode = Literal["when_supported", "when_required"]


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """A place for objects. The connection's fields are empty for kind `local`."""

    id: int
    name: str
    kind: Literal["local", "s3"]
    endpoint: str = ""  # scheme://host[:port]
    region: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    path_style: bool = True
    checksum_mode: ChecksumMode = "when_required"


@dataclass(frozen=True, slots=True)
class AccessKeyInfo:
    """An S3 access key that works now: not revoked, its user, membership and tenant active."""

    access_key_id: str
    secret: str = field(repr=False)
    tenant_id: int
    tenant_slug: str
    user_id: int
    permissions: frozenset[str]
    actor: str  # how events name it


async def load_backends(conn: asyncpg.Connection[Any]) -> Mapping[int, BackendInfo]:
    """All backends by id, with their secrets opened."""
    raise NotImplementedError


async def load_buckets(conn: asyncpg.Connection[Any]) -> Mapping[tuple[int, str], BucketInfo]:
    """All buckets by (tenant id, name)."""
    raise NotImplementedError


async def load_access_keys(conn: asyncpg.Connection[Any]) -> Mapping[str, AccessKeyInfo]:
    """All keys that work now, by access key id."""
    raise NotImplementedError


async def load_quotas(conn: asyncpg.Connection[Any]) -> Mapping[int, int]:
    """Byte limits by tenant id."""
    raise NotImplementedError


BACKENDS = SnapshotPart("storage.backends", frozenset({"backends"}), load_backends)
BUCKETS = SnapshotPart("storage.buckets", frozenset({"buckets", "tenants"}), load_buckets)
ACCESS_KEYS = SnapshotPart("storage.access_keys", frozenset({"access_keys", "tenants", "members"}), load_access_keys)
QUOTAS = SnapshotPart("storage.quotas", frozenset({"tenants"}), load_quotas)


async def find_access_key(conn: asyncpg.Connection[Any], access_key_id: str) -> AccessKeyInfo | None:
    """One key that works now, looked up in the wide role."""
    raise NotImplementedError


async def find_bucket(conn: asyncpg.Connection[Any], tenant_id: int, name: str) -> BucketInfo | None:
    """One bucket, looked up in the wide role."""
    raise NotImplementedError


async def find_tenant_buckets(conn: asyncpg.Connection[Any], tenant_id: int) -> list[BucketInfo]:
    """The tenant's buckets by name, as of now (ListBuckets must show a bucket at once)."""
    raise NotImplementedError
