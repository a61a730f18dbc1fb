"""Writes to remote backends of which the answer is not known yet."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone

from gateway.db.models import TenantQuerySet

from .buckets import Bucket
from .collation import BYTES


class WriteIntent(models.Model):
    """A write to a remote backend that was forwarded: the answer commits it, or the sweeper finds out.

    `verify` is left by writes of one key that overlapped: whose bytes won, the backend alone knows. `lost` is
    a put that the edge may still be at, but the process that would have heard of its end is gone: it counts nothing
    and holds up nobody, and is committed if an answer still comes.
    """

    class Kind(models.TextChoices):
        PUT = "put"
        DELETE = "delete"
        VERIFY = "verify"
        LOST = "lost"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    bucket = models.ForeignKey(Bucket, models.CASCADE, related_name="+", db_constraint=False)
    key = models.TextField(db_collation=BYTES)
    kind = models.CharField(max_length=6, choices=Kind)
    size = models.BigIntegerField(default=0)
    content_type = models.TextField(blank=True)
    metadata = models.JSONField(default=dict)
    headers = models.JSONField(default=dict)
    checksums = models.JSONField(default=dict)
    tags = models.JSONField(default=dict, db_default={})
    lock = models.JSONField(default=dict, db_default={})
    sse = models.JSONField(null=True)
    parts = models.JSONField(null=True)
    version_id = models.TextField(
        blank=True, db_default="", help_text="Of a delete: the one version that goes."
    )
    writer = models.CharField(max_length=150)
    began_at = models.DateTimeField(default=timezone.now)
    next_check_at = models.DateTimeField(default=timezone.now, db_index=True)
    ended_at = models.DateTimeField(
        null=True,
        help_text="Since when nobody waits for the backend's answer any more: it is done there, or never.",
    )
    holder = models.IntegerField(
        null=True, help_text="The decision process that will hear of its end; each start has another number."
    )
    completes = models.UUIDField(null=True, help_text="Of a Complete: the upload that ends with it.")
    contested = models.BooleanField(
        default=False, help_text="Another write of the key was committed meanwhile."
    )

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["bucket", "key"], name="intent_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
