"""Events of deletions say whether a version went for good or a delete marker came."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations

REPLACED = (
    Path(__file__)
    .with_name("sql")
    .joinpath("commit.sql")
    .read_text(encoding="utf-8")
    .replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    .replace("CREATE SEQUENCE", "CREATE SEQUENCE IF NOT EXISTS")
)


class Migration(migrations.Migration):
    dependencies = [("storage", "0014_share_links_of_keys")]

    operations = [migrations.RunSQL(REPLACED, migrations.RunSQL.noop)]
