"""What programs sign in with."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from gateway.db.models import PublicId, TenantQuerySet

from .people import User
from .tenants import Tenant


class ApiKey(PublicId):
    """`mcp_<prefix>_<secret>`: the prefix finds the row, Argon2 holds the secret. Shown once.

    A rotation gives the key another prefix and secret; the ones before work until `previous_until`.
    """

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="api_keys")
    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, unique=True)
    secret_hash = models.CharField(max_length=200)
    previous_prefix = models.CharField(max_length=12, unique=True, null=True, blank=True)
    previous_hash = models.CharField(max_length=200, blank=True)
    previous_until = models.DateTimeField(null=True, blank=True)
    permissions = ArrayField(
        models.CharField(max_length=64),
        null=True,
        blank=True,
        help_text="Empty: none. Unset: all that the owner's role holds. Never more than that.",
    )
    allowed_networks = ArrayField(
        models.CharField(max_length=43),
        default=list,
        blank=True,
        help_text="Addresses and networks (CIDR) that it is taken from. Empty: any.",
    )
    # By name: who made a service account's key may be gone.
    created_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_ip = models.GenericIPAddressField(null=True, blank=True)
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

    @property
    def in_rotation(self) -> bool:
        """Whether the secret before the present one still works."""
        return self.previous_until is not None and self.previous_until > timezone.now()


class SigningKey(models.Model):
    """A key pair that signs the platform's tokens. The private part is sealed, and forgotten once it signs no more.

    It is published from when it is made, signs from `signs_from` until a younger one does, and verifies until
    `verifies_until`, by when the last token signed with it has ended. The platform's, no tenant's.
    """

    kid = models.CharField(max_length=32, unique=True)
    algorithm = models.CharField(max_length=16)
    public_pem = models.TextField()
    private_sealed = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    signs_from = models.DateTimeField()
    verifies_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-signs_from"]

    def __str__(self) -> str:
        return self.kid

    @property
    def aad(self) -> bytes:
        return f"tenants.signing_key:{self.kid}".encode()

    @property
    def is_live(self) -> bool:
        return self.verifies_until is None or self.verifies_until > timezone.now()
