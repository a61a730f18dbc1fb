"""Whether a template is within reach is asked after row security, which says first whose the row is."""

from django.db import migrations

AFTER = """
DROP TRIGGER template_in_reach ON workspaces_workspace;
CREATE TRIGGER template_in_reach AFTER INSERT OR UPDATE OF template_id, tenant_id ON workspaces_workspace
FOR EACH ROW EXECUTE FUNCTION workspaces_template_in_reach();
"""


class Migration(migrations.Migration):
    dependencies = [("workspaces", "0005_snapshots_moved")]

    operations = [migrations.RunSQL(AFTER, AFTER.replace("AFTER", "BEFORE"))]
