"""How each tenant is run: a row of settings beside its limits."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from gateway.db.operations import TenantPolicy


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0003_accounts'),
    ]

    operations = [
        migrations.CreateModel(
            name='TenantSettings',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('require_second_factor', models.BooleanField(default=False, help_text='Members sign in with a second factor, or set one up first.')),
                ('disabled_features', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), blank=True, default=list, help_text='Features switched off.', size=None)),
                ('allowed_backends', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=63), blank=True, help_text='Names; unset: all it can see.', null=True, size=None)),
                ('allowed_regions', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=63), blank=True, help_text='Unset: any region.', null=True, size=None)),
                ('api_rate', models.PositiveIntegerField(blank=True, help_text='API requests a minute and caller.', null=True)),
                ('auth_rate', models.PositiveIntegerField(blank=True, help_text='Sign-ins a minute and account.', null=True)),
                ('s3_rate', models.PositiveIntegerField(blank=True, help_text='S3 requests a minute.', null=True)),
                ('audit_retention_days', models.PositiveIntegerField(blank=True, help_text='Days that sealed audit entries are kept.', null=True)),
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='settings', to='tenants.tenant')),
            ],
            options={
                'verbose_name_plural': 'tenant settings',
            },
        ),
        TenantPolicy(model="tenantsettings"),
        migrations.RunSQL(
            "INSERT INTO tenants_tenantsettings (tenant_id, require_second_factor, disabled_features) "
            "SELECT id, false, '{}' FROM tenants_tenant",
            migrations.RunSQL.noop,
        ),
    ]
