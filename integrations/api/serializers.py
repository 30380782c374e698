"""The shapes of connections and runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from integrations.choices import Carries, ConnectionKind, Health
from integrations.connectors.presets import PRESETS
from integrations.models import Connection, RejectedRecord, SyncRun
from integrations.selectors.connections import health_of


class ConnectionSerializer(serializers.ModelSerializer[Connection]):
    """One connection; `every_minutes` says how often data is due (null = only by hand)."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    kind = serializers.ChoiceField(choices=ConnectionKind.choices, read_only=True)
    carries = serializers.ChoiceField(choices=Carries.choices)
    source = serializers.RegexField(r"^[a-z0-9][a-z0-9_-]*$", max_length=60)
    preset = serializers.ChoiceField(choices=list(PRESETS))
    every_minutes = serializers.IntegerField(min_value=1, max_value=527_040, allow_null=True, default=None)
    paused = serializers.BooleanField(source="is_paused", default=False)
    health = serializers.SerializerMethodField()

    class Meta:
        model = Connection
        fields = (
            "id",
            "name",
            "kind",
            "carries",
            "source",
            "preset",
            "every_minutes",
            "paused",
            "health",
            "last_run_at",
            "last_success_at",
            "created_at",
        )
        read_only_fields = ("last_run_at", "last_success_at", "created_at")
        # A name that is taken is refused by the service, in words.
        extra_kwargs = {"name": {"validators": []}}

    def get_health(self, connection: Connection) -> Health:
        return health_of(connection=connection, now=timezone.now())

    def to_representation(self, connection: Connection) -> dict[str, Any]:
        every = connection.every
        connection.every_minutes = None if every is None else int(every.total_seconds() // 60)  # type: ignore[attr-defined]
        return super().to_representation(connection)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if self.instance is not None and (fixed := set(given) & {"name", "carries", "source", "preset"}):
            message = _("This cannot be changed; make another connection instead.")
            raise serializers.ValidationError(dict.fromkeys(sorted(fixed), message), code="fixed")
        if "every_minutes" in given:
            minutes = given.pop("every_minutes")
            given["every"] = None if minutes is None else timedelta(minutes=minutes)
        return given


class SyncRunSerializer(serializers.ModelSerializer[SyncRun]):
    """One import; `message` says in words why it failed."""

    id = serializers.UUIDField(source="public_id")
    connection = serializers.UUIDField(source="connection.public_id")
    message = serializers.CharField()
    progress = serializers.SerializerMethodField()
    counts = serializers.SerializerMethodField()

    class Meta:
        model = SyncRun
        fields = (
            "id",
            "connection",
            "state",
            "trigger",
            "requested_at",
            "started_at",
            "finished_at",
            "progress",
            "counts",
            "problem_code",
            "message",
            "report",
        )

    def get_progress(self, run: SyncRun) -> dict[str, int]:
        return {"done": run.progress_done, "total": run.progress_total}

    def get_counts(self, run: SyncRun) -> dict[str, int]:
        names = ("read", "inserted", "updated", "unchanged", "deleted", "rejected", "unresolved")
        return {name: getattr(run, f"{name}_count") for name in names}


class RejectedRecordSerializer(serializers.ModelSerializer[RejectedRecord]):
    """One row that was not imported."""

    run = serializers.UUIDField(source="run.public_id")
    reasons = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = RejectedRecord
        fields = ("run", "stream", "file_name", "row", "external_id", "reasons", "raw")


class RejectedQuerySerializer(serializers.Serializer[Any]):
    """Whose rejected rows are asked for."""

    run = serializers.UUIDField(required=False)


class UploadSerializer(serializers.Serializer[Any]):
    """Files to look at or to import, as multipart form data."""

    uploads = serializers.ListField(child=serializers.FileField(allow_empty_file=True), allow_empty=False)


class RecordPreviewSerializer(serializers.Serializer[Any]):
    """One record as it would be stored."""

    row = serializers.IntegerField(source="number")
    values = serializers.ListField(child=serializers.JSONField(allow_null=True))


class RefusalPreviewSerializer(serializers.Serializer[Any]):
    """One row that would not be stored."""

    row = serializers.IntegerField(source="number")
    reasons = serializers.ListField(source="sentences", child=serializers.CharField())


class StreamPreviewSerializer(serializers.Serializer[Any]):
    """What one stream of the files would bring."""

    stream = serializers.CharField(source="mapping.stream")
    resource = serializers.CharField(source="mapping.resource")
    file = serializers.CharField(source="file_name")
    encoding = serializers.CharField()
    columns = serializers.ListField(source="fields", child=serializers.CharField())
    records = RecordPreviewSerializer(many=True)
    refused = RefusalPreviewSerializer(many=True)
    report = serializers.DictField()


class PreviewSerializer(serializers.Serializer[Any]):
    """What files would bring; import them with `sync`, naming the upload."""

    upload = serializers.UUIDField()
    streams = StreamPreviewSerializer(many=True)


class SyncRequestSerializer(serializers.Serializer[Any]):
    """Which upload to import; without one, what lies in the folder, else the last delivery again."""

    upload = serializers.UUIDField(required=False, allow_null=True)


class CheckResultSerializer(serializers.Serializer[Any]):
    """Whether the last delivery can be read."""

    ok = serializers.BooleanField()
    code = serializers.CharField(allow_blank=True)
    message = serializers.CharField(allow_blank=True)
