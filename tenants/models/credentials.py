"""What programs sign in with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from gateway.db.models import PublicId, TenantQuerySet

if TYPE_CHECKING:
    pass
from .people import User
from .tenants import Tenant


class ApiKey(PublicId):
    """`mcp_<prefix>_<secret>`: the prefix finds the row, Argon2 holds the secret. Shown once."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="api_keys")
    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, unique=True)
    secret_hash = models.CharField(max_length=200)
    permissions = ArrayField(
        models.CharField(max_length=64),
        null=True,
        blank=True,
        help_text="Empty: none. Unset: all that the owner's role holds. Never more than that.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def __str__(self) -> str:
        return f"{self.name} (mcp_{self.prefix}_…)"

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())
