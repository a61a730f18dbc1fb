"""Work outside requests: an id in, one service call. When sweeps run: CELERY_BEAT_SCHEDULE."""

from __future__ import annotations

from celery import shared_task

from tenants.services import mail
from tenants.services.audit import retention, sealing


@shared_task
def send_mail(mail_id: int) -> None:
    mail.deliver(mail_id)


@shared_task
def sweep_mail() -> None:
    mail.sweep()


@shared_task
def seal_audit() -> None:
    sealing.seal_all()


@shared_task
def expire_audit() -> None:
    retention.expire_all()
