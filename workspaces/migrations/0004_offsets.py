"""The numbers of instances' addresses: from one cycle for all, so that one is used again as late as can be."""

from django.db import migrations

MOST = 60_000


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0003_private_urls_and_sample_indexes")]

    operations = [
        migrations.RunSQL(
            f"CREATE SEQUENCE workspaces_offset MINVALUE 1 MAXVALUE {MOST} CYCLE",
            "DROP SEQUENCE workspaces_offset",
        ),
    ]
