"""What tenants and their buckets hold, now and over time."""

from __future__ import annotations

from django.db import models

from gateway.db.models import TenantQuerySet

from .buckets import Bucket


class Usage(models.Model):
    """What a tenant stores, exact at every commit. Its row is the lock that orders the tenant's writes."""

    tenant = models.OneToOneField("tenants.Tenant", models.CASCADE, primary_key=True, related_name="+")
    bytes = models.BigIntegerField(default=0)
    objects_count = models.BigIntegerField(default=0)
    upload_bytes = models.BigIntegerField(default=0, help_text="In parts of uploads that are not complete.")

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Usage of {self.tenant_id}"


class BucketUsage(models.Model):
    """What a bucket holds, exact at every commit: versions that are not current count too, delete markers do not."""

    bucket = models.OneToOneField(
        Bucket, models.CASCADE, primary_key=True, related_name="usage", db_constraint=False
    )
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+", db_constraint=False)
    bytes = models.BigIntegerField(default=0)
    objects_count = models.BigIntegerField(default=0)
    upload_bytes = models.BigIntegerField(default=0)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Usage of bucket {self.bucket_id}"


class UsageSample(models.Model):
    """A bucket's usage as it was at a moment, for charts."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+", db_constraint=False)
    bucket = models.ForeignKey(Bucket, models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    at = models.DateTimeField()
    bytes = models.BigIntegerField()
    objects_count = models.BigIntegerField()

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["at"]
        constraints = [models.UniqueConstraint(fields=["bucket", "at"], name="usage_sample_once")]

    def __str__(self) -> str:
        return f"{self.bucket_id} at {self.at}"
