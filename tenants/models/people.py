"""People, their places in tenants, and roles."""

from __future__ import annotations

from typing import ClassVar, Self

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from gateway.db.models import PublicId, TenantQuerySet

from .tenants import SLUG, Tenant


class User(AbstractUser, PublicId):
    """A person, known platform-wide. A tenant sees those who are its members (row policy by membership).

    The username is unique platform-wide, in any case of letters; an e-mail address among the members of a tenant.
    """

    class Kind(models.TextChoices):
        PERSON = "person"
        SERVICE = "service", "service account"  # signs in nowhere: it holds API keys in one tenant

    first_name = last_name = None  # type: ignore[assignment]
    name = models.CharField(max_length=150, blank=True)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.PERSON, editable=False)
    nexusgate_user_id = models.CharField(
        "NEXUSGATE user id",
        max_length=255,
        unique=True,
        null=True,
        blank=True,
        help_text="The account at the external issuer whose tokens act as this one.",
    )

    class Meta:
        ordering = ["username"]
        constraints = [
            models.UniqueConstraint(Lower("username"), name="user_username_ci"),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(Lower("email"), name="user_email_ci")]

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name or self.username


class Role(PublicId):
    """A named set of permissions within a tenant, of its own and of the role it extends.

    `base` and `granted` sum up the chain of roles extended, so that whoever asks what a role holds reads one row
    (`tenants.permissions.held`): the slug of the built-in role that the chain ends in, "" if in none, and the
    permissions of the custom roles along it. `services.roles` keeps them so. Of a built-in role the code's registry
    holds the permissions, and `base` is the role itself.
    """

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="roles")
    slug = models.CharField(max_length=63, validators=[SLUG])
    name = models.CharField(max_length=100)
    permissions = ArrayField(models.CharField(max_length=64), default=list, blank=True)
    extends = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="extended_by")
    base = models.CharField(max_length=63, blank=True, editable=False)
    granted = ArrayField(models.CharField(max_length=64), default=list, blank=True, editable=False)
    is_builtin = models.BooleanField(default=False)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [models.UniqueConstraint(fields=["tenant", "slug"], name="role_slug_in_tenant")]

    def __str__(self) -> str:
        return self.name


class MemberQuerySet(TenantQuerySet):
    def named(self, text: str) -> Self:
        """Those whose username, name or e-mail address holds the text, in either case."""
        fields = ("user__username__icontains", "user__name__icontains", "user__email__icontains")
        return self.filter(Q.create([(field, text) for field in fields], connector=Q.OR))


class Membership(PublicId):
    """A user's place in a tenant."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.ForeignKey(Role, models.PROTECT, related_name="memberships")
    is_active = models.BooleanField(default=True)
    is_default = models.BooleanField(default=False, help_text="Acted in when a request names no tenant.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MemberQuerySet.as_manager()

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


class Invitation(PublicId):
    """Somebody asked into a tenant by e-mail. The link's token is kept as a digest only.

    Pending until it is accepted, revoked or past `expires_at`.
    """

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="invitations")
    email = models.EmailField()
    name = models.CharField(max_length=150, blank=True)
    role = models.ForeignKey(Role, models.SET_NULL, null=True, related_name="invitations")
    token_digest = models.CharField(max_length=64, unique=True)
    # By name: the invitation outlives who made it, who may be platform staff and no member.
    invited_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.CharField(max_length=150, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                "tenant",
                Lower("email"),
                condition=Q(accepted_at=None, revoked_at=None),
                name="invitation_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} into {self.tenant}"

    @property
    def state(self) -> str:
        """`accepted`, `revoked`, `expired` or `pending`."""
        if self.accepted_at is not None:
            return "accepted"
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= timezone.now() else "pending"
