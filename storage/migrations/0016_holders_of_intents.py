"""Journalled writes know which decision process will hear of their ends."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations, models

# Its new form has a parameter more, beside which the old one would stay.
REPLACED = """
DROP FUNCTION IF EXISTS storage_begin_intents(
    bigint, uuid[], text[], bigint[], text[], bigint[], text[], jsonb[], jsonb[], jsonb[], text[], interval, text[],
    jsonb[], jsonb[], jsonb[], jsonb[]
);
""" + Path(__file__).with_name("sql").joinpath("intents.sql").read_text(encoding="utf-8").replace(
    "CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"
)


class Migration(migrations.Migration):
    dependencies = [("storage", "0015_permanent_deletions")]

    operations = [
        migrations.AddField(
            model_name="writeintent",
            name="holder",
            field=models.IntegerField(
                help_text="The decision process that will hear of its end; each start has another number.",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="writeintent",
            name="kind",
            field=models.CharField(
                choices=[("put", "Put"), ("delete", "Delete"), ("verify", "Verify"), ("lost", "Lost")],
                max_length=6,
            ),
        ),
        migrations.RunSQL(REPLACED, migrations.RunSQL.noop),
    ]
