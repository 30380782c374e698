"""Findings about KPIs, and reviews of benchmarks."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0004_back_calculation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BenchmarkReview",
            fields=[
                (
                    "node",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="benchmark_review",
                        serialize=False,
                        to="kpis.kpinode",
                        verbose_name="KPI",
                    ),
                ),
                (
                    "verdict",
                    models.CharField(
                        choices=[("consulted", "Benchmark consulted"), ("own_history", "Own history preferred")],
                        max_length=11,
                        verbose_name="Verdict",
                    ),
                ),
                ("note", models.TextField(verbose_name="Note")),
                ("reviewed_at", models.DateTimeField(verbose_name="At")),
                (
                    "reviewed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="By",
                    ),
                ),
            ],
            options={
                "verbose_name": "Benchmark review",
                "verbose_name_plural": "Benchmark reviews",
                "ordering": ["-reviewed_at"],
            },
        ),
        migrations.CreateModel(
            name="KpiFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=30, verbose_name="Finding")),
                ("is_fault", models.BooleanField(verbose_name="Fault")),
                ("found_on", models.DateField(verbose_name="Found on")),
                ("due_on", models.DateField(verbose_name="Due date")),
                (
                    "node",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="findings",
                        to="kpis.kpinode",
                        verbose_name="KPI",
                    ),
                ),
            ],
            options={
                "verbose_name": "Finding about a KPI",
                "verbose_name_plural": "Findings about KPIs",
                "ordering": ["node", "-is_fault", "code"],
                "constraints": [models.UniqueConstraint(fields=("node", "code"), name="kpifinding_once")],
            },
        ),
    ]
