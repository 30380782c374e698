from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0005_raw_records_unchecked"),
    ]

    operations = [
        migrations.AlterField(
            model_name="rawrecord",
            name="received_at",
            field=models.DateTimeField(verbose_name="Received"),
        ),
        migrations.AddIndex(
            model_name="rawrecord",
            index=models.Index(
                condition=models.Q(("payload__isnull", False)), fields=["received_at"], name="rawrecord_received"
            ),
        ),
    ]
