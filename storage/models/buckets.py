"""Buckets, and where each lies."""

from __future__ import annotations

from typing import Self

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F
from django.utils import timezone

from gateway.db.models import PublicId, TenantQuerySet

from .backends import Backend
from .collation import BYTES


class Bucket(PublicId):
    """A named set of objects. Names are unique within the tenant; where the bytes lie is its placement's affair.

    `public_name` is the name again once the policy opens the bucket to others than its tenant: such names are
    unique platform-wide, so that a stranger's request can only mean one bucket.
    """

    class Versioning(models.TextChoices):
        """Once enabled it can be suspended, never undone."""

        UNVERSIONED = "", "Unversioned"
        ENABLED = "Enabled"
        SUSPENDED = "Suspended"

    class Ownership(models.TextChoices):
        """What was said of who owns the objects, which is the bucket's tenant with any of these."""

        UNSAID = "", "The bucket's owner"
        ENFORCED = "BucketOwnerEnforced", "The bucket's owner, as asked for"
        REMOVED = "removed", "The bucket's owner, though no longer asked for"

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    name = models.CharField(max_length=63)
    public_name = models.CharField(max_length=63, null=True, blank=True, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=150, blank=True)
    versioning = models.CharField(
        max_length=9, choices=Versioning, blank=True, default=Versioning.UNVERSIONED
    )
    location = models.CharField(
        max_length=64,
        blank=True,
        help_text="The LocationConstraint it was made with: told, and nothing else.",
    )
    ownership = models.CharField(
        max_length=19,
        choices=Ownership,
        blank=True,
        default=Ownership.UNSAID,
        help_text="Who owns its objects.",
    )
    object_lock = models.BooleanField(default=False, help_text="Versions may be locked; never undone.")
    default_retention = models.JSONField(
        null=True, blank=True, help_text='{"mode": "GOVERNANCE" or "COMPLIANCE", "days" or "years": N}'
    )
    encryption = models.CharField(
        max_length=16, blank=True, help_text="AES256: objects are sealed unless they ask otherwise."
    )
    policy = models.TextField(blank=True, help_text="The bucket policy as it was put, JSON.")
    public_access_block = models.JSONField(null=True, blank=True, help_text="S3's four flags; unset: none.")
    cors = models.JSONField(default=list, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    lifecycle = models.JSONField(default=list, blank=True)
    lifecycle_at = models.DateTimeField(
        null=True, editable=False, help_text="When the rules were last applied."
    )
    notifications = models.JSONField(default=dict, blank=True)
    quota_bytes = models.BigIntegerField(null=True, blank=True, validators=[MinValueValidator(0)])
    quota_objects = models.BigIntegerField(null=True, blank=True, validators=[MinValueValidator(0)])

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="bucket_name_in_tenant")]

    def __str__(self) -> str:
        return self.name


class PlacementQuerySet(TenantQuerySet):
    def drifted(self) -> Self:
        """Whose bucket on the backend is not yet what was asked for."""
        return self.exclude(desired_state=F("observed_state"))


class Placement(models.Model):
    """A bucket's place on a backend: what was asked for, and what was last seen there.

    `backend_bucket` is the real name on a remote backend. A placement outlives its bucket until the backend's
    bucket is gone too. One per bucket for now; replicas will be further ones.
    """

    class State(models.TextChoices):
        PRESENT = "present"
        ABSENT = "absent"

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    bucket = models.OneToOneField(
        Bucket, models.SET_NULL, null=True, related_name="placement", db_constraint=False
    )
    backend = models.ForeignKey(Backend, models.PROTECT, related_name="placements")
    backend_bucket = models.CharField(max_length=63)
    desired_state = models.CharField(max_length=8, choices=State, default=State.PRESENT)
    observed_state = models.CharField(max_length=8, choices=State, default=State.ABSENT)
    attempts = models.IntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    error = models.CharField(max_length=500, blank=True)
    scanned_at = models.DateTimeField(
        null=True, editable=False, help_text="When the backend was last read through."
    )
    scan_after = models.TextField(blank=True, default="", db_collation=BYTES, editable=False)

    objects = PlacementQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["backend", "backend_bucket"], name="placement_backend_bucket")
        ]

    def __str__(self) -> str:
        return f"{self.backend_bucket} on {self.backend}"

    @property
    def is_settled(self) -> bool:
        return self.desired_state == self.observed_state
