"""The places that objects may lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateway.db.models import PublicId

if TYPE_CHECKING:
    from tenants.principal import Principal


class BackendQuerySet(models.QuerySet["Backend"]):
    def visible_to(self, principal: Principal) -> Self:
        """The tenant's own backends and those that the platform shares."""
        return self.filter(Q(tenant_id=principal.tenant.pk) | Q(tenant__isnull=True))


class Backend(PublicId):
    """A place for objects: our own store (`local`) or somebody's S3 (`s3`).

    Without a tenant it is the platform's and all tenants may place buckets there. The kinds are those that
    `storage.providers` knows, which is why no choices stand here.
    """

    class ChecksumMode(models.TextChoices):
        """Whether our own client adds the checksums that newer SDKs send by default; many vendors lack them."""

        WHEN_SUPPORTED = "when_supported"
        WHEN_REQUIRED = "when_required"

    tenant = models.ForeignKey(
        "tenants.Tenant",
        models.CASCADE,
        related_name="+",
        null=True,
        blank=True,
        help_text="Unset: shared by all.",
    )
    name = models.CharField(max_length=63)
    kind = models.CharField(max_length=16)
    is_default = models.BooleanField(default=False, help_text="Takes the buckets that name no backend.")
    endpoint = models.URLField(max_length=300, blank=True)
    region = models.CharField(max_length=64, blank=True)
    access_key = models.CharField(max_length=200, blank=True)
    secret_sealed = models.BinaryField(default=bytes, editable=False)
    path_style = models.BooleanField(default=True)
    checksum_mode = models.CharField(max_length=16, choices=ChecksumMode, default=ChecksumMode.WHEN_REQUIRED)
    vendor = models.CharField(
        max_length=32, blank=True, help_text="Whose S3 it is: what it lacks is known by this name."
    )
    ca_bundle = models.TextField(blank=True, help_text="PEM certificates to trust instead of the system's.")
    may_be_private = models.BooleanField(
        default=False,
        editable=False,
        help_text="Platform staff named its address: also a private one is dialled.",
    )
    capabilities = models.JSONField(default=dict, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    check_error = models.CharField(max_length=500, blank=True, editable=False)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    next_check_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = BackendQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="backend_name", nulls_distinct=False),
            models.UniqueConstraint(
                fields=["tenant"],
                condition=Q(is_default=True),
                name="backend_one_default",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def secret_aad(self) -> bytes:
        """What binds the sealed secret to this row."""
        return b"storage.backend:" + self.public_id.bytes
