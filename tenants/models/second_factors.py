"""What somebody shows beside the password."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from gateway.db.models import PublicId

from .people import User


class SecondFactor(PublicId):
    """An authenticator app (TOTP, RFC 6238) or a security key (WebAuthn Level 2). Counts once it is confirmed.

    `sealed` holds the app's secret or, until a key is confirmed, the challenge it must sign. Of an app `counter` is
    the last time step that was used, of a key its signature counter: neither goes back.
    """

    class Kind(models.TextChoices):
        TOTP = "totp", "Authenticator app"
        WEBAUTHN = "webauthn", "Security key"

    user = models.ForeignKey(User, models.CASCADE, related_name="second_factors")
    kind = models.CharField(max_length=16, choices=Kind)
    name = models.CharField(max_length=100)
    sealed = models.BinaryField(default=bytes, editable=False)
    credential_id = models.BinaryField(null=True, unique=True, max_length=1023, editable=False)
    public_key = models.BinaryField(null=True, editable=False)
    transports = ArrayField(models.CharField(max_length=32), default=list, editable=False)
    counter = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_kind_display()})"

    @property
    def place(self) -> bytes:
        """What the sealed value is bound to."""
        return f"tenants.secondfactor:{self.public_id}".encode()


class RecoveryCode(models.Model):
    """A code of 80 random bits for when the factors are lost: only its SHA-256 is kept, and it works once."""

    user = models.ForeignKey(User, models.CASCADE, related_name="recovery_codes")
    digest = models.BinaryField(max_length=32, editable=False)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_once")]
