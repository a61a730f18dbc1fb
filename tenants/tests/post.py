"""What the platform has mailed."""

from __future__ import annotations

import re

from django.core import mail as django_mail

from tenants.services import mail


def letters() -> list[django_mail.EmailMessage]:
    """All that was sent so far, what waited included."""
    mail.sweep()
    return list(getattr(django_mail, "outbox", []))


def token_in(letter: django_mail.EmailMessage) -> str:
    """Of the one link in it."""
    (link,) = re.findall(r"https?://\S+", str(letter.body))
    return str(link.rsplit("/", 1)[1])
