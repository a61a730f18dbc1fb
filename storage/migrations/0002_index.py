"""Row-level security on everything of storage, and the functions of the data plane."""

from pathlib import Path

from django.db import migrations

from gateway.db.operations import SameTenant, TenantPolicy
from gateway.db.owner import login_role

INDEX = Path(__file__).with_name("sql").joinpath("index.sql").read_text(encoding="utf-8")

FUNCTIONS = (
    "storage_commit_intents",
    "storage_begin_intents",
    "storage_end_upload",
    "storage_record_part",
    "storage_list",
    "storage_commit",
    "storage_head",
    "storage_lock_usage",
)

# Small bodies gain little by compression; pglz would cost every PUT its time.
INLINE_UNCOMPRESSED = "ALTER TABLE storage_object ALTER COLUMN inline SET STORAGE EXTERNAL"

# A backend without a tenant is everybody's to place buckets on; a key to another tenant's backend is refused here,
# since foreign keys do not ask row security and cannot say "mine or nobody's".
BACKEND_IN_REACH = """
CREATE FUNCTION storage_backend_in_reach() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM storage_backend b
        WHERE b.id = NEW.backend_id AND (b.tenant_id IS NULL OR b.tenant_id = NEW.tenant_id)
    ) THEN
        RAISE EXCEPTION 'the backend is not within the tenant''s reach' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER backend_in_reach BEFORE INSERT OR UPDATE OF backend_id, tenant_id ON storage_placement
FOR EACH ROW EXECUTE FUNCTION storage_backend_in_reach();
"""


def let_tenants_see_shared_backends(apps, schema_editor):
    app = schema_editor.quote_name(f"{login_role()}_app")
    schema_editor.execute(
        f"CREATE POLICY shared ON storage_backend FOR SELECT TO {app} USING (tenant_id IS NULL)"
    )


def hide_shared_backends(apps, schema_editor):
    schema_editor.execute("DROP POLICY shared ON storage_backend")


class Migration(migrations.Migration):
    dependencies = [("storage", "0001_initial"), ("tenants", "0002_policies"), ("realtime", "0004_batches")]

    operations = [
        TenantPolicy(model="backend"),
        migrations.RunPython(let_tenants_see_shared_backends, hide_shared_backends),
        TenantPolicy(model="bucket"),
        TenantPolicy(model="placement"),
        TenantPolicy(model="accesskey"),
        TenantPolicy(model="object"),
        TenantPolicy(model="usage"),
        TenantPolicy(model="upload"),
        TenantPolicy(model="uploadpart"),
        TenantPolicy(model="writeintent"),
        TenantPolicy(model="blobgarbage"),
        SameTenant(model="placement", field="bucket"),
        SameTenant(model="object", field="bucket"),
        SameTenant(model="upload", field="bucket"),
        SameTenant(model="uploadpart", field="upload"),
        SameTenant(model="writeintent", field="bucket"),
        migrations.RunSQL(
            BACKEND_IN_REACH,
            "DROP TRIGGER backend_in_reach ON storage_placement; DROP FUNCTION storage_backend_in_reach()",
        ),
        migrations.RunSQL(
            INLINE_UNCOMPRESSED, "ALTER TABLE storage_object ALTER COLUMN inline SET STORAGE EXTENDED"
        ),
        migrations.RunSQL(INDEX, ";".join(f"DROP FUNCTION {name}" for name in FUNCTIONS)),
    ]
