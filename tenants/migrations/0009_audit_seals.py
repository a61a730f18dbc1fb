"""The audit log in sealed batches: who waits for its seal, the chain, the one way to drop what is past its time."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from gateway.db.operations import TenantPolicy

# One row an entry, written with it: what commits late is found late, and nobody waits for anybody.
UNSEALED = """
CREATE FUNCTION note_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tenants_unsealedentry (entry_id, tenant_id) SELECT id, tenant_id FROM made;
    RETURN NULL;
END $$;
INSERT INTO tenants_unsealedentry (entry_id, tenant_id) SELECT id, tenant_id FROM tenants_auditentry;
CREATE TRIGGER unsealed AFTER INSERT ON tenants_auditentry REFERENCING NEW TABLE AS made
    FOR EACH STATEMENT EXECUTE FUNCTION note_unsealed();
"""
UNSEALED_BACK = """
DROP TRIGGER unsealed ON tenants_auditentry;
DROP FUNCTION note_unsealed();
"""

# The setting alone says nothing: anybody may set it. That the owner works is what the functions below bring about,
# and the owner can do what it likes with its tables anyway.
APPEND_ONLY = """
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE'
        AND current_setting('gatehouse.audit_drop', true) = pg_current_xact_id()::text
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID)
    THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON tenants_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON tenants_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON tenants_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON tenants_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
APPEND_ONLY_BACK = """
DROP TRIGGER no_truncate ON tenants_auditseal;
DROP TRIGGER no_truncate ON tenants_auditentry;
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON tenants_auditseal
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON tenants_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP FUNCTION refuse_audit_change();
"""

# They run as the owner of the tables, and say no to a scope that is another tenant's.
DROPPING = """
CREATE FUNCTION may_drop_audit(p_tenant bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT session_user = current_user
        OR current_setting('role') LIKE '%\\_wide'
        OR nullif(current_setting('app.tenant', true), '')::bigint IS NOT DISTINCT FROM p_tenant
$$;

CREATE FUNCTION drop_audit_batches(p_tenant bigint, p_days integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    kept bigint;
    kept_before bigint;
    own_days integer;
    dropped bigint;
BEGIN
    SELECT audit_retention_days INTO own_days FROM tenants_tenantsettings WHERE tenant_id = p_tenant;
    SELECT s.kept_from INTO kept FROM tenants_auditseal s
        WHERE s.tenant_id = p_tenant ORDER BY s.number DESC LIMIT 1;
    SELECT s.kept_from INTO kept_before FROM tenants_auditseal s
        WHERE s.tenant_id = p_tenant ORDER BY s.number DESC OFFSET 1 LIMIT 1;
    IF NOT may_drop_audit(p_tenant) OR p_days < 1 OR p_days < own_days OR own_days = 0 OR EXISTS (
        SELECT FROM tenants_auditseal s WHERE s.tenant_id = p_tenant AND s.number < kept
            AND s.number >= coalesce(kept_before, 1)
            AND s.sealed_at > clock_timestamp() - make_interval(days => p_days)
    ) THEN
        RAISE EXCEPTION 'audit entries are still to be kept' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM set_config('gatehouse.audit_drop', pg_current_xact_id()::text, true);
    DELETE FROM tenants_auditentry e USING tenants_auditseal s
        WHERE s.tenant_id = p_tenant AND s.number < kept AND s.number >= coalesce(kept_before, 1)
            AND e.tenant_id = p_tenant AND e.id = ANY (s.entry_ids);
    GET DIAGNOSTICS dropped = ROW_COUNT;
    PERFORM set_config('gatehouse.audit_drop', '', true);
    RETURN dropped;
END $$;

CREATE FUNCTION drop_audit_log(p_tenant bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    dropped bigint;
BEGIN
    IF NOT may_drop_audit(p_tenant) OR NOT EXISTS (
        SELECT FROM tenants_tenant WHERE id = p_tenant AND status NOT IN ('active', 'suspended')
    ) THEN
        RAISE EXCEPTION 'the audit log of a tenant that is not deleted stays'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM set_config('gatehouse.audit_drop', pg_current_xact_id()::text, true);
    DELETE FROM tenants_unsealedentry WHERE tenant_id = p_tenant;
    DELETE FROM tenants_auditseal WHERE tenant_id = p_tenant;
    DELETE FROM tenants_auditentry WHERE tenant_id = p_tenant;
    GET DIAGNOSTICS dropped = ROW_COUNT;
    PERFORM set_config('gatehouse.audit_drop', '', true);
    RETURN dropped;
END $$;
"""
DROPPING_BACK = """
DROP FUNCTION drop_audit_log(bigint);
DROP FUNCTION drop_audit_batches(bigint, integer);
DROP FUNCTION may_drop_audit(bigint);
"""


def _text(length):
    return models.CharField(max_length=length, db_collation="C")


class Migration(migrations.Migration):
    dependencies = [("tenants", "0008_sign_ins")]

    operations = [
        migrations.AlterField("auditentry", "tenant", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="audit_entries", to="tenants.tenant")),
        migrations.AlterField("auditentry", "credential", _text(80)),
        migrations.AlterField("auditentry", "action", _text(100)),
        migrations.AlterField("auditentry", "target", _text(300)),
        migrations.AddIndex("auditentry", models.Index(fields=["tenant", "at"], name="audit_at")),
        migrations.AddIndex("auditentry", models.Index(fields=["tenant", "actor", "-id"], name="audit_actor")),
        migrations.AddIndex("auditentry", models.Index(fields=["tenant", "action", "-id"], name="audit_action")),
        migrations.AddIndex("auditentry", models.Index(fields=["tenant", "target", "-id"], name="audit_target")),
        migrations.AddIndex("auditentry", models.Index(fields=["tenant", "credential", "-id"], name="audit_credential")),
        migrations.AddIndex("auditentry", models.Index(fields=["tenant", "ip", "-id"], name="audit_ip")),
        migrations.AddIndex("auditentry", models.Index(fields=["tenant", "request_id"], name="audit_request")),
        migrations.CreateModel(
            name="UnsealedEntry",
            fields=[
                ("entry", models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, related_name="unsealed", serialize=False, to="tenants.auditentry")),
                ("tenant", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name="+", to="tenants.tenant")),
            ],
            options={
                "verbose_name_plural": "unsealed entries",
                "indexes": [models.Index(fields=["tenant", "entry"], name="unsealed_in_order")],
            },
        ),
        migrations.CreateModel(
            name="AuditSeal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveBigIntegerField()),
                ("first_entry", models.BigIntegerField(null=True)),
                ("last_entry", models.BigIntegerField(null=True)),
                ("count", models.PositiveIntegerField()),
                ("entry_ids", django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), size=None)),
                ("digests", models.BinaryField()),
                ("root", models.CharField(max_length=64)),
                ("previous", models.CharField(help_text="The hash of the seal before, empty for the first.", max_length=64)),
                ("kept_from", models.PositiveBigIntegerField(help_text="The first seal whose entries were still kept.")),
                ("drained", models.BooleanField(help_text="Whether no entry was left waiting.")),
                ("sealed_at", models.DateTimeField()),
                ("hash", models.CharField(max_length=64)),
                ("mac", models.CharField(help_text="Keyed with a key that the database does not hold.", max_length=64)),
                ("mac_key", models.CharField(help_text="Which of GATEHOUSE_ENCRYPTION_KEYS it is.", max_length=64)),
                ("tenant", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="audit_seals", to="tenants.tenant")),
            ],
            options={
                "ordering": ["-number"],
                "constraints": [models.UniqueConstraint(fields=["tenant", "number"], name="seal_number_in_tenant")],
            },
        ),
        TenantPolicy(model="unsealedentry"),
        TenantPolicy(model="auditseal", append_only=True),
        migrations.RunSQL(UNSEALED, UNSEALED_BACK),
        migrations.RunSQL(APPEND_ONLY, APPEND_ONLY_BACK),
        migrations.RunSQL(DROPPING, DROPPING_BACK),
    ]
