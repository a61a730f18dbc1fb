"""No argument of the function that drops audit entries may be NULL, which would compare with nothing it refuses."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("tenants", "0010_no_blacklist")]

    operations = [
        migrations.RunSQL(
            "ALTER FUNCTION drop_audit_batches(bigint, integer) STRICT",
            "ALTER FUNCTION drop_audit_batches(bigint, integer) CALLED ON NULL INPUT",
        ),
    ]
