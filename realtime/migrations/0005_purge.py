"""The one way that events are ever deleted: with their tenant, once it is deleted and its grace is over."""

from django.db import migrations

# The trigger lets through what this function deletes, by a setting that only counts while the owner acts, whom
# nobody but the function makes act outside migrations.
PURGE = """
CREATE FUNCTION refuse_event_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('app.purge', true) = TG_TABLE_NAME
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID)
    THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

CREATE FUNCTION purge_events(p_tenant bigint, p_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    removed integer;
BEGIN
    PERFORM 1 FROM tenants_tenant WHERE id = p_tenant AND status = 'deleted' AND purge_at <= now();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tenant % is not due to be purged', p_tenant USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM set_config('app.purge', 'realtime_event', true);
    DELETE FROM realtime_event WHERE id IN (
        SELECT id FROM realtime_event WHERE tenant_id = p_tenant ORDER BY id LIMIT p_most
    );
    GET DIAGNOSTICS removed = ROW_COUNT;
    PERFORM set_config('app.purge', '', true);
    RETURN removed;
END $$;

DROP TRIGGER append_only ON realtime_event;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON realtime_event
FOR EACH STATEMENT EXECUTE FUNCTION refuse_event_change();
"""
KEEP = """
DROP TRIGGER append_only ON realtime_event;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON realtime_event
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP FUNCTION purge_events(bigint, integer);
DROP FUNCTION refuse_event_change();
"""


class Migration(migrations.Migration):
    dependencies = [("realtime", "0004_batches"), ("tenants", "0007_tenants")]

    operations = [migrations.RunSQL(PURGE, KEEP)]
