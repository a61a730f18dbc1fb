"""What the decision process holds of storage: backends, buckets, access keys with their secrets, quotas, domains.

Six parts, each refreshed by its topics and by time:

    ctx.snapshot.get(BACKENDS)      backend id → BackendInfo
    ctx.snapshot.get(BUCKETS)       (tenant id, name) → BucketInfo; (CLAIMED, name) of those strangers may find
    ctx.snapshot.get(ACCESS_KEYS)   access key id → AccessKeyInfo
    ctx.snapshot.get(QUOTAS)        tenant id → bytes; absent = unlimited
    ctx.snapshot.get(ENDED_API_KEYS)  row of an API key → when it ended, of lately
    ctx.snapshot.get(DOMAINS)       host name → tenant id, of verified domains

A name that is not in them is looked up once (`find_*`) before it is refused, since a NOTIFY may still be on its way.
A bucket that was deleted and made again has a new id: on BucketGone look it up and try once more.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import orjson

from gateway import crypto
from gateway.decision.snapshot import SnapshotPart
from tenants import features
from tenants.permissions import PERMISSIONS, held

from . import temporary
from .index.types import BucketInfo
from .lifecycle import rules_of
from .policy.principals import ANONYMOUS, Caller, Scope

if TYPE_CHECKING:
    import asyncpg

    from gateway.decision.database import Connection

log = logging.getLogger(__name__)

CLAIMED: Final = 0
"""In place of a tenant's id: of whichever tenant has claimed the bucket's name platform-wide."""

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
    ca_bundle: str = field(default="", repr=False)  # trusted instead of the system's certificates
    may_be_private: bool = True  # whether an address that is not public is dialled too
    tenant_id: int | None = None  # whose alone it is; None is the platform's, which all tenants share
    capabilities: frozenset[str] = frozenset()  # storage.providers.quirks.CAPABILITIES that a test found


@dataclass(frozen=True, slots=True)
class AccessKeyInfo:
    """An S3 access key that works now: not revoked, its user, membership and tenant active.

    Who shows none is one without an id; its tenant is the one whose domain was asked, or 0.
    """

    access_key_id: str
    secret: str = field(repr=False)
    tenant_id: int
    tenant_slug: str
    user_id: int
    permissions: frozenset[str]
    actor: str  # how events name it
    caller: Caller = ANONYMOUS  # how policies know it
    networks: tuple[str, ...] = ()  # it is taken from these alone; empty is anywhere
    expires_at: datetime | None = None
    issued_at: datetime | None = None  # of temporary credentials
    kept: bool = True  # in a row of its own; temporary credentials and the anonymous are not
    parent: str = ""  # the key that temporary credentials end with
    is_plain: bool = False  # its permissions say all there is to say of what it may do

    @property
    def root(self) -> str:
        """The key whose rate and last use it counts for."""
        return self.parent or self.access_key_id

    @property
    def is_anonymous(self) -> bool:
        return not self.access_key_id


_BACKENDS = """
SELECT id, name, kind, endpoint, region, access_key, secret_sealed, public_id, path_style, checksum_mode,
    ca_bundle, may_be_private, tenant_id, capabilities::text
FROM storage_backend
"""
_BUCKETS = """
SELECT b.id, b.tenant_id, b.name, p.backend_id, e.kind, p.backend_bucket, b.created_at,
    p.observed_state = 'present' AS ready, t.slug AS owner, b.versioning, b.object_lock, b.encryption, b.policy,
    b.default_retention::text, b.public_access_block::text, b.cors::text, b.tags::text, b.lifecycle::text,
    b.public_name, b.location, b.ownership,
    s.disabled_features && '{storage}' AS is_off, s.disabled_features && '{public_buckets}' AS never_public
FROM storage_bucket b
JOIN storage_placement p ON p.bucket_id = b.id
JOIN storage_backend e ON e.id = p.backend_id
JOIN tenants_tenant t ON t.id = b.tenant_id
JOIN tenants_tenantsettings s ON s.tenant_id = b.tenant_id
WHERE t.status = 'active'
"""
# Staff act in every tenant without being its members.
_ACCESS_KEYS = """
SELECT k.access_key_id, k.secret_sealed, k.tenant_id, t.slug, k.user_id, u.username, u.is_staff,
    r.base, r.granted, k.permissions, s.disabled_features, k.buckets, k.prefixes, k.actions, k.allowed_networks,
    k.expires_at
FROM storage_accesskey k
JOIN tenants_user u ON u.id = k.user_id
JOIN tenants_tenant t ON t.id = k.tenant_id
JOIN tenants_tenantsettings s ON s.tenant_id = k.tenant_id
LEFT JOIN tenants_membership m ON m.tenant_id = k.tenant_id AND m.user_id = k.user_id AND m.is_active
LEFT JOIN tenants_role r ON r.id = m.role_id
WHERE k.revoked_at IS NULL AND u.is_active AND t.status = 'active' AND (m.id IS NOT NULL OR u.is_staff)
    AND (k.expires_at IS NULL OR k.expires_at > now())
"""
_QUOTAS = "SELECT tenant_id, storage_bytes FROM tenants_quota WHERE storage_bytes IS NOT NULL"

_ENDED_API_KEYS = """
SELECT id, least(revoked_at, expires_at) FROM tenants_apikey
WHERE revoked_at > now() - $1::interval OR expires_at > now() - $1::interval
"""


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
        ca_bundle=row["ca_bundle"],
        may_be_private=row["may_be_private"],
        tenant_id=row["tenant_id"],
        capabilities=frozenset(name for name, has in orjson.loads(row["capabilities"]).items() if has),
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
    off = row["disabled_features"]
    own = None if row["permissions"] is None else frozenset(row["permissions"])
    may = features.without(may if own is None else may & own, off)
    caller = Caller(
        account=row["slug"],
        user=row["username"],
        user_id=str(row["user_id"]),
        permissions=may,
        own=frozenset() if "storage" in off else own,
        is_owner=row["is_staff"] or row["base"] == "owner",
        scope=Scope(*(tuple(row[name] or ()) for name in ("buckets", "prefixes", "actions"))),
    )
    return AccessKeyInfo(
        access_key_id=row["access_key_id"],
        secret=_opened(row["secret_sealed"], b"storage.accesskey:" + row["access_key_id"].encode()),
        tenant_id=row["tenant_id"],
        tenant_slug=row["slug"],
        user_id=row["user_id"],
        permissions=may,
        actor=row["username"],
        caller=caller,
        networks=tuple(row["allowed_networks"]),
        expires_at=row["expires_at"],
        is_plain=not (caller.scope or row["allowed_networks"] or row["expires_at"]),
    )


def _bucket(row: asyncpg.Record) -> BucketInfo:
    values = dict(row)
    for name in ("default_retention", "public_access_block", "cors", "tags"):
        values[name] = orjson.loads(values[name]) if values[name] else None
    values["lifecycle"] = rules_of(orjson.loads(values["lifecycle"]))
    return BucketInfo(**values)


async def load_backends(conn: Connection) -> Mapping[int, BackendInfo]:
    """All backends by id, with their secrets opened."""
    return {row["id"]: _backend(row) for row in await conn.fetch(_BACKENDS)}


async def load_buckets(conn: Connection) -> Mapping[tuple[int, str], BucketInfo]:
    """All buckets of active tenants by (tenant id, name), those that claimed their name by (CLAIMED, name) too."""
    found = [_bucket(row) for row in await conn.fetch(_BUCKETS)]
    named = {(bucket.tenant_id, bucket.name): bucket for bucket in found}
    return named | {(CLAIMED, bucket.public_name): bucket for bucket in found if bucket.public_name}


async def load_access_keys(conn: Connection) -> Mapping[str, AccessKeyInfo]:
    """All keys that work now, by access key id."""
    found = map(_access_key, await conn.fetch(_ACCESS_KEYS))
    return {key.access_key_id: key for key in found if key.secret}


async def load_domains(conn: Connection) -> Mapping[str, int]:
    """The tenant of each verified domain by host name; a suspended tenant has no buckets to be found."""
    rows = await conn.fetch(
        "SELECT lower(hostname), tenant_id FROM tenants_domain WHERE verified_at IS NOT NULL"
    )
    return dict(map(tuple, rows))


async def load_quotas(conn: Connection) -> Mapping[int, int]:
    """Byte limits by tenant id."""
    return dict(map(tuple, await conn.fetch(_QUOTAS)))


async def load_ended_api_keys(conn: Connection) -> Mapping[int, datetime]:
    """When API keys ended or will end, by id: all that temporary credentials of now may have been exchanged for."""
    return dict(map(tuple, await conn.fetch(_ENDED_API_KEYS, temporary.LONGEST)))


BACKENDS = SnapshotPart("storage.backends", frozenset({"backends"}), load_backends)
BUCKETS = SnapshotPart("storage.buckets", frozenset({"buckets", "tenants"}), load_buckets)
ACCESS_KEYS = SnapshotPart(
    "storage.access_keys", frozenset({"access_keys", "tenants", "members"}), load_access_keys
)
DOMAINS = SnapshotPart("storage.domains", frozenset({"tenants"}), load_domains)
QUOTAS = SnapshotPart("storage.quotas", frozenset({"tenants"}), load_quotas)
ENDED_API_KEYS = SnapshotPart("storage.ended_api_keys", frozenset({"api_keys"}), load_ended_api_keys)


async def find_access_key(conn: Connection, access_key_id: str) -> AccessKeyInfo | None:
    """One key that works now, looked up in the wide role."""
    row = await conn.fetchrow(_ACCESS_KEYS + " AND k.access_key_id = $1", access_key_id)
    found = _access_key(row) if row else None
    return found if found and found.secret else None


async def find_bucket(conn: Connection, tenant_id: int, name: str) -> BucketInfo | None:
    """One bucket, looked up in the wide role; `tenant_id` CLAIMED finds the one that has claimed the name."""
    if tenant_id == CLAIMED:
        row = await conn.fetchrow(_BUCKETS + " AND b.public_name = $1", name)
    else:
        row = await conn.fetchrow(_BUCKETS + " AND b.tenant_id = $1 AND b.name = $2", tenant_id, name)
    return _bucket(row) if row else None


async def find_tenant_buckets(conn: Connection, tenant_id: int) -> list[BucketInfo]:
    """The tenant's buckets by name, as of now (ListBuckets must show a bucket at once)."""
    rows = await conn.fetch(_BUCKETS + ' AND b.tenant_id = $1 ORDER BY b.name COLLATE "C"', tenant_id)
    return [_bucket(row) for row in rows]
