from django.db import migrations, models

from kpis.migrations._watching import make_function, watch

TABLES = (
    "company_settings_companysettings",
    "kpis_calendarday",
    "kpis_calendarrule",
    "kpis_dealphase",
    "kpis_dimension",
    "kpis_dimensionmember",
    "kpis_factstream",
    "kpis_fiscalyear",
    "kpis_kpinode",
    "kpis_kpitree",
    "kpis_lockedcell",
    "kpis_manualentry",
    "kpis_metric",
    "kpis_metricsnapshot",
    "kpis_metricversion",
    "kpis_period",
    "kpis_person",
    "kpis_target",
    "kpis_team",
    "kpis_team_succeeds",
    "kpis_valuesversion",
)


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0032_kpievent_created_on"),
        ("company_settings", "0002_target_approval"),
    ]

    operations = [
        migrations.CreateModel(
            name="ShownChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.DecimalField(decimal_places=0, max_digits=40, verbose_name="Number")),
            ],
            options={
                "verbose_name": "Change of what is shown",
                "verbose_name_plural": "Changes of what is shown",
            },
        ),
        make_function(),
        *(watch(table) for table in TABLES),
    ]
