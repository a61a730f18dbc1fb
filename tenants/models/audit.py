"""What was done, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

from gateway.db.models import PublicId, TenantQuerySet

if TYPE_CHECKING:
    pass
from .tenants import Tenant


class AuditEntry(PublicId):
    """What was done, by whom, with which credential and from where. The database refuses to change or delete it."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="audit_entries")
    at = models.DateTimeField(default=timezone.now, db_index=True)
    # No foreign key: the entry outlives the user.
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=150)
    credential = models.CharField(max_length=80)
    ip = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64)
    action = models.CharField(max_length=100)
    target = models.CharField(max_length=300)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["tenant", "-id"], name="audit_newest")]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"
