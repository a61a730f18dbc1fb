"""What CreateBucket said of a bucket's place and of who owns its objects, kept to be told."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("storage", "0007_access_key_buckets")]

    operations = [
        migrations.AddField(
            model_name="bucket",
            name="location",
            field=models.CharField(
                blank=True,
                help_text="The LocationConstraint it was made with: told, and nothing else.",
                max_length=64,
            ),
        ),
        migrations.AddField(
            model_name="bucket",
            name="ownership",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "The bucket's owner"),
                    ("BucketOwnerEnforced", "The bucket's owner, as asked for"),
                    ("removed", "The bucket's owner, though no longer asked for"),
                ],
                default="",
                help_text="Who owns its objects.",
                max_length=19,
            ),
        ),
    ]
