import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0006_raw_records_by_age"),
    ]

    operations = [
        migrations.CreateModel(
            name="ListedPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stream", models.SlugField(max_length=60, verbose_name="Stream")),
                (
                    "ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), size=None, verbose_name="External ids"
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="listed",
                        to="integrations.syncrun",
                        verbose_name="Sync run",
                    ),
                ),
            ],
            options={
                "verbose_name": "Listed ids",
                "verbose_name_plural": "Listed ids",
            },
        ),
    ]
