import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0034_fact_changes_mapped_again"),
    ]

    operations = [
        migrations.CreateModel(
            name="PeriodToCompare",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "period",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="kpis.period",
                        verbose_name="Period",
                    ),
                ),
            ],
            options={
                "verbose_name": "Closed period to compare",
                "verbose_name_plural": "Closed periods to compare",
            },
        ),
        migrations.CreateModel(
            name="OpenRestatement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "grain",
                    models.CharField(
                        choices=[
                            ("week", "Week"),
                            ("month", "Month"),
                            ("quarter", "Quarter"),
                            ("half", "Half year"),
                            ("year", "Year"),
                        ],
                        max_length=7,
                        verbose_name="Grain",
                    ),
                ),
                ("period_start", models.DateField(verbose_name="Period")),
                ("dimension", models.CharField(max_length=20, verbose_name="Dimension")),
                ("value", models.DecimalField(decimal_places=14, max_digits=34, null=True, verbose_name="Live value")),
                ("absence", models.CharField(blank=True, default="", max_length=20, verbose_name="Absence")),
                (
                    "member",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="kpis.dimensionmember",
                        verbose_name="Member",
                    ),
                ),
                (
                    "node",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="open_restatements",
                        to="kpis.kpinode",
                        verbose_name="Node",
                    ),
                ),
            ],
            options={
                "verbose_name": "Restatement to decide on",
                "verbose_name_plural": "Restatements to decide on",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("grain", "period_start", "node", "dimension", "member"),
                        name="openrestatement_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
    ]
