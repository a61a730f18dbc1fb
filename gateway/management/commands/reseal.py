"""Seals stored secrets anew under the first of GATEHOUSE_ENCRYPTION_KEYS. Ends with 1 when a value cannot be opened."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway import resealing


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        lost = 0
        for outcome in resealing.reseal():
            lost += outcome.lost
            if outcome.sealed or outcome.lost:
                self.stdout.write(
                    f"{outcome.place}: {outcome.sealed} sealed anew, {outcome.lost} cannot be opened"
                )
        if lost:
            raise CommandError(f"{lost} values are sealed under a key that is not configured, or damaged.")
        self.stdout.write("everything is sealed under the first key")
