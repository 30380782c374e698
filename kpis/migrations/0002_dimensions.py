"""Every company has the built-in dimensions from the start, each with the member that stands for what is unassigned."""

from django.db import migrations

CODES = (
    "team",
    "person",
    "region",
    "product",
    "lead_source",
    "sales_channel",
    "partner",
    "customer_type",
    "seg1",
    "seg2",
    "seg3",
    "seg4",
    "seg5",
)


def seed(apps, schema_editor):
    Dimension = apps.get_model("kpis", "Dimension")
    DimensionMember = apps.get_model("kpis", "DimensionMember")
    for code in CODES:
        dimension = Dimension.objects.create(code=code, is_active=not code.startswith("seg"))
        DimensionMember.objects.create(dimension=dimension, code="unassigned", name="unassigned", is_unassigned=True)


class Migration(migrations.Migration):
    dependencies = [("kpis", "0001_initial")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
