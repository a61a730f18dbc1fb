"""Versions, locks, seals, policies and the other settings of buckets, and what scopes an access key."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

from gateway.db.operations import SameTenant, TenantPolicy

# What is there already is counted bucket by bucket.
COUNT = """
INSERT INTO storage_bucketusage (bucket_id, tenant_id, bytes, objects_count, upload_bytes)
SELECT
    b.id, b.tenant_id,
    (SELECT coalesce(sum(o.size), 0) FROM storage_object o WHERE o.bucket_id = b.id),
    (SELECT count(*) FROM storage_object o WHERE o.bucket_id = b.id),
    (
        SELECT coalesce(sum(p.size), 0) FROM storage_uploadpart p
        JOIN storage_upload u ON u.id = p.upload_id WHERE u.bucket_id = b.id
    )
FROM storage_bucket b
"""


class Migration(migrations.Migration):
    dependencies = [
        ("storage", "0002_index"),
        ("tenants", "0013_instance_limits"),
    ]

    operations = [
        migrations.AddField(
            model_name="accesskey",
            name="allowed_networks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=64),
                blank=True,
                default=list,
                help_text="CIDR; empty: from everywhere.",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="accesskey",
            name="buckets",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=63),
                blank=True,
                help_text="Unset: every bucket of the tenant.",
                null=True,
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="accesskey",
            name="expires_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="accesskey",
            name="last_used_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="accesskey",
            name="prefixes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                blank=True,
                help_text="Beginnings of keys it may use; unset: every key.",
                null=True,
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="backend",
            name="ca_bundle",
            field=models.TextField(
                blank=True, help_text="PEM certificates to trust instead of the system's."
            ),
        ),
        migrations.AddField(
            model_name="backend",
            name="capabilities",
            field=models.JSONField(default=dict, editable=False),
        ),
        migrations.AddField(
            model_name="backend",
            name="vendor",
            field=models.CharField(
                blank=True, help_text="Whose S3 it is: what it lacks is known by this name.", max_length=32
            ),
        ),
        migrations.AddField(
            model_name="bucket",
            name="cors",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="bucket",
            name="default_retention",
            field=models.JSONField(
                blank=True,
                help_text='{"mode": "GOVERNANCE" or "COMPLIANCE", "days" or "years": N}',
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="bucket",
            name="encryption",
            field=models.CharField(
                blank=True, help_text="AES256: objects are sealed unless they ask otherwise.", max_length=16
            ),
        ),
        migrations.AddField(
            model_name="bucket",
            name="lifecycle",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="bucket",
            name="lifecycle_at",
            field=models.DateTimeField(
                editable=False, help_text="When the rules were last applied.", null=True
            ),
        ),
        migrations.AddField(
            model_name="bucket",
            name="notifications",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="bucket",
            name="object_lock",
            field=models.BooleanField(default=False, help_text="Versions may be locked; never undone."),
        ),
        migrations.AddField(
            model_name="bucket",
            name="policy",
            field=models.TextField(blank=True, help_text="The bucket policy as it was put, JSON."),
        ),
        migrations.AddField(
            model_name="bucket",
            name="public_access_block",
            field=models.JSONField(blank=True, help_text="S3's four flags; unset: none.", null=True),
        ),
        migrations.AddField(
            model_name="bucket",
            name="public_name",
            field=models.CharField(blank=True, editable=False, max_length=63, null=True, unique=True),
        ),
        migrations.AddField(
            model_name="bucket",
            name="quota_bytes",
            field=models.BigIntegerField(
                blank=True, null=True, validators=[django.core.validators.MinValueValidator(0)]
            ),
        ),
        migrations.AddField(
            model_name="bucket",
            name="quota_objects",
            field=models.BigIntegerField(
                blank=True, null=True, validators=[django.core.validators.MinValueValidator(0)]
            ),
        ),
        migrations.AddField(
            model_name="bucket",
            name="tags",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="bucket",
            name="versioning",
            field=models.CharField(
                blank=True,
                choices=[("", "Unversioned"), ("Enabled", "Enabled"), ("Suspended", "Suspended")],
                default="",
                max_length=9,
            ),
        ),
        migrations.AddField(
            model_name="object",
            name="lock",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="object",
            name="parts",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="object",
            name="sse",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="object",
            name="tags",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="object",
            name="version_id",
            field=models.TextField(db_default="null"),
        ),
        migrations.AddField(
            model_name="object",
            name="version_seq",
            field=models.BigIntegerField(db_default=0),
        ),
        migrations.AddField(
            model_name="placement",
            name="scan_after",
            field=models.TextField(blank=True, db_collation="C", default="", editable=False),
        ),
        migrations.AddField(
            model_name="placement",
            name="scanned_at",
            field=models.DateTimeField(
                editable=False, help_text="When the backend was last read through.", null=True
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="lock",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="upload",
            name="sse",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="upload",
            name="tags",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="uploadpart",
            name="sse",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="writeintent",
            name="lock",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="writeintent",
            name="parts",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="writeintent",
            name="sse",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="writeintent",
            name="tags",
            field=models.JSONField(db_default={}, default=dict),
        ),
        migrations.AddField(
            model_name="writeintent",
            name="version_id",
            field=models.TextField(
                blank=True, db_default="", help_text="Of a delete: the one version that goes."
            ),
        ),
        migrations.AlterField(
            model_name="blobgarbage",
            name="blob",
            field=models.CharField(max_length=40),
        ),
        migrations.AlterField(
            model_name="object",
            name="blob",
            field=models.CharField(max_length=40, null=True),
        ),
        migrations.AlterField(
            model_name="uploadpart",
            name="blob",
            field=models.CharField(max_length=40, null=True),
        ),
        migrations.CreateModel(
            name="BucketUsage",
            fields=[
                (
                    "bucket",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="usage",
                        serialize=False,
                        to="storage.bucket",
                    ),
                ),
                ("bytes", models.BigIntegerField(default=0)),
                ("objects_count", models.BigIntegerField(default=0)),
                ("upload_bytes", models.BigIntegerField(default=0)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ObjectVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.TextField(db_collation="C")),
                ("version_id", models.TextField(db_default="null")),
                ("version_seq", models.BigIntegerField(db_default=0)),
                ("size", models.BigIntegerField()),
                ("etag", models.CharField(max_length=80)),
                ("content_type", models.TextField()),
                ("metadata", models.JSONField(default=dict)),
                ("headers", models.JSONField(default=dict)),
                ("checksums", models.JSONField(default=dict)),
                ("tags", models.JSONField(db_default={}, default=dict)),
                ("lock", models.JSONField(db_default={}, default=dict)),
                ("sse", models.JSONField(null=True)),
                ("parts", models.JSONField(null=True)),
                ("last_modified", models.DateTimeField()),
                ("writer", models.CharField(max_length=150)),
                ("blob", models.CharField(max_length=40, null=True)),
                ("inline", models.BinaryField(null=True)),
                ("is_delete_marker", models.BooleanField(default=False)),
                ("noncurrent_since", models.DateTimeField(null=True)),
                (
                    "bucket",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="storage.bucket",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "ordering": ["key", "-version_seq"],
                "indexes": [models.Index(fields=["bucket", "key", "-version_seq"], name="versions_in_order")],
                "constraints": [
                    models.UniqueConstraint(fields=("bucket", "key", "version_id"), name="version_id_of_key"),
                    models.UniqueConstraint(
                        condition=models.Q(("blob__isnull", False)),
                        fields=("blob",),
                        name="version_owns_blob",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="UsageSample",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
                ("bytes", models.BigIntegerField()),
                ("objects_count", models.BigIntegerField()),
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
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "ordering": ["at"],
                "constraints": [models.UniqueConstraint(fields=("bucket", "at"), name="usage_sample_once")],
            },
        ),
        TenantPolicy(model="objectversion"),
        TenantPolicy(model="bucketusage"),
        TenantPolicy(model="usagesample"),
        SameTenant(model="objectversion", field="bucket"),
        SameTenant(model="bucketusage", field="bucket"),
        SameTenant(model="usagesample", field="bucket"),
        migrations.RunSQL(
            "ALTER TABLE storage_objectversion ALTER COLUMN inline SET STORAGE EXTERNAL",
            "ALTER TABLE storage_objectversion ALTER COLUMN inline SET STORAGE EXTENDED",
        ),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
    ]
