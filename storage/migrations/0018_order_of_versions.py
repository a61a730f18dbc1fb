"""Versions on a backend stand in the index in the backend's order."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql")
ADDED = SQL.joinpath("order.sql").read_text(encoding="utf-8")
REPLACED = (
    SQL.joinpath("intents.sql")
    .read_text(encoding="utf-8")
    .replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
)
GONE = "DROP FUNCTION storage_order_versions(bigint, bigint, text, text[])"


class Migration(migrations.Migration):
    dependencies = [("storage", "0017_room_for_less")]

    operations = [
        migrations.RunSQL(ADDED, GONE),
        migrations.RunSQL(REPLACED, migrations.RunSQL.noop),
    ]
