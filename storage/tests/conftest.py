"""The data plane as the decision process has it: its own pools beside Django's connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from gateway.db.scope import platform_scope
from gateway.decision.database import Database, DatabaseAddress
from storage import models
from storage.index import BucketInfo, ObjectIndex, PutCommit
from storage.index.types import Kind
from storage.store import BlobStore
from tenants.models import Tenant
from tests import factories


@pytest.fixture
def tenant(transactional_db: None) -> Tenant:
    return factories.tenant()


@pytest.fixture
async def db(transactional_db: None) -> AsyncIterator[Database]:
    database = Database(DatabaseAddress.from_django(settings))
    yield database
    await database.close()


@pytest.fixture
async def index(db: Database) -> AsyncIterator[ObjectIndex]:
    made = ObjectIndex(db)
    yield made
    await made.close()


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    made = BlobStore(tmp_path / "blobs")
    made.prepare()
    return made


@pytest.fixture
def new_bucket(transactional_db: None) -> Callable[..., BucketInfo]:
    """A bucket's row as the index needs it, on a local or a pretended remote backend."""

    def make(tenant: Tenant, name: str = "docs", kind: Kind = "local") -> BucketInfo:
        with platform_scope("tests"):
            backend, _ = models.Backend.objects.get_or_create(tenant=None, name=kind, kind=kind)
            bucket = models.Bucket.objects.create(tenant=tenant, name=name)
            place = f"gh-{tenant.slug}-{name}"
            models.Placement.objects.create(
                tenant=tenant, bucket=bucket, backend=backend, backend_bucket=place
            )
        return BucketInfo(bucket.pk, tenant.pk, name, backend.pk, kind, place, bucket.created_at)

    return make


@pytest.fixture
def bucket(tenant: Tenant, new_bucket: Callable[..., BucketInfo]) -> BucketInfo:
    return new_bucket(tenant)


def put(bucket: BucketInfo, key: str, body: bytes = b"hello", **fields: Any) -> PutCommit:
    """A small put whose body goes into the index."""
    defaults: dict[str, Any] = {
        "size": len(body),
        "etag": f"etag-of-{body.hex()[:16]}",
        "last_modified": datetime.now(UTC).replace(microsecond=0),
        "actor": "tester",
        "inline": body,
    }
    return PutCommit(bucket=bucket, key=key, **(defaults | fields))


HELD = """
SELECT
    (SELECT coalesce(sum(size), 0) FROM storage_object WHERE {0} = $1)
    + (SELECT coalesce(sum(size), 0) FROM storage_objectversion WHERE {0} = $1),
    (SELECT count(*) FROM storage_object WHERE {0} = $1)
    + (SELECT count(*) FROM storage_objectversion WHERE {0} = $1 AND NOT is_delete_marker),
    (
        SELECT coalesce(sum(p.size), 0) FROM storage_uploadpart p JOIN storage_upload u ON u.id = p.upload_id
        WHERE u.{0} = $1
    )
"""


async def usage(db: Database, tenant_id: int) -> tuple[int, int, int]:
    """(bytes, objects, bytes in unfinished uploads), after checking them, and each bucket's, against the rows."""
    async with db.wide() as conn:
        kept = await conn.fetchrow(
            "SELECT bytes, objects_count, upload_bytes FROM storage_usage WHERE tenant_id = $1", tenant_id
        )
        real = await conn.fetchrow(HELD.format("tenant_id"), tenant_id)
        for row in await conn.fetch(
            "SELECT b.id, coalesce(u.bytes, 0), coalesce(u.objects_count, 0), coalesce(u.upload_bytes, 0)"
            " FROM storage_bucket b LEFT JOIN storage_bucketusage u ON u.bucket_id = b.id WHERE b.tenant_id = $1",
            tenant_id,
        ):
            held = await conn.fetchrow(HELD.format("bucket_id"), row["id"])
            assert tuple(row)[1:] == tuple(int(n) for n in held)
    counted = tuple(kept) if kept else (0, 0, 0)
    assert counted == tuple(int(n) for n in real)
    return counted


async def set_bucket(db: Database, bucket: BucketInfo, **columns: Any) -> None:
    """Change the bucket's row as its settings do: whoever writes objects waits meanwhile."""
    assigned = ", ".join(f"{name} = ${n}" for n, name in enumerate(columns, 2))
    async with db.wide() as conn, conn.transaction():
        await conn.execute("SELECT storage_lock_usage($1)", bucket.tenant_id)
        await conn.execute(
            f"UPDATE storage_bucket SET {assigned} WHERE id = $1", bucket.id, *columns.values()
        )


async def events(db: Database, tenant_id: int) -> list[tuple[str, str]]:
    """(type, subject) of the tenant's storage events, in order."""
    async with db.wide() as conn:
        rows = await conn.fetch(
            "SELECT type, subject FROM realtime_event WHERE tenant_id = $1 AND type LIKE 'storage.object.%'"
            " ORDER BY id",
            tenant_id,
        )
    return [tuple(row) for row in rows]


async def set_quota(db: Database, tenant_id: int, limit: int | None) -> None:
    async with db.wide() as conn:
        await conn.execute(
            "UPDATE tenants_quota SET storage_bytes = $2 WHERE tenant_id = $1", tenant_id, limit
        )
