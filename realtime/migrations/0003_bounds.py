"""An event is a notice, not a document: what it carries is bounded, and with it every reader's memory."""

from django.db import migrations

BOUND = """
ALTER TABLE realtime_event ADD CONSTRAINT event_data_bounded CHECK (octet_length(data::text) <= 65536)
"""


class Migration(migrations.Migration):
    dependencies = [("realtime", "0002_log")]

    operations = [migrations.RunSQL(BOUND, "ALTER TABLE realtime_event DROP CONSTRAINT event_data_bounded")]
