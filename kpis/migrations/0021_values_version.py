from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0020_blocks_of_many_members"),
    ]

    operations = [
        migrations.CreateModel(
            name="ValuesVersion",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                ("version", models.UUIDField(verbose_name="Version")),
                ("computed_at", models.DateTimeField(verbose_name="Computed at")),
            ],
            options={
                "verbose_name": "Version of the values",
                "verbose_name_plural": "Version of the values",
            },
        ),
        migrations.AddIndex(
            model_name="deal",
            index=models.Index(
                condition=models.Q(("lost_reason", ""), ("outcome", "lost")),
                fields=["closed_on"],
                name="deal_lost_unexplained",
            ),
        ),
        migrations.AddConstraint(
            model_name="valuesversion",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="valuesversion_one_row"),
        ),
    ]
