"""Rotation, allowlists and last addresses of API keys; service accounts; external ids; keys that sign tokens."""

import django.contrib.postgres.fields
from django.db import migrations, models

from gateway.db.operations import WideOnly


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0005_people'),
    ]

    operations = [
        migrations.AddField('apikey', 'previous_prefix', models.CharField(blank=True, max_length=12, null=True, unique=True)),
        migrations.AddField('apikey', 'previous_hash', models.CharField(blank=True, default='', max_length=200), preserve_default=False),
        migrations.AddField('apikey', 'previous_until', models.DateTimeField(blank=True, null=True)),
        migrations.AddField('apikey', 'allowed_networks', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=43), blank=True, default=list, help_text='Addresses and networks (CIDR) that it is taken from. Empty: any.', size=None)),
        migrations.AddField('apikey', 'created_by', models.CharField(blank=True, default='', max_length=150), preserve_default=False),
        migrations.AddField('apikey', 'last_used_ip', models.GenericIPAddressField(blank=True, null=True)),
        migrations.AddField('user', 'kind', models.CharField(choices=[('person', 'Person'), ('service', 'service account')], default='person', editable=False, max_length=16)),
        migrations.AddField('user', 'nexusgate_user_id', models.CharField(blank=True, help_text='The account at the external issuer whose tokens act as this one.', max_length=255, null=True, unique=True, verbose_name='NEXUSGATE user id')),
        migrations.CreateModel(
            name='SigningKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kid', models.CharField(max_length=32, unique=True)),
                ('algorithm', models.CharField(max_length=16)),
                ('public_pem', models.TextField()),
                ('private_sealed', models.BinaryField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('signs_from', models.DateTimeField()),
                ('verifies_until', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['-signs_from'],
            },
        ),
        WideOnly("tenants_signingkey"),
    ]
