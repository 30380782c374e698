from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0007_listed_parts"),
    ]

    operations = [
        migrations.AddField(
            model_name="fieldmapping",
            name="headings",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Known by these, whatever a file is called",
                verbose_name="Headings",
            ),
        ),
        migrations.AddField(
            model_name="sourcefile",
            name="headings",
            field=models.JSONField(
                blank=True, default=list, help_text="Empty before it was opened", verbose_name="Headings"
            ),
        ),
    ]
