"""What a tenant stores."""

from __future__ import annotations

import logging

from django.db import connection, transaction
from django.db.models import Count, QuerySet, Sum

from storage.models import AccessKey, Bucket, Object, UploadPart, Usage

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


@transaction.atomic
def recount(tenant_id: int) -> bool:
    """Count the tenant's rows anew; whether the kept numbers were right. Wrong ones are logged and put right.

    The tenant's writes wait meanwhile. Call within the tenant's scope.
    """
    lock(tenant_id)
    kept = Usage.objects.get(tenant_id=tenant_id)
    objects = Object.objects.filter(tenant_id=tenant_id).aggregate(
        bytes=Sum("size", default=0), n=Count("pk")
    )
    parts = UploadPart.objects.filter(tenant_id=tenant_id).aggregate(bytes=Sum("size", default=0))
    real = (objects["bytes"], objects["n"], parts["bytes"])
    if (kept.bytes, kept.objects_count, kept.upload_bytes) == real:
        return True
    log.error("usage of tenant %s was %s and is %s", tenant_id, (kept.bytes, kept.objects_count), real)
    kept.bytes, kept.objects_count, kept.upload_bytes = real
    kept.save(update_fields=["bytes", "objects_count", "upload_bytes"])
    return False
