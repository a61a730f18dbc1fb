"""Which backends may lie at private addresses: so far the shared ones, which platform staff set up."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("storage", "0005_versions")]

    operations = [
        migrations.AddField(
            model_name="backend",
            name="may_be_private",
            field=models.BooleanField(
                default=False,
                editable=False,
                help_text="Platform staff named its address: also a private one is dialled.",
            ),
        ),
        migrations.RunSQL(
            "UPDATE storage_backend SET may_be_private = true WHERE tenant_id IS NULL",
            migrations.RunSQL.noop,
        ),
    ]
