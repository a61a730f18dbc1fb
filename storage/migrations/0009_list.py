"""Lists without a delimiter in one query."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).with_name("sql")
OLD = SQL.joinpath("reads.sql").read_text(encoding="utf-8").partition("CREATE FUNCTION storage_list(")
NEW = SQL.joinpath("list.sql").read_text(encoding="utf-8")


class Migration(migrations.Migration):
    dependencies = [("storage", "0008_bucket_location")]

    operations = [migrations.RunSQL(NEW, "CREATE OR REPLACE FUNCTION storage_list(" + OLD[2])]
