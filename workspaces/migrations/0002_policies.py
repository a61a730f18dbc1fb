"""Row-level security on everything of workspaces, and references within one tenant."""

from django.db import migrations

from gateway.db.operations import SameTenant, TenantPolicy
from gateway.db.owner import login_role

# A template without a tenant is everybody's; foreign keys do not ask row security and cannot say "mine or nobody's".
TEMPLATE_IN_REACH = """
CREATE FUNCTION workspaces_template_in_reach() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.template_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM workspaces_template t
        WHERE t.id = NEW.template_id AND (t.tenant_id IS NULL OR t.tenant_id = NEW.tenant_id)
    ) THEN
        RAISE EXCEPTION 'the template is not within the tenant''s reach' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER template_in_reach BEFORE INSERT OR UPDATE OF template_id, tenant_id ON workspaces_workspace
FOR EACH ROW EXECUTE FUNCTION workspaces_template_in_reach();
"""


def let_tenants_see_shared_templates(apps, schema_editor):
    app = schema_editor.quote_name(f"{login_role()}_app")
    schema_editor.execute(
        f"CREATE POLICY shared ON workspaces_template FOR SELECT TO {app} USING (tenant_id IS NULL)"
    )


def hide_shared_templates(apps, schema_editor):
    schema_editor.execute("DROP POLICY shared ON workspaces_template")


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0001_initial")]

    operations = [
        TenantPolicy(model="template"),
        migrations.RunPython(let_tenants_see_shared_templates, hide_shared_templates),
        TenantPolicy(model="workspace"),
        TenantPolicy(model="workspaceshare"),
        TenantPolicy(model="volumesnapshot"),
        TenantPolicy(model="service"),
        TenantPolicy(model="port"),
        TenantPolicy(model="sample"),
        SameTenant(model="workspaceshare", field="workspace"),
        SameTenant(model="volumesnapshot", field="workspace"),
        SameTenant(model="port", field="service"),
        migrations.RunSQL(
            TEMPLATE_IN_REACH,
            "DROP TRIGGER template_in_reach ON workspaces_workspace; DROP FUNCTION workspaces_template_in_reach()",
        ),
    ]
