"""Publishes another key pair that signs tokens under RS256. Nobody is signed out."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tenants.services import signing_keys


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--now", action="store_true", help="It signs at once, not only once others had time to fetch it."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        key = signing_keys.rotate(at_once=options["now"])
        self.stdout.write(f"{key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC on")
