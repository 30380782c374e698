from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("kpis", "0035_open_restatements")]

    operations = [
        migrations.AddConstraint(
            model_name="dimension",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_active", True), models.Q(("attribute", ""), _negated=True)),
                fields=("attribute",),
                name="dimension_attribute_once",
            ),
        ),
    ]
