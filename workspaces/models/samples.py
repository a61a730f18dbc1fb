"""What instances used, over time."""

from __future__ import annotations

from django.db import models

from gateway.db.models import TenantQuerySet


class Sample(models.Model):
    """One reading of an instance's use, by its key; old ones are thinned and removed by a sweep."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    key = models.CharField(max_length=18)
    at = models.DateTimeField()
    cpu_millis = models.PositiveIntegerField(help_text="Mean of the time since the sample before.")
    cpu_seconds = models.FloatField(help_text="Since its start.")
    memory_bytes = models.PositiveBigIntegerField()
    pids = models.PositiveIntegerField(default=0)
    received_bytes = models.PositiveBigIntegerField(default=0)
    sent_bytes = models.PositiveBigIntegerField(default=0)

    objects = TenantQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["key", "at"], name="sample_of_key"),
            models.Index(fields=["at"], name="sample_by_time"),
        ]
