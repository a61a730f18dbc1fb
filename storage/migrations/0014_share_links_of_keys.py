"""Links to share know the API key that they were made with, and end with it."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

from gateway.db.operations import SameTenant


class Migration(migrations.Migration):
    dependencies = [
        ("storage", "0013_confirmed_at_once"),
    ]

    operations = [
        migrations.AddField(
            model_name="sharelink",
            name="api_key",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="tenants.apikey",
            ),
        ),
        SameTenant(model="sharelink", field="api_key"),
    ]
