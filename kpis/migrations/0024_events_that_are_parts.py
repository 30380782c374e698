from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0023_dirty_of_itself"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="kpievent",
            index=models.Index(
                condition=models.Q(("weight", 1), _negated=True), fields=["kind", "credit"], name="kpievent_part"
            ),
        ),
    ]
