"""Sources that are called: credentials under keys of the company, mappings of their streams, runs that wait."""

import django.core.serializers.json
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_initial")]

    operations = [
        migrations.RenameField("fieldmapping", "file_pattern", "reads"),
        migrations.CreateModel(
            name="DataKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wrapped", models.TextField(editable=False)),
                ("created_at", models.DateTimeField(verbose_name="Created")),
            ],
            options={
                "verbose_name": "Data key",
                "verbose_name_plural": "Data keys",
                "ordering": ["-id"],
            },
        ),
        migrations.AddField(
            model_name="connection",
            name="description",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="Where the source is and how it is read; no secrets",
                verbose_name="Description",
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="sealed",
            field=models.TextField(blank=True, default="", editable=False),
        ),
        migrations.AddField(
            model_name="connection",
            name="stopped_by",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="The problem that a person has to mend before it is read again",
                max_length=40,
                verbose_name="Stopped by",
            ),
        ),
        migrations.AddField(
            model_name="fieldmapping",
            name="each",
            field=models.CharField(
                blank=True,
                default="",
                help_text="A list inside a record; empty = one",
                max_length=100,
                verbose_name="Row for each of",
            ),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="not_before",
            field=models.DateTimeField(editable=False, null=True, verbose_name="Waits until"),
        ),
        migrations.AlterField(
            model_name="connection",
            name="kind",
            field=models.CharField(
                choices=[
                    ("file", "File"),
                    ("rest", "REST API"),
                    ("salesforce", "Salesforce"),
                    ("hubspot", "HubSpot"),
                    ("kintone", "kintone"),
                ],
                default="file",
                max_length=12,
                verbose_name="Kind",
            ),
        ),
        migrations.AlterField(
            model_name="fieldmapping",
            name="reads",
            field=models.CharField(
                help_text="A file name pattern (* stands for any characters), or a stream's name",
                max_length=200,
                verbose_name="Reads",
            ),
        ),
        migrations.AlterField(
            model_name="rawrecord",
            name="payload",
            field=models.JSONField(
                encoder=django.core.serializers.json.DjangoJSONEncoder,
                help_text="Empty once it is too old to be kept",
                null=True,
                verbose_name="As received",
            ),
        ),
    ]
