"""Deleting and purging tenants, domains that are verified, limits of what is to come."""

from django.db import migrations, models

import tenants.models.tenants

# Who had a host name until now got it from platform staff.
VERIFIED = """
UPDATE tenants_domain
SET verified_at = now(), method = 'staff', token = replace(gen_random_uuid()::text, '-', '')
"""


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0006_credentials'),
    ]

    operations = [
        migrations.AlterField(
            'tenant', 'status',
            models.CharField(choices=[('active', 'Active'), ('suspended', 'Suspended'), ('deleted', 'Deleted'), ('purged', 'Purged')], default='active', max_length=16),
        ),
        migrations.AddField('tenant', 'suspended_at', models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddField('tenant', 'deleted_at', models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddField('tenant', 'purge_at', models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddField('tenant', 'purge_error', models.CharField(blank=True, default='', editable=False, max_length=500), preserve_default=False),
        migrations.AddField('quota', 'workspaces', models.PositiveIntegerField(blank=True, null=True)),
        migrations.AddField('quota', 'devices', models.PositiveIntegerField(blank=True, null=True)),
        migrations.AlterField(
            'domain', 'hostname',
            models.CharField(max_length=253, validators=[tenants.models.tenants.HOSTNAME]),
        ),
        migrations.AddField('domain', 'token', models.CharField(default=tenants.models.tenants.challenge_token, editable=False, max_length=43)),
        migrations.AddField('domain', 'method', models.CharField(blank=True, choices=[('dns', 'Dns'), ('http', 'Http'), ('staff', 'Staff')], default='', editable=False, max_length=8), preserve_default=False),
        migrations.AddField('domain', 'verified_at', models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddField('domain', 'checked_at', models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddField('domain', 'check_error', models.CharField(blank=True, default='', editable=False, max_length=300), preserve_default=False),
        migrations.AddField('domain', 'attempts', models.PositiveIntegerField(default=0, editable=False)),
        migrations.AddField('domain', 'next_check_at', models.DateTimeField(blank=True, db_index=True, editable=False, null=True)),
        migrations.AddField('domain', 'lost_at', models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddConstraint(
            'domain', models.UniqueConstraint(fields=('tenant', 'hostname'), name='domain_once_in_tenant'),
        ),
        migrations.AddConstraint(
            'domain',
            models.UniqueConstraint(condition=models.Q(('verified_at__isnull', False)), fields=('hostname',), name='domain_verified_once'),
        ),
        migrations.RunSQL(VERIFIED, migrations.RunSQL.noop),
    ]
