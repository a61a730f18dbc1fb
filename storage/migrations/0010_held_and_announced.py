"""A hold that was taken off stays known; what is announced to a backend counts less what it replaces."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql")
REPLACED = "\n\n\n".join(
    SQL.joinpath(f"{subject}.sql")
    .read_text(encoding="utf-8")
    .replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    for subject in ("amend", "intents")
)


class Migration(migrations.Migration):
    dependencies = [("storage", "0009_list")]

    operations = [migrations.RunSQL(REPLACED, migrations.RunSQL.noop)]
