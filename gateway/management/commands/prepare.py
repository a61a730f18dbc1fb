"""Everything before the processes start, in one go: roles, migrations, first rows. May run again.

Needs DATABASE_OWNER_URL and BOOTSTRAP_ADMIN_*; what serves requests needs neither.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from gateway.checks import refuse_weak_settings


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            refuse_weak_settings()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        call_command("prepare_database")
        call_command("migrate", interactive=False, verbosity=options["verbosity"])
        call_command("bootstrap", stdout=self.stdout)
