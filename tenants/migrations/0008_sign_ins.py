"""Sign-ins, second factors and recovery codes: of accounts, so no tenant's scope shows a row of them."""

import uuid

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from gateway.db.operations import WideOnly


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0007_tenants'),
    ]

    operations = [
        migrations.CreateModel(
            name='SignIn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('session', 'Session'), ('tokens', 'Tokens')], max_length=16)),
                ('session_key', models.CharField(blank=True, db_index=True, editable=False, max_length=40)),
                ('refresh_id', models.CharField(blank=True, editable=False, help_text='The jti of the one refresh token that is not spent.', max_length=64)),
                ('ip', models.GenericIPAddressField(null=True)),
                ('user_agent', models.CharField(blank=True, max_length=300)),
                ('second_factor', models.CharField(blank=True, choices=[('totp', 'Authenticator app'), ('webauthn', 'Security key'), ('recovery_code', 'Recovery Code')], help_text='Its kind; empty: password alone.', max_length=16)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_seen_at', models.DateTimeField(default=django.utils.timezone.now, help_text='To the minute.')),
                ('confirmed_at', models.DateTimeField(default=django.utils.timezone.now, help_text='When the password was last entered.')),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, choices=[('signed_out', 'Signed Out'), ('ended', 'Ended by the person'), ('ended_by_staff', 'Ended By Staff'), ('password_changed', 'Password Changed'), ('deactivated', 'Deactivated'), ('refresh_reused', 'A spent refresh token was used'), ('expired', 'Expired')], max_length=24)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sign_ins', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-pk'],
                'indexes': [models.Index(fields=['user', '-id'], name='sign_in_newest')],
            },
        ),
        migrations.CreateModel(
            name='SecondFactor',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('kind', models.CharField(choices=[('totp', 'Authenticator app'), ('webauthn', 'Security key')], max_length=16)),
                ('name', models.CharField(max_length=100)),
                ('sealed', models.BinaryField(default=bytes)),
                ('credential_id', models.BinaryField(max_length=1023, null=True, unique=True)),
                ('public_key', models.BinaryField(null=True)),
                ('transports', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=32), default=list, editable=False, size=None)),
                ('counter', models.BigIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('confirmed_at', models.DateTimeField(blank=True, null=True)),
                ('last_used_at', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='second_factors', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='RecoveryCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('digest', models.BinaryField(max_length=32)),
                ('used_at', models.DateTimeField(blank=True, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='recovery_codes', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('user', 'digest'), name='recovery_code_once')],
            },
        ),
        WideOnly("tenants_signin"),
        WideOnly("tenants_secondfactor"),
        WideOnly("tenants_recoverycode"),
    ]
