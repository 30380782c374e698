from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0008_files_by_headings"),
    ]

    operations = [
        migrations.AddField(
            model_name="checkpoint",
            name="read_at",
            field=models.DateTimeField(
                help_text="When the last import that asked for it came to its end", null=True, verbose_name="Read"
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="read_every",
            field=models.DurationField(
                editable=False, help_text="The shortest rhythm among what is mapped; empty = only by hand", null=True
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="stream_every",
            field=models.JSONField(
                blank=True,
                default=dict,
                help_text="Stream → minutes, for streams that are due at a rhythm of their own",
                verbose_name="Frequency of single streams",
            ),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="streams",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="The streams of the source that it reads; empty = all",
                verbose_name="Streams",
            ),
        ),
    ]
