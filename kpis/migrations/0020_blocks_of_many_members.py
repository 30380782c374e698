import django.contrib.postgres.fields
from django.db import migrations, models

import kpis.models.measures

# Blocks become one row for all members of a dimension; what they hold stays, so that nothing has to be computed again.
_TAKE = """
    CREATE TEMPORARY TABLE block_before AS
        SELECT b."group", b.grain, b.dimension, b.period_start, b.member_id, each.key, each.value::numeric AS number
        FROM kpis_measureblock b, jsonb_each_text(b.measures) AS each (key, value);
    TRUNCATE kpis_measureblock;
"""
_PUT = """
    INSERT INTO kpis_measureblock ("group", grain, dimension, period_start, measures, member_ids, numbers)
    WITH known AS (
        SELECT DISTINCT "group", grain, dimension, period_start, key FROM block_before
    ), member AS (
        SELECT DISTINCT "group", grain, dimension, period_start, member_id FROM block_before
    ), line AS (
        SELECT k."group", k.grain, k.dimension, k.period_start, k.key,
               array_agg(m.member_id ORDER BY m.member_id) AS member_ids,
               array_agg(b.number ORDER BY m.member_id) AS numbers
        FROM known k JOIN member m USING ("group", grain, dimension, period_start)
        LEFT JOIN block_before b ON b."group" = k."group" AND b.grain = k.grain AND b.dimension = k.dimension
             AND b.period_start = k.period_start AND b.key = k.key AND b.member_id IS NOT DISTINCT FROM m.member_id
        GROUP BY 1, 2, 3, 4, 5
    )
    SELECT "group", grain, dimension, period_start, array_agg(key ORDER BY key), min(member_ids),
           array_agg(numbers ORDER BY key)
    FROM line GROUP BY 1, 2, 3, 4;
    DROP TABLE block_before;
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
        migrations.RunSQL(_PUT, migrations.RunSQL.noop),
    ]
