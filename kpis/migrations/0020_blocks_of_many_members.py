import django.contrib.postgres.fields
from django.db import migrations, models

import kpis.models.measures

# Blocks become one row for all members of a dimension; what they hold stays, so that nothing has to be computed again.
_TAKE = """
    CREATE TEMPORARY TABLE block_before AS
        SELECT "group", grain, dimension, period_start, member_id, measures FROM kpis_measureblock;
    TRUNCATE kpis_measureblock;
"""
_PUT = """
    INSERT INTO kpis_measureblock ("group", grain, dimension, period_start, measures, member_ids, numbers)
    WITH told AS (
        SELECT DISTINCT "group", grain, dimension, period_start, jsonb_object_keys(measures) AS key FROM block_before
    ), line AS (
        SELECT "group", grain, dimension, period_start, key, array_agg(member_id ORDER BY member_id) AS member_ids,
               array_agg((measures->>key)::numeric ORDER BY member_id) AS numbers
        FROM told JOIN block_before USING ("group", grain, dimension, period_start) GROUP BY 1, 2, 3, 4, 5
    )
    SELECT "group", grain, dimension, period_start, array_agg(key ORDER BY key), min(member_ids),
           array_agg(numbers ORDER BY key)
    FROM line GROUP BY 1, 2, 3, 4;
    DROP TABLE block_before;
"""
_COMPUTE_AGAIN = """
    INSERT INTO kpis_dirtyrange ("group") SELECT DISTINCT "group" FROM kpis_measureblock;
    TRUNCATE kpis_measureblock;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0019_owner_at_close_unchecked"),
    ]

    operations = [
        migrations.RunSQL(_TAKE, migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name="measureblock", name="measureblock_once"),
        migrations.RemoveField(model_name="measureblock", name="member"),
        migrations.RemoveField(model_name="measureblock", name="measures"),
        migrations.AddField(
            model_name="measureblock",
            name="measures",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), size=None),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="measureblock",
            name="member_ids",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(null=True), size=None),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="measureblock",
            name="numbers",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=django.contrib.postgres.fields.ArrayField(
                    base_field=kpis.models.measures.ExactField(null=True), size=None
                ),
                size=None,
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="measureblock",
            constraint=models.UniqueConstraint(
                fields=("group", "grain", "dimension", "period_start"), name="measureblock_once"
            ),
        ),
        migrations.RunSQL(_PUT, _COMPUTE_AGAIN),
    ]
