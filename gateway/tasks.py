"""The platform's own jobs."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.core.management import call_command

from gateway import health
from gateway.db.scope import platform_scope
from gateway.edge import instance


@shared_task
def beat_health() -> None:
    health.beat()


@shared_task
def renew_certificate() -> None:
    instance.renew_certificate(settings)


@shared_task
def clear_expired() -> None:
    """Remove sessions and refresh tokens that can no longer be used."""
    with platform_scope("sessions and tokens belong to accounts, not to tenants"):
        call_command("clearsessions")
        call_command("flushexpiredtokens")
