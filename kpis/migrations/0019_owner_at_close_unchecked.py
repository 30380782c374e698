import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0018_handover_definition"),
    ]

    operations = [
        migrations.AlterField(
            model_name="deal",
            name="owner_at_close",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="kpis.person",
                verbose_name="Person in charge at close",
            ),
        ),
    ]
