"""Work outside requests: an id in, one service call. When sweeps run: CELERY_BEAT_SCHEDULE."""

from __future__ import annotations

from celery import shared_task

from tenants.services import domains, mail, purge, usage
from tenants.services.audit import retention, sealing


@shared_task
def send_mail(mail_id: int) -> None:
    mail.deliver(mail_id)


@shared_task
def sweep_mail() -> None:
    mail.sweep()


@shared_task
def check_domain(domain_id: int) -> None:
    domains.check(domain_id)


@shared_task
def sweep_domains() -> None:
    domains.sweep()


@shared_task
def purge_tenant(tenant_id: int) -> None:
    purge.purge(tenant_id)


@shared_task
def sweep_purges() -> None:
    purge.sweep()


@shared_task
def recount_usage() -> None:
    usage.recount_all()


@shared_task
def seal_audit() -> None:
    sealing.seal_all()


@shared_task
def expire_audit() -> None:
    retention.expire_all()
