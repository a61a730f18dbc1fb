"""Links by which people without an account download an object."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from gateway.db.models import PublicId, TenantQuerySet

from .buckets import Bucket
from .collation import BYTES


class ShareLink(PublicId):
    """Whoever has its link may download one object, until it expires or is revoked.

    It acts as its user, so it ends with what they may, and with the API key that it was made with, if it was. Without a
    version it is of what the key holds at the time. Of the token in the link only a digest is kept.
    """

    tenant = models.ForeignKey("tenants.Tenant", models.CASCADE, related_name="+")
    bucket = models.ForeignKey(Bucket, models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    user = models.ForeignKey("tenants.User", models.CASCADE, related_name="+")
    api_key = models.ForeignKey("tenants.ApiKey", models.CASCADE, null=True, blank=True, related_name="+")
    key = models.TextField(db_collation=BYTES)
    version_id = models.TextField(blank=True)
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    downloads_count = models.BigIntegerField(default=0)
    downloaded_at = models.DateTimeField(null=True, blank=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["bucket", "key"], name="share_links_of_key")]

    def __str__(self) -> str:
        return f"{self.key}, shared by {self.user}"

    @property
    def state(self) -> str:
        """`works`, `revoked`, `key_revoked` (the API key that it was made with) or `expired`."""
        if self.revoked_at is not None:
            return "revoked"
        ends, key = self.expires_at, self.api_key
        if key is not None:
            ends = min(ends, key.expires_at or ends)
            if key.revoked_at is not None and key.revoked_at < ends:
                return "key_revoked"
        return "expired" if ends <= timezone.now() else "works"
