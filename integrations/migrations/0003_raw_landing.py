"""What sources said is kept by the digest of it, for as long as a connection keeps it."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0002_sources"),
    ]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="keep_days",
            field=models.PositiveSmallIntegerField(
                default=400,
                help_text="A changed mapping is applied to what is kept without asking the source again; 0 = nothing is kept",
                validators=[django.core.validators.MaxValueValidator(3650)],
                verbose_name="Kept as received, days",
            ),
        ),
        migrations.AddField(
            model_name="rawrecord",
            name="digest",
            field=models.CharField(default="", editable=False, max_length=32),
        ),
        migrations.AddField(
            model_name="rawrecord",
            name="is_gone",
            field=models.BooleanField(
                default=False, help_text="The source has deleted it or merged it away", verbose_name="Deleted"
            ),
        ),
        migrations.AlterField(
            model_name="rawrecord",
            name="connection",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="integrations.connection",
                verbose_name="Connection",
            ),
        ),
        migrations.AlterField(
            model_name="rawrecord",
            name="stream",
            field=models.SlugField(db_index=False, max_length=60, verbose_name="Stream"),
        ),
    ]
