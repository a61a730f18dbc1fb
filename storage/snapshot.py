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

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import orjson

from gateway import crypto
from gateway.decision.snapshot import SnapshotPart
from tenants import features
from tenants.permissions import PERMISSIONS, held

from .index.types import BucketInfo

if TYPE_CHECKING:
    import asyncpg

    from gateway.decision.database import Connection

log = logging.getLogger(__name__)

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


_BACKENDS = """
SELECT id, name, kind, endpoint, region, access_key, secret_sealed, public_id, path_style, checksum_mode
FROM storage_backend
"""
_BUCKETS = """
SELECT b.id, b.tenant_id, b.name, p.backend_id, e.kind, p.backend_bucket, b.created_at,
    p.observed_state = 'present' AS ready, b.versioning, b.object_lock, b.encryption, b.policy,
    b.default_retention::text, b.public_access_block::text, b.cors::text, b.tags::text
FROM storage_bucket b
JOIN storage_placement p ON p.bucket_id = b.id
JOIN storage_backend e ON e.id = p.backend_id
JOIN tenants_tenant t ON t.id = b.tenant_id
WHERE t.status = 'active'
"""
# Staff act in every tenant without being its members.
_ACCESS_KEYS = """
SELECT k.access_key_id, k.secret_sealed, k.tenant_id, t.slug, k.user_id, u.username, u.is_staff,
    r.base, r.granted, k.permissions, s.disabled_features
FROM storage_accesskey k
JOIN tenants_user u ON u.id = k.user_id
JOIN tenants_tenant t ON t.id = k.tenant_id
JOIN tenants_tenantsettings s ON s.tenant_id = k.tenant_id
LEFT JOIN tenants_membership m ON m.tenant_id = k.tenant_id AND m.user_id = k.user_id AND m.is_active
LEFT JOIN tenants_role r ON r.id = m.role_id
WHERE k.revoked_at IS NULL AND u.is_active AND t.status = 'active' AND (m.id IS NOT NULL OR u.is_staff)
"""
_QUOTAS = "SELECT tenant_id, storage_bytes FROM tenants_quota WHERE storage_bytes IS NOT NULL"


def _backend(row: asyncpg.Record) -> BackendInfo:
    return BackendInfo(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        endpoint=row["endpoint"],
        region=row["region"],
        access_key=row["access_key"],
        secret_key=_opened(row["secret_sealed"], b"storage.backend:" + row["public_id"].bytes),
        path_style=row["path_style"],
        checksum_mode=row["checksum_mode"],
    )


def _opened(sealed: bytes, aad: bytes) -> str:
    """A secret in clear; one that cannot be opened is as good as none, and must not keep the others away."""
    if not sealed:
        return ""
    try:
        return crypto.open_sealed(sealed, aad).decode()
    except crypto.CannotOpen as e:
        log.error("the secret of %s: %s", aad, e)
        return ""


def _access_key(row: asyncpg.Record) -> AccessKeyInfo:
    if row["is_staff"]:
        may = frozenset(PERMISSIONS)
    else:
        may = held(row["base"], row["granted"])
    if row["permissions"] is not None:
        may &= frozenset(row["permissions"])
    return AccessKeyInfo(
        access_key_id=row["access_key_id"],
        secret=_opened(row["secret_sealed"], b"storage.accesskey:" + row["access_key_id"].encode()),
        tenant_id=row["tenant_id"],
        tenant_slug=row["slug"],
        user_id=row["user_id"],
        permissions=features.without(may, row["disabled_features"]),
        actor=row["username"],
    )


def _bucket(row: asyncpg.Record) -> BucketInfo:
    values = dict(row)
    for name in ("default_retention", "public_access_block", "cors", "tags"):
        values[name] = orjson.loads(values[name]) if values[name] else None
    return BucketInfo(**values)


async def load_backends(conn: Connection) -> Mapping[int, BackendInfo]:
    """All backends by id, with their secrets opened."""
    return {row["id"]: _backend(row) for row in await conn.fetch(_BACKENDS)}


async def load_buckets(conn: Connection) -> Mapping[tuple[int, str], BucketInfo]:
    """All buckets of active tenants by (tenant id, name)."""
    return {(row["tenant_id"], row["name"]): _bucket(row) for row in await conn.fetch(_BUCKETS)}


async def load_access_keys(conn: Connection) -> Mapping[str, AccessKeyInfo]:
    """All keys that work now, by access key id."""
    found = map(_access_key, await conn.fetch(_ACCESS_KEYS))
    return {key.access_key_id: key for key in found if key.secret}


async def load_quotas(conn: Connection) -> Mapping[int, int]:
    """Byte limits by tenant id."""
    return dict(map(tuple, await conn.fetch(_QUOTAS)))


BACKENDS = SnapshotPart("storage.backends", frozenset({"backends"}), load_backends)
BUCKETS = SnapshotPart("storage.buckets", frozenset({"buckets", "tenants"}), load_buckets)
ACCESS_KEYS = SnapshotPart(
    "storage.access_keys", frozenset({"access_keys", "tenants", "members"}), load_access_keys
)
QUOTAS = SnapshotPart("storage.quotas", frozenset({"tenants"}), load_quotas)


async def find_access_key(conn: Connection, access_key_id: str) -> AccessKeyInfo | None:
    """One key that works now, looked up in the wide role."""
    row = await conn.fetchrow(_ACCESS_KEYS + " AND k.access_key_id = $1", access_key_id)
    found = _access_key(row) if row else None
    return found if found and found.secret else None


async def find_bucket(conn: Connection, tenant_id: int, name: str) -> BucketInfo | None:
    """One bucket, looked up in the wide role."""
    row = await conn.fetchrow(_BUCKETS + " AND b.tenant_id = $1 AND b.name = $2", tenant_id, name)
    return _bucket(row) if row else None


async def find_tenant_buckets(conn: Connection, tenant_id: int) -> list[BucketInfo]:
    """The tenant's buckets by name, as of now (ListBuckets must show a bucket at once)."""
    rows = await conn.fetch(_BUCKETS + ' AND b.tenant_id = $1 ORDER BY b.name COLLATE "C"', tenant_id)
    return [_bucket(row) for row in rows]
