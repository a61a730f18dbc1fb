"""Who is signed in where."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from gateway.db.models import PublicId

from .people import User


class SignIn(PublicId):
    """One signing in: a browser's session, or the tokens that were had for one password (a family).

    Ending it ends the session, every access token (claim `sid`) and the refresh token. It belongs to the account and
    to no tenant: only the platform's own role sees it.
    """

    class Kind(models.TextChoices):
        SESSION = "session"
        TOKENS = "tokens"

    class Shown(models.TextChoices):
        TOTP = "totp", "Authenticator app"
        WEBAUTHN = "webauthn", "Security key"
        RECOVERY_CODE = "recovery_code"

    class Reason(models.TextChoices):
        SIGNED_OUT = "signed_out"
        ENDED = "ended", "Ended by the person"
        ENDED_BY_STAFF = "ended_by_staff"
        PASSWORD_CHANGED = "password_changed"  # noqa: S105
        DEACTIVATED = "deactivated"
        REFRESH_REUSED = "refresh_reused", "A spent refresh token was used"
        EXPIRED = "expired"

    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    kind = models.CharField(max_length=16, choices=Kind)
    session_key = models.CharField(max_length=40, blank=True, db_index=True, editable=False)
    refresh_id = models.CharField(
        max_length=64,
        blank=True,
        editable=False,
        help_text="The jti of the one refresh token that is not spent.",
    )
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)
    second_factor = models.CharField(
        max_length=16, choices=Shown, blank=True, help_text="Its kind; empty: password alone."
    )
    created_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now, help_text="To the minute.")
    confirmed_at = models.DateTimeField(default=timezone.now, help_text="When the password was last entered.")
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=24, choices=Reason, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["user", "-id"], name="sign_in_newest")]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_kind_display()} from {self.ip or 'nowhere'}"
