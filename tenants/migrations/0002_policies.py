"""Row-level security on what belongs to a tenant."""

from django.db import migrations

from gateway.db.operations import CURRENT_TENANT, SameTenant, TenantPolicy


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        TenantPolicy(model="tenant", column="id"),
        TenantPolicy(model="domain"),
        TenantPolicy(model="role"),
        TenantPolicy(model="membership"),
        # People are known platform-wide; a tenant sees its members.
        TenantPolicy(
            model="user",
            condition=f"id IN (SELECT user_id FROM tenants_membership WHERE tenant_id = {CURRENT_TENANT})",
        ),
        TenantPolicy(model="apikey"),
        TenantPolicy(model="quota"),
        TenantPolicy(model="auditentry", append_only=True),
        SameTenant(model="membership", field="role"),
    ]
