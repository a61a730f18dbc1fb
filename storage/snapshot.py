"""What the decision process holds of storage: backends, buckets, access keys with their secrets, quotas.

Refreshed by `NOTIFY gatehouse_snapshot` with one of TOPICS and by time; what is not found in it is looked up
once (`find_*`) before it is refused, since a NOTIFY may still be on its way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .index.types import BucketInfo

if TYPE_CHECKING:
    import asyncpg

TOPICS = frozenset({"backends", "buckets", "access_keys", "quotas"})
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
    """An S3 access key that works now: not revoked or expired, its user, membership and tenant active."""

    access_key_id: str
    secret: str = field(repr=False)
    tenant_id: int
    tenant_slug: str
    user_id: int
    permissions: frozenset[str]
    actor: str  # how events name it


@dataclass(frozen=True, slots=True)
class StorageSnapshot:
    backends: Mapping[int, BackendInfo]
    buckets: Mapping[tuple[int, str], BucketInfo]  # by (tenant id, name)
    access_keys: Mapping[str, AccessKeyInfo]
    quotas: Mapping[int, int]  # tenant id → bytes; absent = unlimited

    def tenant_buckets(self, tenant_id: int) -> list[BucketInfo]:
        """The tenant's buckets by name."""
        raise NotImplementedError


async def load(conn: asyncpg.Connection[Any]) -> StorageSnapshot:
    """Everything, over a connection in the wide role."""
    raise NotImplementedError


async def find_access_key(conn: asyncpg.Connection[Any], access_key_id: str) -> AccessKeyInfo | None:
    """One key that works now, looked up in the wide role."""
    raise NotImplementedError


async def find_bucket(conn: asyncpg.Connection[Any], tenant_id: int, name: str) -> BucketInfo | None:
    """One bucket, looked up in the wide role."""
    raise NotImplementedError


async def find_tenant_buckets(conn: asyncpg.Connection[Any], tenant_id: int) -> list[BucketInfo]:
    """The tenant's buckets by name, as of now (ListBuckets must show a bucket at once)."""
    raise NotImplementedError
