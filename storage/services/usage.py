"""What a tenant stores."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import connection, transaction
from django.db.models import QuerySet

from gateway.db.scope import platform_scope
from storage.models import AccessKey, Bucket, BucketUsage, Usage

log = logging.getLogger(__name__)


def of_tenant(tenant_id: int) -> dict[str, int]:
    """Bytes, objects, buckets and access keys as of now. Call within the tenant's scope."""
    kept = Usage.objects.filter(tenant_id=tenant_id).first()
    return {
        "storage_bytes": kept.bytes + kept.upload_bytes if kept else 0,
        "objects": kept.objects_count if kept else 0,
        "buckets": Bucket.objects.filter(tenant_id=tenant_id).count(),
        "access_keys": live_keys(tenant_id).count(),
    }


def live_keys(tenant_id: int) -> QuerySet[AccessKey]:
    """The keys that count against the limit: not revoked, and made by people."""
    return AccessKey.objects.filter(tenant_id=tenant_id, revoked_at=None, is_internal=False)


def lock(tenant_id: int) -> None:
    """Hold the tenant's usage row to the end of the transaction: no object of it changes meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT storage_lock_usage(%s)", [tenant_id])


_HELD = """
SELECT
    b.id,
    (SELECT coalesce(sum(size), 0) FROM storage_object WHERE bucket_id = b.id)
    + (SELECT coalesce(sum(size), 0) FROM storage_objectversion WHERE bucket_id = b.id),
    (SELECT count(*) FROM storage_object WHERE bucket_id = b.id)
    + (SELECT count(*) FROM storage_objectversion WHERE bucket_id = b.id AND NOT is_delete_marker),
    (
        SELECT coalesce(sum(p.size), 0) FROM storage_uploadpart p JOIN storage_upload u ON u.id = p.upload_id
        WHERE u.bucket_id = b.id
    )
FROM storage_bucket b WHERE b.tenant_id = %s
"""


@transaction.atomic
def recount(tenant_id: int) -> bool:
    """Count the tenant's rows anew, bucket by bucket; whether the kept numbers were right.

    Wrong ones are logged and put right. The tenant's writes wait meanwhile. Call within the tenant's scope.
    """
    lock(tenant_id)
    with connection.cursor() as cursor:
        cursor.execute(_HELD, [tenant_id])
        real = {pk: tuple(map(int, counted)) for pk, *counted in cursor.fetchall()}
    right = True
    for pk, counted in real.items():
        row = BucketUsage.objects.filter(pk=pk).first() or BucketUsage(pk=pk, tenant_id=tenant_id)
        right = _mend(row, counted) and right
    sums = [sum(column) for column in zip(*real.values(), strict=True)] or [0, 0, 0]
    return _mend(Usage.objects.get(tenant_id=tenant_id), sums) and right


def _mend(row: Usage | BucketUsage, real: Sequence[int]) -> bool:
    """Whether the row has the real numbers; now it has."""
    kept = (row.bytes, row.objects_count, row.upload_bytes)
    if kept == tuple(real):
        return True
    log.error("%s was %s and is %s", row, kept, real)
    row.bytes, row.objects_count, row.upload_bytes = real
    row.save()
    return False


_SAMPLE = """
INSERT INTO storage_usagesample (tenant_id, bucket_id, at, bytes, objects_count)
SELECT b.tenant_id, b.id, date_trunc('hour', now()), coalesce(u.bytes + u.upload_bytes, 0), coalesce(u.objects_count, 0)
FROM storage_bucket b LEFT JOIN storage_bucketusage u ON u.bucket_id = b.id
ON CONFLICT (bucket_id, at) DO NOTHING
"""
# Hours for a month, then the first of each day for two years.
_THIN = """
DELETE FROM storage_usagesample WHERE at < now() - interval '731 days'
OR at < now() - interval '32 days' AND date_trunc('day', at AT TIME ZONE 'UTC') <> at AT TIME ZONE 'UTC'
"""


def sample() -> int:
    """Note what every bucket holds at this hour, once, and drop old samples; how many were noted."""
    with platform_scope("a sweep looks at all tenants"), connection.cursor() as cursor:
        cursor.execute(_SAMPLE)
        noted: int = cursor.rowcount
        cursor.execute(_THIN)
    return noted
