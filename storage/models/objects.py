"""The index of what is there: current objects, older versions, and files that no row needs any more."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from gateway.db.models import TenantQuerySet

from .buckets import Bucket
from .collation import BYTES


class StoredObject(models.Model):
    """What is kept of one version of an object.

    Its bytes are `inline`, in the local blob, or (neither) on the bucket's backend. `version_id` is `null` for what was
    written while versions were not kept; `version_seq` orders the versions of a key, the newest has the highest.
    `lock` is {"mode", "until" (ISO 8601), "hold"}, what is not set left out. `sse` says how the bytes are sealed
    (storage.store.sealed), `parts` of how many parts the object was made: [{"size", "checksums"}].
    """

    tenant = models.ForeignKey(
        "tenants.Tenant", models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    # The composite key (tenant, bucket) of the migration is the one constraint: each one more costs every PUT.
    bucket = models.ForeignKey(Bucket, models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    key = models.TextField(db_collation=BYTES)
    version_id = models.TextField(db_default="null")
    version_seq = models.BigIntegerField(db_default=0)
    size = models.BigIntegerField()
    etag = models.CharField(max_length=80)
    content_type = models.TextField()
    metadata = models.JSONField(default=dict)
    headers = models.JSONField(default=dict)
    checksums = models.JSONField(default=dict)
    tags = models.JSONField(default=dict, db_default={})
    lock = models.JSONField(default=dict, db_default={})
    sse = models.JSONField(null=True)
    parts = models.JSONField(null=True)
    last_modified = models.DateTimeField()
    writer = models.CharField(max_length=150)
    blob = models.CharField(max_length=40, null=True)  # noqa: DJ001 - null is "not in a file"
    inline = models.BinaryField(null=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.key


class Object(StoredObject):
    """An object of a bucket as it is now: its newest version, where that is no delete marker."""

    class Meta:
        ordering = ["key"]
        constraints = [
            # The bucket stands for the tenant: the composite key ties the two.
            models.UniqueConstraint(fields=["bucket", "key"], name="object_key_in_bucket"),
            models.UniqueConstraint(
                fields=["blob"], condition=Q(blob__isnull=False), name="object_owns_blob"
            ),
        ]


class ObjectVersion(StoredObject):
    """A version that is not the current object: an older one, or a delete marker (also the newest)."""

    is_delete_marker = models.BooleanField(default=False)
    noncurrent_since = models.DateTimeField(null=True)

    class Meta:
        ordering = ["key", "-version_seq"]
        constraints = [
            models.UniqueConstraint(fields=["bucket", "key", "version_id"], name="version_id_of_key"),
            models.UniqueConstraint(
                fields=["blob"], condition=Q(blob__isnull=False), name="version_owns_blob"
            ),
        ]
        indexes = [models.Index(fields=["bucket", "key", "-version_seq"], name="versions_in_order")]


class BlobGarbage(models.Model):
    """A blob that no row needs any more. Its file goes once the reads that began before are over."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+", db_constraint=False)
    blob = models.CharField(max_length=40)
    due_at = models.DateTimeField(db_index=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "blob garbage"

    def __str__(self) -> str:
        return str(self.blob)
