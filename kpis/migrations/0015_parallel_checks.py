"""Typed metrics beside the automatic ones that are to take their place."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0014_input_reminders"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ParallelCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "tolerance",
                    models.DecimalField(decimal_places=8, default=0, max_digits=26, verbose_name="Tolerance"),
                ),
                ("months_needed", models.PositiveSmallIntegerField(default=3, verbose_name="Equal months needed")),
                ("started_at", models.DateTimeField(verbose_name="Started at")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("running", "Being compared"),
                            ("switched", "Switched to automatic"),
                            ("stopped", "Ended without a switch"),
                        ],
                        default="running",
                        max_length=8,
                        verbose_name="Outcome",
                    ),
                ),
                ("effective_from", models.DateField(blank=True, null=True, verbose_name="Automatic from")),
                (
                    "equal_months",
                    models.PositiveSmallIntegerField(blank=True, null=True, verbose_name="Equal months at the end"),
                ),
                ("reason", models.TextField(blank=True, default="", verbose_name="Reason")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="Ended at")),
                (
                    "candidate",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="kpis.metric",
                        verbose_name="Automatic metric",
                    ),
                ),
                (
                    "ended_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="Ended by",
                    ),
                ),
                (
                    "metric",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="parallel_checks",
                        to="kpis.metric",
                        verbose_name="Metric",
                    ),
                ),
                (
                    "started_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="Started by",
                    ),
                ),
            ],
            options={
                "verbose_name": "Parallel check",
                "verbose_name_plural": "Parallel checks",
                "ordering": ["-started_at", "-id"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("outcome", "running")), fields=("metric",), name="parallelcheck_one_running"
                    )
                ],
            },
        ),
    ]
