"""Verifies the chains of the audit log, of all tenants or one. Ends with 1 and names what is wrong first."""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.db.scope import platform_scope
from tenants.models import Tenant
from tenants.services.audit import verification


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="the slug of the one to look at")
        parser.add_argument(
            "--expect",
            metavar="NUMBER:HASH",
            help="with --tenant: a seal that was noted elsewhere (a log line, an event) and must be in the chain",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        expected = _seal(options["expect"]) if options["expect"] else None
        if expected and not options["tenant"]:
            raise CommandError("--expect is about one chain: name its --tenant.")
        with platform_scope("whose chains there are is asked across tenants"):
            tenants = Tenant.objects.order_by("slug")
            if options["tenant"]:
                tenants = tenants.filter(slug=options["tenant"])
            chosen = list(tenants)
        if not chosen:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        bad = ""
        for tenant in chosen:
            verdict = verification.verify(tenant, expected=expected)
            since = (
                f", kept since {verdict.kept_since:%Y-%m-%d}"
                if verdict.kept_from > 1 and verdict.kept_since
                else ""
            )
            self.stdout.write(
                f"{tenant.slug}: {'sound' if verdict.is_sound else 'NOT SOUND'}, {verdict.seals} seals, "
                f"{verdict.entries} sealed entries{since}, {verdict.unsealed} wait, head {verdict.head or 'none'}"
            )
            for finding in verdict.findings:
                self.stdout.write(f"  {finding.kind}: {finding.detail}")
                bad = bad or f"{tenant.slug}: {finding.detail}"
        if bad:
            raise CommandError(bad)


def _seal(text: str) -> tuple[int, str]:
    match = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text)
    if match is None:
        raise CommandError("--expect is NUMBER:HASH, as in the line that told of the seal.")
    return int(match[1]), match[2]
