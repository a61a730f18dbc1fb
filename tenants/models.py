"""Tenants, the people in them, what they may do, and what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from gateway.db.models import PublicId, TenantQuerySet

if TYPE_CHECKING:
    from .principal import Principal

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


class User(AbstractUser, PublicId):
    """A person, known platform-wide. A tenant sees those who are its members (row policy by membership)."""

    class Meta:
        ordering = ["username"]
        constraints = [
            models.UniqueConstraint(Lower("username"), name="user_username_ci"),
        ]


class Role(PublicId):
    """A named set of permissions within a tenant. Of a built-in one the code's registry holds the permissions."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="roles")
    slug = models.CharField(max_length=63, validators=[SLUG])
    name = models.CharField(max_length=100)
    permissions = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    is_builtin = models.BooleanField(default=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="role_slug_in_tenant")]

    def __str__(self) -> str:
        return self.name


class Membership(PublicId):
    """A user's place in a tenant."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.ForeignKey(Role, models.PROTECT, related_name="memberships")
    is_active = models.BooleanField(default=True)
    is_default = models.BooleanField(default=False, help_text="Acted in when a request names no tenant.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["user__username"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_once"),
            models.UniqueConstraint(
                fields=["user"], condition=Q(is_default=True), name="membership_one_default"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}"


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
