"""Refresh tokens are their sign-in's affair now: the tables of those issued and spent go."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0009_audit_seals'),
    ]

    operations = [
        migrations.RunSQL(
            "DROP TABLE IF EXISTS token_blacklist_blacklistedtoken, token_blacklist_outstandingtoken",
            migrations.RunSQL.noop,
        ),
    ]
