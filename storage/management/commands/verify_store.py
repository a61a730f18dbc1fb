"""Reads every stored body again and compares it with its row. Ends with 1 when one is missing or corrupt."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway import env
from storage.services import verify


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--restart", action="store_true", help="Begin anew, not where the last one stopped."
        )
        parser.add_argument(
            "--rate", default="0", help="At most so many bytes a second, e.g. 50M; 0: no limit."
        )
        parser.add_argument("--minutes", type=float, help="Stop then; the next call goes on.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            rate = env.parse_size("--rate", options["rate"])
        except env.EnvError as e:
            raise CommandError(str(e)) from e
        seconds = None if options["minutes"] is None else 60 * options["minutes"]
        try:
            run = verify.verify(verify.Pace(rate, seconds), restart=options["restart"], told=self._tell)
        except verify.Busy:
            raise CommandError("Another process verifies the store; try again later.") from None
        state = "all" if run.ended else "not all yet, call again to go on"
        self.stdout.write(
            f"{run.checked} bodies, {run.bytes} bytes: {run.wrong} wrong, {run.orphans} orphans ({state})"
        )
        if run.wrong:
            raise CommandError(f"{run.wrong} bodies are missing or corrupt.")

    def _tell(self, finding: verify.Finding) -> None:
        self.stdout.write(
            f"{finding.kind} {finding.where} (blob {finding.blob or 'inline'}): {finding.detail}"
        )
