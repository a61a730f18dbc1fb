"""What the platform knows of itself."""

from __future__ import annotations

from django.db import models


class ComponentState(models.Model):
    """The state of a component that was last told as an event (`gateway.health.watch`, its only writer).

    Of the whole platform: only the platform's own role sees it.
    """

    name = models.CharField(max_length=32, primary_key=True)
    status = models.CharField(max_length=8)
    since = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} {self.status}"
