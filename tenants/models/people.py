"""People, their places in tenants, and roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from gateway.db.models import PublicId, TenantQuerySet

if TYPE_CHECKING:
    pass
from .tenants import SLUG, Tenant


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
