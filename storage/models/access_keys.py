"""The keys that S3 clients sign with."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.db.models import PublicId, TenantQuerySet


class AccessKey(PublicId):
    """An S3 access key: it acts as its user in its tenant. The secret is sealed, since SigV4 needs it in clear."""

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    user = models.ForeignKey("tenants.User", models.CASCADE, related_name="+")
    name = models.CharField(max_length=100)
    access_key_id = models.CharField(max_length=20, unique=True)
    secret_sealed = models.BinaryField(editable=False)
    permissions = ArrayField(
        models.CharField(max_length=64),
        null=True,
        blank=True,
        help_text="Unset: all that the owner's role holds. Never more than that.",
    )
    buckets = ArrayField(
        models.CharField(max_length=127),  # <tenant>:<bucket>
        null=True,
        blank=True,
        help_text="Unset: every bucket. Another tenant's is named <tenant>:<bucket>.",
    )
    prefixes = ArrayField(
        models.TextField(),
        null=True,
        blank=True,
        help_text="Beginnings of keys it may use; unset: every key.",
    )
    actions = ArrayField(
        models.CharField(max_length=64),
        null=True,
        blank=True,
        help_text="S3's actions that it may do, s3:Get* for instance; unset: all.",
    )
    allowed_networks = ArrayField(
        models.CharField(max_length=64), default=list, blank=True, help_text="CIDR; empty: from everywhere."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_internal = models.BooleanField(
        default=False, editable=False, help_text="Signs the links that the platform hands out."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.access_key_id})"

    @property
    def secret_aad(self) -> bytes:
        """What binds the sealed secret to this row."""
        return access_key_aad(self.access_key_id)


def access_key_aad(access_key_id: str) -> bytes:
    return b"storage.accesskey:" + access_key_id.encode()
