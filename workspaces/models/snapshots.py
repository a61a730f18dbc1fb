"""Copies of a workspace's volume."""

from __future__ import annotations

from django.db import models

from gateway.db.models import PublicId, TenantQuerySet

from .workspaces import Workspace


class VolumeSnapshot(PublicId):
    """A volume's content at one moment: a compressed tar below the home, named by `public_id`."""

    class State(models.TextChoices):
        PENDING = "pending"
        READY = "ready"
        FAILED = "failed"

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="snapshots")
    name = models.CharField(max_length=100)
    state = models.CharField(max_length=7, choices=State, default=State.PENDING)
    size_bytes = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    error = models.CharField(max_length=500, blank=True)
    # Where it comes from instead of the volume, or goes to: a sealed link to an object of a bucket.
    source_sealed = models.BinaryField(default=bytes, editable=False)
    target_sealed = models.BinaryField(default=bytes, editable=False)
    target = models.CharField(max_length=1100, blank=True, help_text="The object that it was copied to.")
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    @property
    def links_aad(self) -> bytes:
        """What binds the sealed links to this row."""
        return b"workspaces.volumesnapshot:" + self.public_id.bytes
