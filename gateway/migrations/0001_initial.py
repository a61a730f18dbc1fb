from django.db import migrations, models

from gateway.db.operations import WideOnly


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="ComponentState",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("status", models.CharField(max_length=8)),
                ("since", models.DateTimeField()),
            ],
            options={"ordering": ["name"]},
        ),
        WideOnly("gateway_componentstate"),
    ]
