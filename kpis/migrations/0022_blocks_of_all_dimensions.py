import django.contrib.postgres.fields
from django.db import migrations, models

# Blocks of all dimensions but people become one row, and numbers are written as text; what they hold stays.
_TAKE = """
    CREATE TEMPORARY TABLE block_before AS
        SELECT "group", grain, dimension, period_start, measures, member_ids, numbers FROM kpis_measureblock;
    TRUNCATE kpis_measureblock;
"""
_PUT = """
    INSERT INTO kpis_measureblock ("group", grain, period_start, is_of_people, measures, member_ids, numbers)
    WITH cell AS MATERIALIZED (
        SELECT b."group", b.grain, b.period_start, b.dimension = 'person' AS is_of_people,
               coalesce(m.id, 0) AS member, k.key, b.numbers[k.n][m.n]::text AS number
        FROM block_before b CROSS JOIN LATERAL unnest(b.measures) WITH ORDINALITY AS k (key, n)
        CROSS JOIN LATERAL unnest(b.member_ids) WITH ORDINALITY AS m (id, n)
    ), place AS (
        SELECT DISTINCT "group", grain, period_start, is_of_people, member FROM cell
    ), measure AS (
        SELECT DISTINCT "group", grain, period_start, is_of_people, key FROM cell
    ), line AS (
        SELECT "group", grain, period_start, is_of_people, key, array_agg(nullif(member, 0) ORDER BY member) AS ids,
               string_agg(coalesce(number, ''), ',' ORDER BY member) AS numbers
        FROM place JOIN measure USING ("group", grain, period_start, is_of_people)
        LEFT JOIN cell USING ("group", grain, period_start, is_of_people, key, member)
        GROUP BY 1, 2, 3, 4, 5
    )
    SELECT "group", grain, period_start, is_of_people, array_agg(key ORDER BY key), min(ids),
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
        ("kpis", "0021_values_version"),
    ]

    operations = [
        migrations.RunSQL(_TAKE, migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name="measureblock", name="measureblock_once"),
        migrations.RemoveField(model_name="measureblock", name="dimension"),
        migrations.RemoveField(model_name="measureblock", name="numbers"),
        migrations.AddField(
            model_name="measureblock", name="is_of_people", field=models.BooleanField(), preserve_default=False
        ),
        migrations.AddField(
            model_name="measureblock",
            name="numbers",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None),
            preserve_default=False,
        ),
        migrations.AlterField(
            model_name="measureblock",
            name="member_ids",
            field=django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(null=True), size=None),
        ),
        migrations.AddConstraint(
            model_name="measureblock",
            constraint=models.UniqueConstraint(
                fields=("group", "grain", "period_start", "is_of_people"), name="measureblock_once"
            ),
        ),
        migrations.RunSQL(_PUT, _COMPUTE_AGAIN),
    ]
