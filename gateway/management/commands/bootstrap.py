"""Makes what the platform needs at first start: its tenant, first administrator, storage, templates. May run again."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.errors import DomainError
from storage.services import backends
from tenants.services import bootstrap
from workspaces.services import templates


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.BOOTSTRAP_ADMIN_USERNAME or not settings.BOOTSTRAP_ADMIN_PASSWORD:
            raise CommandError(
                "Set BOOTSTRAP_ADMIN_USERNAME and BOOTSTRAP_ADMIN_PASSWORD: there is no default."
            )
        try:
            made = bootstrap.ensure_platform(
                settings.BOOTSTRAP_ADMIN_USERNAME, settings.BOOTSTRAP_ADMIN_PASSWORD
            )
            backends.ensure_default_backends()
            templates.ensure_default_templates()
        except DomainError as e:
            raise CommandError(f"First start: {e.detail}") from None
        if made:
            self.stdout.write(f"administrator {settings.BOOTSTRAP_ADMIN_USERNAME} made")
