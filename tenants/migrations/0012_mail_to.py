from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    dependencies = [("tenants", "0011_audit_strict")]

    operations = [
        migrations.AddIndex("mail", models.Index(Upper("recipient"), "created_at", name="mail_to")),
    ]
