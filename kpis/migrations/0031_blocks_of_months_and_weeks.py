from django.db import migrations

# What does not add up is computed when it is read, of all periods longer than these; a reverse computes them again.
_DROP = """
    DELETE FROM kpis_measureblock
    WHERE "group" LIKE '%:exact' AND "group" NOT LIKE '%.window:%' AND grain NOT IN ('month', 'week')
"""
_COMPUTE_AGAIN = """
    INSERT INTO kpis_dirtyrange ("group") SELECT DISTINCT "group" FROM kpis_measureblock
    WHERE "group" LIKE '%:exact' AND "group" NOT LIKE '%.window:%'
"""


class Migration(migrations.Migration):
    dependencies = [("kpis", "0030_same_people")]

    operations = [migrations.RunSQL(_DROP, _COMPUTE_AGAIN)]
