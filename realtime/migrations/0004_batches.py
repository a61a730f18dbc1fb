"""Many events of one transaction at the price of few: one lock, one insert. The tenant's own index was one too many."""

import django.db.models.deletion
from django.db import migrations, models

# The lock is publish_event's (0002). Ids follow the order of the arrays.
PUBLISH = """
CREATE FUNCTION publish_events(
    p_tenant bigint, p_source text, p_type text[], p_subject text[], p_data jsonb[], p_actor text[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7162, p_tenant::int);
    INSERT INTO realtime_event (tenant_id, type, source, subject, time, actor, data)
    SELECT p_tenant, e.type, p_source, e.subject, clock_timestamp(), e.actor, e.data
    FROM unnest(p_type, p_subject, p_data, p_actor) WITH ORDINALITY AS e (type, subject, data, actor, n)
    ORDER BY e.n;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("realtime", "0003_bounds")]

    operations = [
        migrations.RunSQL(PUBLISH, "DROP FUNCTION publish_events(bigint, text, text[], text[], jsonb[], text[])"),
        migrations.AlterField(
            model_name="event",
            name="tenant",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="tenants.tenant",
            ),
        ),
    ]
