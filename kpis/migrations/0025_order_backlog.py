from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0024_events_that_are_parts"),
    ]

    operations = [
        migrations.AlterField(
            model_name="metricsnapshot",
            name="measure",
            field=models.CharField(
                choices=[
                    ("open_pipeline", "Open pipeline"),
                    ("open_deals", "Open deals"),
                    ("coverage", "Pipeline coverage"),
                    ("renewal_due", "Contracts due for renewal"),
                    ("order_backlog", "Order backlog"),
                    ("landing_pace", "Landing by pace"),
                    ("landing_rollup", "Landing by confidence roll-up"),
                    ("landing_call", "Landing by the manager's call"),
                ],
                max_length=20,
                verbose_name="Measure",
            ),
        ),
    ]
