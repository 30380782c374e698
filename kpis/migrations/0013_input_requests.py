"""Who types a value, by when and for whom; a typed value, or why there is none."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("kpis", "0012_due_contracts")]

    operations = [
        migrations.AddField(
            model_name="kpinode",
            name="deputy",
            field=models.ForeignKey(
                blank=True,
                help_text="Types the values when the KPI owner is away or late.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="kpis.person",
                verbose_name="Deputy",
            ),
        ),
        migrations.AddField(
            model_name="kpinode",
            name="due_business_day",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="After the end of the period. Empty: by the day on which it becomes provisional.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(25)],
                verbose_name="Typed by business day",
            ),
        ),
        migrations.AddField(
            model_name="kpinode",
            name="entered_for",
            field=models.CharField(
                choices=[("company", "The company only"), ("team", "Each team too"), ("person", "Each person too")],
                default="company",
                help_text="Of a KPI whose values are typed. The KPI owner types those of the company.",
                max_length=7,
                verbose_name="Typed for",
            ),
        ),
        migrations.AddField(
            model_name="manualentry",
            name="absence",
            field=models.CharField(
                blank=True,
                choices=[("no_denominator", "No cases"), ("not_applicable", "Not applicable"), ("missing", "No data")],
                default="",
                max_length=14,
                verbose_name="No value because",
            ),
        ),
        migrations.AlterField(
            model_name="manualentry",
            name="value",
            field=models.DecimalField(blank=True, decimal_places=8, max_digits=26, null=True, verbose_name="Value"),
        ),
        migrations.AddConstraint(
            model_name="manualentry",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("absence", ""), ("value__isnull", False)),
                    models.Q(("value", None), models.Q(("absence", ""), _negated=True)),
                    _connector="OR",
                ),
                name="manualentry_value_or_absence",
            ),
        ),
    ]
