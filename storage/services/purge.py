"""Everything that a tenant stores, removed for good: a step of `tenants.services.purge`.

The tenant is deleted and has been refused everywhere, so no reader is in the way; what a late writer leaves without
a row is a stray, which the sweep finds. A backend that does not let go holds the purge up, for FORSAKEN_AFTER; then
its buckets are named in the audit log and left behind.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope, tenant_scope
from storage import providers
from storage.models import (
    AccessKey,
    BlobGarbage,
    Bucket,
    Object,
    ObjectVersion,
    Placement,
    Upload,
    WriteIntent,
)
from tenants.models import Tenant
from tenants.principal import system
from tenants.services import audit, snapshot

from . import backend_providers, placements, rows, sweeps, usage

FORSAKEN_AFTER = timedelta(days=30)
_BATCH = 1000
_KEPT: tuple[type[Object | ObjectVersion], ...] = (Object, ObjectVersion)

_REMOVE_ROWS = """
WITH gone AS (
    DELETE FROM {table} WHERE id IN (
        SELECT id FROM {table} WHERE tenant_id = %(tenant)s AND bucket_id = %(bucket)s ORDER BY id LIMIT %(most)s
    ) RETURNING size, blob, {counts} AS counts
), kept AS (
    INSERT INTO storage_blobgarbage (tenant_id, blob, due_at)
    SELECT %(tenant)s, blob, now() FROM gone WHERE blob IS NOT NULL
), less AS (
    SELECT coalesce(sum(size), 0) AS bytes, count(*) AS n, count(*) FILTER (WHERE counts) AS objects FROM gone
), bucket AS (
    UPDATE storage_bucketusage u SET bytes = u.bytes - less.bytes, objects_count = u.objects_count - less.objects
    FROM less WHERE u.bucket_id = %(bucket)s
)
UPDATE storage_usage u SET bytes = u.bytes - less.bytes, objects_count = u.objects_count - less.objects
FROM less WHERE u.tenant_id = %(tenant)s RETURNING less.n
"""
_REMOVE = (
    _REMOVE_ROWS.format(table="storage_object", counts="true"),
    _REMOVE_ROWS.format(table="storage_objectversion", counts="NOT is_delete_marker"),
)


def purge(tenant_id: int) -> str:
    """What it waits for; empty when nothing is left. May run again at any point."""
    with tenant_scope(tenant_id):
        _remove_keys(tenant_id)
        _end_uploads(tenant_id)
        for bucket in Bucket.objects.filter(tenant_id=tenant_id).select_related("placement__backend"):
            if waits_for := _remove_bucket(bucket):
                return waits_for
        if waits_for := _remove_placements(tenant_id):
            return waits_for
        return _remove_files(tenant_id)


def _remove_keys(tenant_id: int) -> None:
    with transaction.atomic():
        AccessKey.objects.filter(tenant_id=tenant_id).delete()
        snapshot.changed("access_keys")


def _end_uploads(tenant_id: int) -> None:
    for bucket_id, pk in Upload.objects.filter(tenant_id=tenant_id).values_list("bucket_id", "pk").iterator():
        with connection.cursor() as cursor:
            cursor.execute("SELECT storage_end_upload(%s, %s, %s)", [tenant_id, bucket_id, pk])


def _remove_bucket(bucket: Bucket) -> str:
    """Its objects there and here, then itself."""
    placement = bucket.placement
    if backend_providers.is_remote(placement.backend):
        try:
            provider = backend_providers.provider_of(placement.backend)
            provider.empty_bucket(placement.backend_bucket)  # type: ignore[attr-defined]
        except (providers.ProviderError, crypto.CannotOpen) as e:
            if not _forsaken(bucket.tenant_id):
                return f"bucket {bucket.name}: {e}"
    for statement in _REMOVE:
        while _remove_rows(bucket, statement) == _BATCH:
            pass
    with rows.writing():
        usage.lock(bucket.tenant_id)
        WriteIntent.objects.filter(bucket=bucket).delete()
        if any(model.objects.filter(tenant_id=bucket.tenant_id, bucket=bucket).exists() for model in _KEPT):
            return f"bucket {bucket.name}: a write was under way"
        placements.give_up(placement)
        bucket.delete()
        snapshot.changed("buckets")
    return ""


def _remove_rows(bucket: Bucket, statement: str) -> int:
    with rows.writing(), connection.cursor() as cursor:
        usage.lock(bucket.tenant_id)
        cursor.execute(statement, {"tenant": bucket.tenant_id, "bucket": bucket.pk, "most": _BATCH})
        removed: int = cursor.fetchone()[0]
    return removed


def _remove_placements(tenant_id: int) -> str:
    """The buckets on remote backends, now rather than by the reconciler's next run."""
    for pk in list(Placement.objects.filter(tenant_id=tenant_id).values_list("pk", flat=True)):
        with transaction.atomic():
            Placement.objects.filter(pk=pk).update(next_attempt_at=timezone.now())
        left = placements.reconcile(pk)
        if left is not None and not _forsaken(tenant_id):
            return f"backend {left.backend.name}: {left.error or 'busy'}"
    left_behind = list(
        Placement.objects.filter(tenant_id=tenant_id).values(name=F("backend_bucket"), on=F("backend__name"))
    )
    if left_behind:
        with transaction.atomic():
            tenant = Tenant.objects.get(pk=tenant_id)
            Placement.objects.filter(tenant_id=tenant_id).delete()
            audit.record(
                system(tenant), "storage.bucket.forsake", target=tenant.slug, after={"buckets": left_behind}
            )
    return ""


def _remove_files(tenant_id: int) -> str:
    """The blobs of all these rows. The file first: a crash in between leaves a row whose file is gone."""
    blobs = sweeps.store()
    while garbage := list(BlobGarbage.objects.filter(tenant_id=tenant_id).order_by("pk")[:_BATCH]):
        kept = blobs.remove(row.blob for row in garbage)
        BlobGarbage.objects.filter(pk__in=[row.pk for row in garbage if row.blob not in kept]).delete()
        if kept:
            return f"{len(kept)} files that a disk does not let go of"
    return ""


def _forsaken(tenant_id: int) -> bool:
    with platform_scope("a deleted tenant's own row"):
        purge_at = Tenant.objects.values_list("purge_at", flat=True).get(pk=tenant_id)
    return purge_at is not None and timezone.now() - purge_at > FORSAKEN_AFTER
