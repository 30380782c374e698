from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("kpis", "0022_blocks_of_all_dimensions"),
    ]

    operations = [
        migrations.AddField(
            model_name="dirtyfact",
            name="is_own",
            field=models.BooleanField(db_default=True, default=True),
        ),
    ]
