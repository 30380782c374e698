"""What sources call us about, merged records, runs of several kinds, and what a source says of itself."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0003_raw_landing"),
    ]

    operations = [
        migrations.CreateModel(
            name="InboundHook",
            fields=[
                (
                    "connection",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="hook",
                        serialize=False,
                        to="integrations.connection",
                        verbose_name="Connection",
                    ),
                ),
                ("token", models.CharField(editable=False, max_length=64, unique=True)),
                ("opened_at", models.DateTimeField(verbose_name="Open since")),
                ("received_count", models.PositiveIntegerField(default=0, verbose_name="Notifications received")),
                ("repeated_count", models.PositiveIntegerField(default=0, verbose_name="Received again")),
                ("refused_count", models.PositiveIntegerField(default=0, verbose_name="Calls refused")),
                ("last_received_at", models.DateTimeField(null=True, verbose_name="Last notification")),
                ("last_refused_at", models.DateTimeField(null=True, verbose_name="Last refusal")),
                (
                    "refused_by",
                    models.CharField(blank=True, default="", max_length=40, verbose_name="Refused because of"),
                ),
            ],
            options={
                "verbose_name": "Notification address",
                "verbose_name_plural": "Notification addresses",
            },
        ),
        migrations.AddField(
            model_name="connection",
            name="drift",
            field=models.JSONField(
                blank=True, default=list, editable=False, help_text="How the source differs from what was mapped"
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="quota",
            field=models.JSONField(
                blank=True, default=dict, editable=False, help_text="What the source said last about its limit of calls"
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="seen_fields",
            field=models.JSONField(
                blank=True,
                default=dict,
                editable=False,
                help_text="The mapped fields as the source described them last",
            ),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="kind",
            field=models.CharField(
                choices=[
                    ("sync", "Import of changes"),
                    ("events", "Notified records"),
                    ("compare", "Comparison with the source"),
                    ("remap", "Mapped again"),
                ],
                default="sync",
                max_length=7,
                verbose_name="Kind",
            ),
        ),
        migrations.AlterField(
            model_name="syncrun",
            name="trigger",
            field=models.CharField(
                choices=[
                    ("upload", "Upload"),
                    ("manual", "By hand"),
                    ("schedule", "Schedule"),
                    ("webhook", "Notification"),
                ],
                max_length=8,
                verbose_name="Trigger",
            ),
        ),
        migrations.AlterField(
            model_name="upload",
            name="trigger",
            field=models.CharField(
                choices=[
                    ("upload", "Upload"),
                    ("manual", "By hand"),
                    ("schedule", "Schedule"),
                    ("webhook", "Notification"),
                ],
                max_length=8,
                verbose_name="Received by",
            ),
        ),
        migrations.CreateModel(
            name="InboundEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event_id", models.CharField(max_length=200, verbose_name="Event")),
                ("stream", models.CharField(max_length=60, verbose_name="Stream")),
                ("external_id", models.CharField(max_length=200, verbose_name="External id")),
                ("received_at", models.DateTimeField(db_index=True, verbose_name="Received")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("done", "Fetched"),
                            ("aside", "Not read here"),
                            ("left", "Left to the next import"),
                        ],
                        default="waiting",
                        max_length=7,
                        verbose_name="State",
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0, verbose_name="Attempts")),
                ("done_at", models.DateTimeField(null=True, verbose_name="Done")),
                (
                    "source_updated_at",
                    models.DateTimeField(
                        help_text="As the record said that was fetched for it",
                        null=True,
                        verbose_name="Changed at the source",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="inbound_events",
                        to="integrations.connection",
                        verbose_name="Connection",
                    ),
                ),
            ],
            options={
                "verbose_name": "Notification",
                "verbose_name_plural": "Notifications",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "waiting")), fields=["connection"], name="inboundevent_waiting"
                    ),
                    models.Index(fields=["connection", "stream", "external_id"], name="inboundevent_record"),
                ],
                "constraints": [models.UniqueConstraint(fields=("connection", "event_id"), name="inboundevent_once")],
            },
        ),
        migrations.CreateModel(
            name="MergedRecord",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("resource", models.CharField(max_length=30, verbose_name="Resource")),
                ("loser", models.CharField(max_length=200, verbose_name="Merged record")),
                ("winner", models.CharField(max_length=200, verbose_name="Merged into")),
                ("noted_at", models.DateTimeField(verbose_name="Noted")),
                (
                    "applied_at",
                    models.DateTimeField(
                        help_text="Empty while the record it was merged into has not arrived",
                        null=True,
                        verbose_name="Applied",
                    ),
                ),
                ("moved_count", models.PositiveIntegerField(default=0, verbose_name="References moved")),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="merged",
                        to="integrations.connection",
                        verbose_name="Connection",
                    ),
                ),
            ],
            options={
                "verbose_name": "Merged record",
                "verbose_name_plural": "Merged records",
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(fields=("connection", "resource", "loser"), name="mergedrecord_once"),
                    models.CheckConstraint(
                        condition=models.Q(("loser", models.F("winner")), _negated=True), name="mergedrecord_other"
                    ),
                ],
            },
        ),
    ]
