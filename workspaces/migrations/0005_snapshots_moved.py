"""Snapshots come from buckets and go there; a workspace wishes to be made from one."""

import django.db.models.deletion
from django.db import migrations, models

from gateway.db.operations import SameTenant


class Migration(migrations.Migration):

    dependencies = [
        ('workspaces', '0004_offsets'),
    ]

    operations = [
        migrations.AddField(
            model_name='volumesnapshot',
            name='source_sealed',
            field=models.BinaryField(default=bytes),
        ),
        migrations.AddField(
            model_name='volumesnapshot',
            name='target',
            field=models.CharField(blank=True, help_text='The object that it was copied to.', max_length=1100),
        ),
        migrations.AddField(
            model_name='volumesnapshot',
            name='target_sealed',
            field=models.BinaryField(default=bytes),
        ),
        migrations.AddField(
            model_name='workspace',
            name='restoring',
            field=models.ForeignKey(blank=True, editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='workspaces.volumesnapshot'),
        ),
        SameTenant(model='workspace', field='restoring'),
    ]
