"""Sessions and the admin's history belong to accounts: no tenant's scope shows a row of them."""

from django.db import migrations

from gateway.db.operations import WideOnly

TABLES = (
    "django_session",
    "django_admin_log",
    "tenants_user_groups",
    "tenants_user_user_permissions",
)


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_policies"),
        ("sessions", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    operations = [WideOnly(table) for table in TABLES]
