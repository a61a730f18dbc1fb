"""Tenants, their host names and their limits."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

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
        """All tenants for platform staff, the deleted too; else the caller's own."""
        return self.all() if principal.is_staff else self.filter(pk=principal.tenant.pk)

    def present(self) -> Self:
        """Those that are neither deleted nor purged."""
        return self.filter(status__in=[Tenant.Status.ACTIVE, Tenant.Status.SUSPENDED])

    def to_be_purged(self, now: datetime) -> Self:
        return self.filter(status=Tenant.Status.DELETED, purge_at__lte=now)


class Tenant(PublicId):
    """A team or customer. Everything else belongs to one; names resolve inside it.

    active ⇄ suspended; either → deleted (refused everywhere at once, hidden) → back to what it was, or, once
    `purge_at` is over, → purged: a tombstone without name and slug, which the audit log refers to.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"
        DELETED = "deleted"
        PURGED = "purged"

    name = models.CharField(max_length=200)
    slug = models.CharField(max_length=63, unique=True, validators=[SLUG])
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    created_at = models.DateTimeField(auto_now_add=True)
    suspended_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    purge_at = models.DateTimeField(null=True, blank=True, editable=False)
    purge_error = models.CharField(max_length=500, blank=True, editable=False)

    objects = TenantOwnQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.slug


def challenge_token() -> str:
    return secrets.token_urlsafe(24)


class DomainQuerySet(TenantQuerySet):
    def routing(self) -> Self:
        """Those whose requests act in their tenant: verified, of a tenant that is not deleted."""
        present = [Tenant.Status.ACTIVE, Tenant.Status.SUSPENDED]
        return self.filter(verified_at__isnull=False, tenant__status__in=present)


class Domain(PublicId):
    """A host name that a tenant claims; once it is verified, its requests act in the tenant.

    Several tenants may claim a name, one may have it verified. `lost_at` is since when a verified name's proof is
    missing. While `next_check_at` is set, the sweep looks for the proof then.
    """

    class Method(models.TextChoices):
        DNS = "dns"
        HTTP = "http"
        STAFF = "staff"

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="domains")
    hostname = models.CharField(max_length=253, validators=[HOSTNAME])
    token = models.CharField(max_length=43, default=challenge_token, editable=False)
    method = models.CharField(max_length=8, choices=Method, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    check_error = models.CharField(max_length=300, blank=True, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    next_check_at = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)
    lost_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DomainQuerySet.as_manager()

    class Meta:
        ordering = ["hostname"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "hostname"], name="domain_once_in_tenant"),
            models.UniqueConstraint(
                fields=["hostname"], condition=Q(verified_at__isnull=False), name="domain_verified_once"
            ),
        ]

    def __str__(self) -> str:
        return self.hostname

    @property
    def state(self) -> str:
        """`pending`, `verified`, or `failing`: verified, and its proof is missing now."""
        if self.verified_at is None:
            return "pending"
        return "failing" if self.lost_at else "verified"


class Quota(models.Model):
    """A tenant's limits; unset means unlimited."""

    tenant = models.OneToOneField(Tenant, models.CASCADE, related_name="quota")
    storage_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    buckets = models.PositiveIntegerField(null=True, blank=True)
    access_keys = models.PositiveIntegerField(null=True, blank=True)
    users = models.PositiveIntegerField(null=True, blank=True)
    api_keys = models.PositiveIntegerField(null=True, blank=True)
    workspaces = models.PositiveIntegerField(null=True, blank=True)
    workspaces_per_user = models.PositiveIntegerField(null=True, blank=True)
    services = models.PositiveIntegerField(null=True, blank=True)
    instance_memory_bytes = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="The most that one workspace or service may be given."
    )
    instance_cpu_millis = models.PositiveIntegerField(
        null=True, blank=True, help_text="Thousandths of a core, the most for one workspace or service."
    )
    devices = models.PositiveIntegerField(null=True, blank=True)

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
