"""Which contracts were due is said by their events from now on: all of them are derived again at the next recompute."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("kpis", "0011_deal_phases")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO kpis_dirtyfact (fact, fact_id) SELECT 'contracts', id FROM kpis_contract",
            migrations.RunSQL.noop,
        )
    ]
