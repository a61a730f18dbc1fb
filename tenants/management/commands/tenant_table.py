"""`manage.py tenant_table export|import FILE`: tenants as CSV or JSON, by the end of the file's name."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway import tables
from gateway.db.scope import platform_scope
from gateway.errors import DomainError
from tenants.models import PLATFORM_SLUG, Tenant
from tenants.principal import Principal, system
from tenants.services import transfer


class Command(BaseCommand):
    help = "Exports tenants with their domains and limits to a .csv or .json file, or makes those of such a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["export", "import"])
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="try an import and keep nothing")

    def handle(self, *args: Any, what: str, file: Path, dry_run: bool, **options: Any) -> None:
        if file.suffix not in (".csv", ".json"):
            raise CommandError("The file's name ends in .csv or .json.")
        with platform_scope("the platform itself is at work"):
            actor = system(Tenant.objects.get(slug=PLATFORM_SLUG))
        try:
            if what == "export":
                self._export(file, actor)
            else:
                self._import(file, dry_run, actor)
        except DomainError as error:
            lines = [f"{where}: {text}" for where, texts in error.errors.items() for text in texts]
            raise CommandError("\n".join([error.detail, *lines])) from None
        except (OSError, ValueError) as error:
            raise CommandError(f"{file}: {error}") from None

    def _export(self, file: Path, actor: Principal) -> None:
        rows = list(transfer.export_tenants(actor=actor))
        text = (
            json.dumps(rows, indent=2, ensure_ascii=False)
            if file.suffix == ".json"
            else "".join(tables.csv_text(transfer.COLUMNS, rows))
        )
        file.write_text(text, encoding="utf-8", newline="")
        self.stdout.write(f"{len(rows)} tenants written to {file}")

    def _import(self, file: Path, dry_run: bool, actor: Principal) -> None:
        content = file.read_bytes()
        if file.suffix == ".json":
            rows = tables.read_json(json.loads(content), transfer.COLUMNS)
        else:
            rows = tables.read_csv(content, transfer.COLUMNS)
        for outcome in transfer.import_tenants(rows, dry_run=dry_run, actor=actor):
            texts = "; ".join(f"{name}: {text}" for name, found in outcome.errors.items() for text in found)
            self.stdout.write(f"row {outcome.row}: {outcome.subject} {outcome.outcome} {texts}".rstrip())
        if dry_run:
            self.stdout.write("Nothing was kept: this was a dry run.")
