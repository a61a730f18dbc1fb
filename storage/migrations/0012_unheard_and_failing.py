"""Writes that nobody waits for any more, and since when a backend fails."""

from __future__ import annotations

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("storage", "0011_share_links"),
    ]

    operations = [
        migrations.AddField(
            model_name="backend",
            name="failing_since",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="backend",
            name="next_check_at",
            field=models.DateTimeField(default=django.utils.timezone.now, editable=False),
        ),
        migrations.AddField(
            model_name="writeintent",
            name="ended_at",
            field=models.DateTimeField(
                help_text="Since when nobody waits for the backend's answer any more: it is done there, or never.",
                null=True,
            ),
        ),
    ]
