"""What was sent to people about values that they still have to type."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0013_input_requests"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="InputReminder",
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
                        default="month",
                        max_length=7,
                        verbose_name="Grain",
                    ),
                ),
                ("period_start", models.DateField(verbose_name="Period")),
                ("dimension", models.CharField(default="company", max_length=20, verbose_name="Dimension")),
                ("number", models.PositiveSmallIntegerField(verbose_name="Reminder")),
                ("sent_at", models.DateTimeField(verbose_name="Sent at")),
                (
                    "member",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="kpis.dimensionmember",
                        verbose_name="Member",
                    ),
                ),
                (
                    "metric",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reminders",
                        to="kpis.metric",
                        verbose_name="Metric",
                    ),
                ),
                (
                    "recipient",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="Recipient",
                    ),
                ),
            ],
            options={
                "verbose_name": "Input reminder",
                "verbose_name_plural": "Input reminders",
                "ordering": ["-sent_at", "-id"],
            },
        ),
        migrations.AddConstraint(
            model_name="inputreminder",
            constraint=models.UniqueConstraint(
                fields=("metric", "grain", "period_start", "dimension", "member", "number"),
                name="inputreminder_once",
                nulls_distinct=False,
            ),
        ),
    ]
