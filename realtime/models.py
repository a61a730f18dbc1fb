"""The event log."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from gateway.db.models import TenantQuerySet


class Event(models.Model):
    """One thing that happened in a tenant. Within a tenant, ids rise in the order of commits.

    Rows are written by the SQL functions `publish_event` (`realtime.services.publish`) and `publish_events` alone;
    none is ever changed.
    """

    tenant = models.ForeignKey("tenants.Tenant", models.PROTECT, related_name="+", db_index=False)
    type = models.CharField(max_length=100)
    source = models.CharField(max_length=300)
    subject = models.TextField()
    time = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=150, blank=True)
    data = models.JSONField(default=dict)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["tenant", "id"], name="event_in_order")]

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"
