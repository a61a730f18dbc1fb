"""The platform's own jobs."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.core.management import call_command

from gateway import health
from gateway.db.scope import platform_scope
from gateway.edge import instance
from tenants.services import sign_ins
from tenants.services.second_factors import factors


@shared_task
def beat_health() -> None:
    health.beat()


@shared_task
def renew_certificate() -> None:
    instance.renew_certificate(settings)


@shared_task
def clear_expired() -> None:
    """Close sign-ins that time has ended; remove sessions and unconfirmed second factors of which nothing comes."""
    sign_ins.tidy()
    factors.tidy()
    with platform_scope("sessions belong to accounts, not to tenants"):
        call_command("clearsessions")
