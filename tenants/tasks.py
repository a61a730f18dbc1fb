"""Work outside requests: an id in, one service call. When sweeps run: CELERY_BEAT_SCHEDULE."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings

from tenants.services import domains, mail, nexusgate_keys, purge, signing_keys, usage
from tenants.services.audit import retention, sealing

log = logging.getLogger(__name__)


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


@shared_task
def sweep_signing_keys() -> None:
    if settings.JWT_ALGORITHM == signing_keys.ALGORITHM:
        signing_keys.sweep()


@shared_task
def refresh_nexusgate_keys() -> None:
    """What could not be fetched is tried again in its turn; the keys known so far hold meanwhile."""
    if not (settings.NEXUSGATE_INTEGRATION_ENABLED and settings.NEXUSGATE_JWKS_URL):
        return
    try:
        nexusgate_keys.refresh()
    except nexusgate_keys.NotFetched as error:
        log.warning("the keys of NEXUSGATE: %s", error)
