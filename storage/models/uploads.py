"""Multipart uploads under way."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from gateway.db.models import TenantQuerySet

from .buckets import Bucket
from .collation import BYTES


class Upload(models.Model):
    """A multipart upload under way. `remote_id` is the backend's id for it, where the bucket is remote."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    bucket = models.ForeignKey(
        Bucket, models.CASCADE, related_name="uploads", db_constraint=False, db_index=False
    )
    key = models.TextField(db_collation=BYTES)
    content_type = models.TextField()
    metadata = models.JSONField(default=dict)
    headers = models.JSONField(default=dict)
    initiated_at = models.DateTimeField()
    tags = models.JSONField(default=dict, db_default={})
    lock = models.JSONField(default=dict, db_default={})
    sse = models.JSONField(null=True)
    writer = models.CharField(max_length=150)
    remote_id = models.TextField(blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["bucket", "key", "id"], name="upload_in_order")]

    def __str__(self) -> str:
        return f"{self.key} ({self.id})"


class UploadPart(models.Model):
    """A part of an upload, in a file of its own."""

    tenant = models.ForeignKey(
        "tenants.Tenant", models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    upload = models.ForeignKey(
        Upload, models.CASCADE, related_name="parts", db_constraint=False, db_index=False
    )
    number = models.IntegerField(validators=[MinValueValidator(1), MaxValueValidator(10_000)])
    size = models.BigIntegerField()
    etag = models.CharField(max_length=80)
    checksums = models.JSONField(default=dict)
    sse = models.JSONField(null=True)
    last_modified = models.DateTimeField()
    blob = models.CharField(max_length=40, null=True)  # noqa: DJ001 - null is "on the backend"

    objects = TenantQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["upload", "number"], name="part_number_in_upload"),
            models.UniqueConstraint(fields=["blob"], condition=Q(blob__isnull=False), name="part_owns_blob"),
        ]

    def __str__(self) -> str:
        return f"part {self.number} of {self.upload_id}"
