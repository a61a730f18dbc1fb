"""Write the edge's configuration; with --reload also make the running Caddy take it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from gateway.edge import instance


class Command(BaseCommand):
    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output", type=Path, help="default: run/caddy.json in the home")
        parser.add_argument("--reload", action="store_true", help="load it into the running Caddy")

    def handle(self, *args: Any, **options: Any) -> None:
        path = instance.write(settings, options["output"])
        if options["reload"]:
            admin = settings.HOME / "run" / "caddy-admin.sock"
            try:
                instance.load(admin, path.read_text(encoding="utf-8"))
            except instance.EdgeUnreachable as error:
                raise CommandError(str(error)) from error
        if options["verbosity"] > 1:
            self.stdout.write(f"{path}")
