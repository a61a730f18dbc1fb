"""What backends confirmed at the same time is committed as one batch."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

REPLACED = (
    Path(__file__)
    .with_name("sql")
    .joinpath("intents.sql")
    .read_text(encoding="utf-8")
    .replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
)


class Migration(migrations.Migration):
    dependencies = [("storage", "0012_unheard_and_failing")]

    operations = [migrations.RunSQL(REPLACED, migrations.RunSQL.noop)]
