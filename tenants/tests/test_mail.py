"""E-mail: sent once the transaction has committed, tried again, given up, to a real SMTP server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage as Received
from email.parser import BytesParser
from email.policy import default as policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from django.db import transaction
from django.utils import timezone

from gateway import env
from gateway.db.scope import platform_scope
from tenants.models import Mail
from tenants.services import mail
from tests.ports import free_port

pytestmark = pytest.mark.django_db
SECRET = "https://example.org/app/invitations/s3cret"


class Mailbox:
    """What an SMTP server took; `answer` is what it says to the next recipient or message."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.rcpt = self.data = "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.rcpt.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.data.startswith("2"):
            message = BytesParser(policy=policy).parsebytes(envelope.content)
            assert isinstance(message, Received)
            self.received.append(message)
        return self.data


@pytest.fixture
def mailbox(settings: Any) -> Iterator[Mailbox]:
    """An SMTP server that the platform sends to."""
    port = free_port()
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    yield box
    server.stop()


def post(**fields: Any) -> Mail:
    given = {"expires_at": timezone.now() + timedelta(days=1), **fields}
    with platform_scope("test"), transaction.atomic():
        return mail.post("invitation", "Ann@example.org", "You are\ninvited", f"Come: {SECRET}\n", **given)


def row(posted: Mail) -> Mail:
    with platform_scope("test"):
        return Mail.objects.get(pk=posted.pk)


def make_due(posted: Mail) -> None:
    with platform_scope("the clock cannot be turned"):
        Mail.objects.filter(pk=posted.pk).update(next_attempt_at=timezone.now())


def test_it_arrives_once_and_its_body_is_forgotten(mailbox: Mailbox) -> None:
    posted = post()
    assert SECRET.encode() not in bytes(row(posted).body_sealed)
    assert mail.deliver(posted.pk)
    assert not mail.deliver(posted.pk)
    mail.sweep()
    (received,) = mailbox.received
    assert (received["To"], received["Subject"]) == ("Ann@example.org", "You are invited")
    assert SECRET in received.get_content() and received["Auto-Submitted"] == "auto-generated"
    kept = row(posted)
    assert (kept.state, kept.attempts, bytes(kept.body_sealed)) == ("sent", 1, b"")


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_sent(mailbox: Mailbox) -> None:
    with pytest.raises(ZeroDivisionError), platform_scope("test"), transaction.atomic():
        mail.post("invitation", "a@b.org", "x", "x", expires_at=timezone.now() + timedelta(days=1))
        raise ZeroDivisionError
    mail.sweep()
    assert mailbox.received == []


def test_a_server_that_is_busy_is_asked_again_later(mailbox: Mailbox) -> None:
    mailbox.data = "451 Try later"
    posted = post()
    assert not mail.deliver(posted.pk)
    waits = row(posted)
    assert (waits.state, waits.attempts) == ("waiting", 1) and "451" in waits.error
    assert waits.next_attempt_at is not None and waits.next_attempt_at > timezone.now()
    mail.sweep()  # not yet
    assert row(posted).attempts == 1
    mailbox.data = "250 OK"
    make_due(posted)
    mail.sweep()
    assert len(mailbox.received) == 1 and row(posted).state == "sent"


def test_a_server_that_is_not_there_is_asked_again_later(mailbox: Mailbox, settings: Any) -> None:
    settings.EMAIL_PORT = 1
    posted = post()
    assert not mail.deliver(posted.pk)
    assert row(posted).state == "waiting" and "ConnectionRefused" in row(posted).error


@pytest.mark.parametrize("at", ["rcpt", "data"])
def test_what_is_refused_for_good_is_given_up(mailbox: Mailbox, at: str) -> None:
    setattr(mailbox, at, "550 No such user")
    posted = post()
    assert not mail.deliver(posted.pk)
    over = row(posted)
    assert (over.state, bytes(over.body_sealed)) == ("given up", b"") and "550" in over.error
    assert not mail.deliver(posted.pk)


def test_it_is_given_up_after_so_many_attempts(mailbox: Mailbox) -> None:
    mailbox.rcpt = "450 Busy"
    posted = post()
    for _ in range(mail.MOST_ATTEMPTS):
        assert row(posted).state == "waiting"
        make_due(posted)
        mail.sweep()
    assert (row(posted).state, row(posted).attempts) == ("given up", mail.MOST_ATTEMPTS)


def test_what_has_expired_is_not_sent(mailbox: Mailbox) -> None:
    posted = post(expires_at=timezone.now())
    assert not mail.deliver(posted.pk)
    mail.sweep()
    over = row(posted)
    assert (over.state, bytes(over.body_sealed)) == ("given up", b"") and "expired" in over.error
    assert mailbox.received == []


def test_a_sender_that_died_before_it_wrote_so_is_made_up_for(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*args: Any) -> None:
        raise Killed

    posted = post()
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr("tenants.services.mail.EmailMessage.send", die)
        mail.deliver(posted.pk)
    assert row(posted).state == "waiting"
    make_due(posted)
    mail.sweep()
    assert len(mailbox.received) == 1


def test_old_mail_is_forgotten(mailbox: Mailbox) -> None:
    sent, waits = post(), post()
    mail.deliver(sent.pk)
    with platform_scope("the clock cannot be turned"):
        Mail.objects.update(created_at=timezone.now() - mail.KEPT - timedelta(seconds=1))
        Mail.objects.filter(pk=waits.pk).update(next_attempt_at=timezone.now() + timedelta(hours=1))
    mail.sweep()
    with platform_scope("test"):
        assert list(Mail.objects.values_list("pk", flat=True)) == [waits.pk]


# Where it goes


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {"folder": "/home/mail"}),
        ({"EMAIL_URL": "file:///tmp/out"}, {"folder": "/tmp/out"}),
        ({"EMAIL_URL": "console:"}, {"host": "", "folder": ""}),
        ({"EMAIL_URL": "smtp://mx.example.org"}, {"host": "mx.example.org", "port": 25, "tls": False}),
        (
            {"EMAIL_URL": "smtp+tls://u%40x:p%2Fw@mx.example.org:2525"},
            {"port": 2525, "user": "u@x", "password": "p/w", "starttls": True},
        ),
        ({"EMAIL_URL": "smtps://mx.example.org"}, {"port": 465, "tls": True, "starttls": False}),
        ({"EMAIL_HOST": "mx", "EMAIL_USE_TLS": "true"}, {"host": "mx", "port": 587, "starttls": True}),
        ({"EMAIL_HOST": "mx", "EMAIL_PORT": "26", "EMAIL_HOST_USER": "u"}, {"port": 26, "user": "u"}),
    ],
)
def test_where_mail_goes(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], wanted: dict[str, object]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    found = env.mail("/home/mail")
    assert {name: getattr(found, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    "given",
    [
        {"EMAIL_URL": "http://u:geheim@mx"},
        {"EMAIL_URL": "smtp://u:geheim@"},
        {"EMAIL_URL": "smtp://u:geheim@mx:99999999"},
        {"EMAIL_URL": "file:relative"},
        {"EMAIL_HOST": "mx", "EMAIL_USE_TLS": "1", "EMAIL_USE_SSL": "1"},
        {"EMAIL_HOST": "mx", "EMAIL_PORT": "x"},
    ],
)
def test_what_is_nowhere_to_send_to_is_told_without_the_password(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(env.EnvError) as told:
        env.mail("/home/mail")
    assert "geheim" not in str(told.value)


def test_files_are_the_default(settings: Any, tmp_path: Path) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    assert mail.deliver(post().pk)
    (file,) = (tmp_path / "mail").iterdir()
    assert SECRET in file.read_text()
