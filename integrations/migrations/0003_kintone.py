"""A further kind of connection: kintone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("integrations", "0002_sources")]

    operations = [
        migrations.AlterField(
            model_name="connection",
            name="kind",
            field=models.CharField(
                choices=[("file", "File"), ("rest", "REST API"), ("kintone", "kintone")],
                default="file",
                max_length=12,
                verbose_name="Kind",
            ),
        ),
    ]
