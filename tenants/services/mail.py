"""Outgoing e-mail: a row in the transaction that wants it sent, sent after the commit, swept where that was lost.

A mail may go out twice (a crash between sending and writing so), never not at all before it is given up: after
MOST_ATTEMPTS, when the server refuses it for good, or when its content has expired.
"""

from __future__ import annotations

import logging
import smtplib
from datetime import datetime, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from gateway import crypto
from gateway.db.scope import platform_scope
from gateway.errors import RateLimited
from gateway.queue import enqueue
from tenants import tasks
from tenants.models import Mail

log = logging.getLogger(__name__)
MOST_ATTEMPTS = 12
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
KEPT = timedelta(days=30)
AT_ONCE = 200
MOST_AN_HOUR = 10
"""Letters of a kind that an address gets in an hour, whoever asks: nobody floods a mailbox by way of the platform."""
_WHY = "mail belongs to addresses, not to tenants"


def post(kind: str, recipient: str, subject: str, body: str, *, expires_at: datetime) -> Mail:
    """Have an e-mail sent once the caller's transaction has committed. Line breaks in the subject become spaces."""
    mail = Mail(
        kind=kind, recipient=recipient, subject=" ".join(subject.split())[:200], expires_at=expires_at
    )
    mail.body_sealed = crypto.seal(body.encode(), _aad(mail))
    with platform_scope(_WHY):
        mail.save(force_insert=True)
    enqueue(tasks.send_mail, mail.pk)
    return mail


def has_enough(kind: str, recipient: str) -> bool:
    """Whether an address had MOST_AN_HOUR letters of that kind in the last hour."""
    since = timezone.now() - timedelta(hours=1)
    with platform_scope(_WHY):
        lately = Mail.objects.filter(kind=kind, recipient__iexact=recipient, created_at__gt=since)
        return lately.count() >= MOST_AN_HOUR


def check_room(kind: str, recipient: str) -> None:
    """Raises RateLimited where the address has enough."""
    if has_enough(kind, recipient):
        raise RateLimited(f"{recipient} had {MOST_AN_HOUR} letters within an hour.", retry_after=3600)


def post_nothing(kind: str) -> None:
    """What `post` does, and nothing is sent: for answers that take as long whether there is anybody to write to."""
    now = timezone.now()
    mail = Mail(kind=kind, subject="", expires_at=now, next_attempt_at=None, error="nobody to write to")
    mail.body_sealed = crypto.seal(b"", _aad(mail))
    with platform_scope(_WHY):
        mail.save(force_insert=True)
    enqueue(tasks.send_mail, mail.pk)


def deliver(mail_id: int) -> bool:
    """Send a mail that is due; whether it went. At the same time, in another process, it is not sent again."""
    with platform_scope(_WHY):
        mail = _claimed(mail_id)
        if mail is None:
            return False
        try:
            body = crypto.open_sealed(bytes(mail.body_sealed), _aad(mail)).decode()
            EmailMessage(mail.subject, body, to=[mail.recipient], headers=_headers(mail)).send()
        except (
            Exception
        ) as error:  # a server, a network, a library's complaint about an address: all may pass
            _failed(mail, error)
            return False
        done = {"sent_at": timezone.now(), "next_attempt_at": None, "error": "", "body_sealed": b""}
        Mail.objects.filter(pk=mail.pk).update(**done)
        return True


def sweep() -> None:
    """Send what is due, give up what has expired, forget what is long done."""
    now = timezone.now()
    with platform_scope(_WHY):
        open_mails = Mail.objects.filter(next_attempt_at__isnull=False)
        open_mails.filter(expires_at__lte=now).update(
            next_attempt_at=None, error="expired before it could be sent", body_sealed=b""
        )
        nobody = Q(recipient="", created_at__lt=now - timedelta(days=1))
        Mail.objects.filter(Q(created_at__lt=now - KEPT, next_attempt_at=None) | nobody).delete()
        waiting = open_mails.filter(next_attempt_at__lte=now).order_by("next_attempt_at", "pk")
        due = list(waiting.values_list("pk", flat=True)[:AT_ONCE])
    for mail_id in due:
        deliver(mail_id)


def send_again(mail: Mail) -> bool:
    """Staff have a mail that waits sent now; whether it still waited."""
    with platform_scope(_WHY), transaction.atomic():
        waiting = Mail.objects.filter(pk=mail.pk, next_attempt_at__isnull=False)
        found = bool(waiting.update(next_attempt_at=timezone.now()))
        enqueue(tasks.send_mail, mail.pk)
    return found


def _claimed(mail_id: int) -> Mail | None:
    """The mail, if it is due: counted as tried, and not due again before the next pause is over."""
    now = timezone.now()
    mail = Mail.objects.filter(pk=mail_id, next_attempt_at__lte=now, expires_at__gt=now).first()
    if mail is None:
        return None
    pause = min(FIRST_PAUSE * 2 ** min(mail.attempts, 10), LONGEST_PAUSE)
    mine = Mail.objects.filter(pk=mail_id, next_attempt_at=mail.next_attempt_at)
    return mail if mine.update(attempts=F("attempts") + 1, next_attempt_at=now + pause) else None


def _failed(mail: Mail, error: Exception) -> None:
    log.warning("mail %s was not sent: %s", mail.public_id, type(error).__name__)
    changed: dict[str, object] = {"error": f"{type(error).__name__}: {error}"[:300]}
    if mail.attempts + 1 >= MOST_ATTEMPTS or _for_good(error):
        changed |= {"next_attempt_at": None, "body_sealed": b""}
    Mail.objects.filter(pk=mail.pk).update(**changed)


def _for_good(error: Exception) -> bool:
    """Whether trying again is of no use: the server said so (RFC 5321, section 4.2.1: a code of 5xx)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, (smtplib.SMTPSenderRefused, smtplib.SMTPDataError)) and error.smtp_code >= 500


def _headers(mail: Mail) -> dict[str, str]:
    """Machine-made (RFC 3834), and the same id at each attempt, so that mail clients show one that came twice once."""
    return {"Auto-Submitted": "auto-generated", "Message-ID": f"<{mail.public_id}@{settings.PUBLIC_HOST}>"}


def _aad(mail: Mail) -> bytes:
    return b"tenants.mail:" + mail.public_id.bytes
