import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0004_webhooks_merges_drift"),
    ]

    operations = [
        migrations.AlterField(
            model_name="rawrecord",
            name="connection",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="integrations.connection",
                verbose_name="Connection",
            ),
        ),
    ]
