"""Tenants, their host names and their limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models

from gateway.db.models import PublicId, TenantQuerySet

if TYPE_CHECKING:
    from tenants.principal import Principal


PLATFORM_SLUG = "platform"


SLUG_FORM = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"


SLUG = RegexValidator(rf"^{SLUG_FORM}\Z", "Lower-case letters, digits and hyphens, at most 63.")


HOSTNAME = RegexValidator(
    r"^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$",
    "A host name such as files.example.org, in lower case.",
)


class TenantOwnQuerySet(models.QuerySet["Tenant"]):
    def visible_to(self, principal: Principal) -> Self:
        """All tenants for platform staff, else the caller's own."""
        return self.all() if principal.is_staff else self.filter(pk=principal.tenant.pk)


class Tenant(PublicId):
    """A team or customer. Everything else belongs to one; names resolve inside it."""

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"

    name = models.CharField(max_length=200)
    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantOwnQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Domain(PublicId):
    """A host name whose requests act in the tenant."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="domains")
    hostname = models.CharField(max_length=253, unique=True, validators=[HOSTNAME])
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["hostname"]

    def __str__(self) -> str:
        return self.hostname


class Quota(models.Model):
    """A tenant's limits; unset means unlimited."""

    tenant = models.OneToOneField(Tenant, models.CASCADE, related_name="quota")
    storage_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    buckets = models.PositiveIntegerField(null=True, blank=True)
    access_keys = models.PositiveIntegerField(null=True, blank=True)
    users = models.PositiveIntegerField(null=True, blank=True)
    api_keys = models.PositiveIntegerField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Limits of {self.tenant}"


class TenantSettings(models.Model):
    """How a tenant is run. What is unset follows the platform."""

    tenant = models.OneToOneField(Tenant, models.CASCADE, related_name="settings")
    require_second_factor = models.BooleanField(
        default=False, help_text="Members sign in with a second factor, or set one up first."
    )
    disabled_features = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, help_text="Features switched off."
    )
    allowed_backends = ArrayField(
        models.CharField(max_length=63), null=True, blank=True, help_text="Names; unset: all it can see."
    )
    allowed_regions = ArrayField(
        models.CharField(max_length=63), null=True, blank=True, help_text="Unset: any region."
    )
    api_rate = models.PositiveIntegerField(
        null=True, blank=True, help_text="API requests a minute and caller."
    )
    auth_rate = models.PositiveIntegerField(null=True, blank=True, help_text="Sign-ins a minute and account.")
    s3_rate = models.PositiveIntegerField(null=True, blank=True, help_text="S3 requests a minute.")
    audit_retention_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Days that sealed audit entries are kept."
    )

    objects = TenantQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "tenant settings"

    def __str__(self) -> str:
        return f"Settings of {self.tenant}"
