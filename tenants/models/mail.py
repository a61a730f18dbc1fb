"""E-mails that are to be sent, or were."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone

from gateway.db.models import PublicId


class Mail(PublicId):
    """One e-mail to one address. Its body, which may hold a link that opens something, is sealed, and gone once sent.

    Due at `next_attempt_at` until it was sent, or given up: `error` says why. It belongs to no tenant: only the
    platform's own role sees it.
    """

    kind = models.CharField(max_length=32)
    recipient = models.EmailField()
    subject = models.CharField(max_length=200)
    body_sealed = models.BinaryField(default=bytes, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(help_text="There is no use in sending it later.")
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(
                "next_attempt_at", condition=models.Q(next_attempt_at__isnull=False), name="mail_due"
            ),
            models.Index(Upper("recipient"), "created_at", name="mail_to"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}"

    @property
    def state(self) -> str:
        """`sent`, `waiting` or `given up`."""
        if self.sent_at is not None:
            return "sent"
        return "waiting" if self.next_attempt_at is not None else "given up"
