"""Makes the application's database roles and their grants. Runs as the owner; may run again."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from gateway.db.owner import as_owner
from gateway.db.roles import prepare_roles


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        with as_owner():
            prepare_roles()
