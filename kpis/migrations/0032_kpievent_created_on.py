from django.db import migrations, models

_FILL = """
    UPDATE kpis_kpievent e SET created_on = d.created_on FROM kpis_deal d
    WHERE e.kind LIKE 'deals.%' AND d.id = e.fact_id AND d.created_on IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("kpis", "0031_blocks_of_months_and_weeks")]

    operations = [
        migrations.AddField(
            model_name="kpievent",
            name="created_on",
            field=models.DateField(help_text="When the deal was created; empty for other facts", null=True),
        ),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
    ]
