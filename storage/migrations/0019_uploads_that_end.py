"""A journalled Complete names the upload that ends with it."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("storage", "0018_order_of_versions")]

    operations = [
        migrations.AddField(
            model_name="writeintent",
            name="completes",
            field=models.UUIDField(help_text="Of a Complete: the upload that ends with it.", null=True),
        ),
    ]
