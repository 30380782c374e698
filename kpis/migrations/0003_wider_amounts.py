"""Events hold the largest amount of the bulk door at the highest rate."""

from django.db import migrations, models

AMOUNT = models.DecimalField(decimal_places=8, max_digits=38, null=True)


class Migration(migrations.Migration):
    dependencies = [("kpis", "0002_dimensions")]
    operations = [
        migrations.AlterField(model_name="kpievent", name="amount", field=AMOUNT.clone()),
        migrations.AlterField(model_name="kpievent", name="gross_profit", field=AMOUNT.clone()),
    ]
