"""Links by which people without an account download an object."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from gateway.db.operations import SameTenant, TenantPolicy


class Migration(migrations.Migration):
    dependencies = [
        ("storage", "0010_held_and_announced"),
    ]

    operations = [
        migrations.CreateModel(
            name="ShareLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
                (
                    "bucket",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="storage.bucket",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.user"
                    ),
                ),
                ("key", models.TextField(db_collation="C")),
                ("version_id", models.TextField(blank=True)),
                ("token_digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("downloads_count", models.BigIntegerField(default=0)),
                ("downloaded_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
                "indexes": [models.Index(fields=["bucket", "key"], name="share_links_of_key")],
            },
        ),
        TenantPolicy(model="sharelink"),
        SameTenant(model="sharelink", field="bucket"),
    ]
