"""Room for another tenant's bucket, `<tenant>:<bucket>`, among those that an access key is limited to."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("storage", "0006_private_backends")]

    operations = [
        migrations.AlterField(
            model_name="accesskey",
            name="buckets",
            field=ArrayField(
                models.CharField(max_length=127),
                null=True,
                blank=True,
                help_text="Unset: every bucket. Another tenant's is named <tenant>:<bucket>.",
            ),
        ),
    ]
