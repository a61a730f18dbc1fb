"""The event log is append-only, a tenant's own, and written in commit order by one function."""

from django.db import migrations

from gateway.db.operations import TenantPolicy

# 7162: the advisory locks of event logs (first key). The lock is held to the commit, so that a slower transaction
# cannot publish a lower id after a reader has gone past it.
PUBLISH = """
CREATE FUNCTION publish_event(
    p_tenant bigint, p_type text, p_source text, p_subject text, p_data jsonb, p_actor text
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    event_id bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7162, p_tenant::int);
    INSERT INTO realtime_event (tenant_id, type, source, subject, time, actor, data)
    VALUES (p_tenant, p_type, p_source, p_subject, clock_timestamp(), p_actor, p_data)
    RETURNING id INTO event_id;
    RETURN event_id;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("realtime", "0001_initial")]

    operations = [
        TenantPolicy(model="event", append_only=True),
        migrations.RunSQL(PUBLISH, "DROP FUNCTION publish_event(bigint, text, text, text, jsonb, text)"),
    ]
