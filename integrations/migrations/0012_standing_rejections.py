import django.db.models.deletion
from django.db import migrations, models

# Whose rejection it is, and which of those there are stand: of a file the newest import of its kind, of a source the
# newest rejection of a record of which nothing else was said and which was not mapped again since.
_FILL = """
UPDATE integrations_rejectedrecord x SET connection_id = r.connection_id, record_id = x.external_id
FROM integrations_syncrun r WHERE r.id = x.run_id;

UPDATE integrations_rejectedrecord x SET is_standing = true
FROM integrations_syncrun r, integrations_connection c, integrations_fieldmapping m
WHERE r.id = x.run_id AND c.id = x.connection_id
AND m.connection_id = x.connection_id AND m.stream = x.stream AND m.is_current
AND NOT EXISTS (
    SELECT FROM integrations_syncrun later
    WHERE later.connection_id = x.connection_id AND later.id > x.run_id AND later.state IN ('succeeded', 'partly')
    AND later.kind = CASE WHEN c.kind = 'file' THEN 'sync' ELSE 'remap' END
)
AND (c.kind = 'file' OR (
    NOT EXISTS (
        SELECT FROM integrations_rejectedrecord newer
        WHERE newer.connection_id = x.connection_id AND newer.stream = x.stream AND newer.record_id = x.record_id
        AND newer.run_id > x.run_id
    )
    AND EXISTS (
        SELECT FROM integrations_rawrecord said
        WHERE said.connection_id = x.connection_id AND said.stream = m.reads AND said.external_id = x.record_id
        AND NOT said.is_gone AND said.received_at <= coalesce(r.finished_at, said.received_at)
    )
));
"""


class Migration(migrations.Migration):
    dependencies = [
        ("integrations", "0011_requests_to_mend"),
    ]

    operations = [
        migrations.AddField(
            model_name="rejectedrecord",
            name="connection",
            # Unchecked until it is filled: a table with checks that wait cannot be altered.
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="rejected",
                to="integrations.connection",
                verbose_name="Connection",
            ),
        ),
        migrations.AddField(
            model_name="rejectedrecord",
            name="record_id",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Empty where it has no id",
                max_length=200,
                verbose_name="Record of the source",
            ),
        ),
        migrations.AddField(
            model_name="rejectedrecord",
            name="is_standing",
            field=models.BooleanField(default=False),
        ),
        migrations.RunSQL(_FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="rejectedrecord",
            name="connection",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="rejected",
                to="integrations.connection",
                verbose_name="Connection",
            ),
        ),
        migrations.AlterField(
            model_name="rejectedrecord",
            name="is_standing",
            field=models.BooleanField(
                default=True,
                help_text="Its record has not been stored, deleted or rejected anew since",
                verbose_name="Still not imported",
            ),
        ),
        migrations.AddIndex(
            model_name="rejectedrecord",
            index=models.Index(
                condition=models.Q(("is_standing", True)),
                fields=["connection", "stream", "record_id"],
                name="rejectedrecord_standing",
            ),
        ),
    ]
