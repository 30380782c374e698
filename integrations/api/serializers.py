"""The shapes of connections and runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from integrations.choices import KEEP_AT_MOST_DAYS, KEEP_DAYS, Carries, ConnectionKind, Health
from integrations.connectors.presets import PRESETS
from integrations.models import Connection, RejectedRecord, SyncRun
from integrations.selectors.connections import health_of, problem_of, quota_of
from integrations.selectors.hooks import HookState
from integrations.services.inspection import secret_names

FIXED = {"name", "kind", "carries", "source", "preset"}
# What only one of the two ways of getting data has.
OF_FILES, OF_SOURCES = {"preset"}, {"description", "secrets"}


class QuotaSerializer(serializers.Serializer[Any]):
    """Of how many calls that the source allows how many were used, by us and whoever else calls it."""

    used = serializers.IntegerField()
    limit = serializers.IntegerField()
    at = serializers.DateTimeField()


class ConnectionSerializer(serializers.ModelSerializer[Connection]):
    """One connection; `every_minutes` says how often data is due (null = only by hand), `stream_every_minutes` which
    streams of a source are due at a rhythm of their own ({"deals": 5, "prices": null}; null = only by hand; all of them
    are replaced), `next_run_at` when it is asked next (null = not on schedule), `keep_days` how long what the source
    said is kept for being mapped again (0 = not at all).

    A connection of kind `file` has a `preset`; one that is called has a `description` (see docs/generic-rest.md) and
    `secrets`, which are never shown: `secrets_set` names those that are there. `stopped_by` is the code of what a
    person has to mend before it is read again, `problem` says in words why the last import failed.
    """

    id = serializers.UUIDField(source="public_id", read_only=True)
    kind = serializers.ChoiceField(choices=ConnectionKind.choices, default=ConnectionKind.FILE)
    carries = serializers.ChoiceField(choices=Carries.choices)
    source = serializers.RegexField(r"^[a-z0-9][a-z0-9_-]*$", max_length=60)
    preset = serializers.ChoiceField(choices=list(PRESETS), required=False, allow_blank=True)
    description = serializers.DictField(required=False)
    secrets = serializers.DictField(
        child=serializers.CharField(max_length=10_000, trim_whitespace=False), write_only=True, required=False
    )
    secrets_set = serializers.SerializerMethodField()
    stopped_by = serializers.CharField(read_only=True)
    problem = serializers.SerializerMethodField()
    quota = serializers.SerializerMethodField()
    every_minutes = serializers.IntegerField(min_value=1, max_value=527_040, allow_null=True, default=None)
    stream_every_minutes = serializers.DictField(
        source="stream_every",
        child=serializers.IntegerField(min_value=1, max_value=527_040, allow_null=True),
        required=False,
    )
    next_run_at = serializers.DateTimeField(read_only=True, allow_null=True)
    keep_days = serializers.IntegerField(min_value=0, max_value=KEEP_AT_MOST_DAYS, default=KEEP_DAYS)
    paused = serializers.BooleanField(source="is_paused", default=False)
    health = serializers.SerializerMethodField()
    rejected_count = serializers.IntegerField(read_only=True)

    class Meta:
        model = Connection
        fields = (
            "id",
            "name",
            "kind",
            "carries",
            "source",
            "preset",
            "description",
            "secrets",
            "secrets_set",
            "every_minutes",
            "stream_every_minutes",
            "keep_days",
            "paused",
            "health",
            "rejected_count",
            "stopped_by",
            "problem",
            "quota",
            "last_run_at",
            "next_run_at",
            "last_success_at",
            "created_at",
        )
        read_only_fields = ("last_run_at", "last_success_at", "created_at")
        # A name that is taken is refused by the service, in words.
        extra_kwargs = {"name": {"validators": []}}

    def get_health(self, connection: Connection) -> Health:
        missing: int = connection.rejected_count  # type: ignore[attr-defined]
        return health_of(connection=connection, now=timezone.now(), rejected_count=missing)

    @extend_schema_field(QuotaSerializer(allow_null=True))
    def get_quota(self, connection: Connection) -> dict[str, Any] | None:
        found = quota_of(connection=connection)
        return None if found is None else QuotaSerializer(found).data

    def get_problem(self, connection: Connection) -> str:
        return problem_of(connection)

    def get_secrets_set(self, connection: Connection) -> list[str]:
        return secret_names(connection=connection)

    def to_representation(self, connection: Connection) -> dict[str, Any]:
        every = connection.every
        connection.every_minutes = None if every is None else int(every.total_seconds() // 60)  # type: ignore[attr-defined]
        return super().to_representation(connection)

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        if isinstance(self.instance, Connection):
            kind = self.instance.kind
            if fixed := set(given) & FIXED:
                message = _("This cannot be changed; make another connection instead.")
                raise serializers.ValidationError(dict.fromkeys(sorted(fixed), message), code="fixed")
        else:
            kind = given["kind"]
            if given.get("stream_every"):
                message = _("Map its streams first; then say here how often each is due.")
                raise serializers.ValidationError({"stream_every_minutes": message}, code="invalid")
            needed = OF_FILES if kind == ConnectionKind.FILE else {"description"}
            if missing := {name for name in needed if not given.get(name)}:
                message = _("A connection of this kind needs it.")
                raise serializers.ValidationError(dict.fromkeys(sorted(missing), message), code="required")
        if surplus := set(given) & (OF_SOURCES if kind == ConnectionKind.FILE else OF_FILES):
            message = _("A connection of this kind does not have it.")
            raise serializers.ValidationError(dict.fromkeys(sorted(surplus), message), code="invalid")
        if "every_minutes" in given:
            minutes = given.pop("every_minutes")
            given["every"] = None if minutes is None else timedelta(minutes=minutes)
        return given


class SyncRunSerializer(serializers.ModelSerializer[SyncRun]):
    """One import; `message` says in words why it failed, `streams` which streams it was to read (empty = all).

    The total of `progress` is null as long as it is not known of every stream.
    """

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
            "kind",
            "state",
            "trigger",
            "streams",
            "requested_at",
            "started_at",
            "finished_at",
            "progress",
            "counts",
            "problem_code",
            "message",
            "report",
        )

    def get_progress(self, run: SyncRun) -> dict[str, int | None]:
        is_unknown = run.is_under_way and not run.progress_total
        return {"done": run.progress_done, "total": None if is_unknown else run.progress_total}

    def get_counts(self, run: SyncRun) -> dict[str, int]:
        names = ("read", "inserted", "updated", "unchanged", "deleted", "rejected", "unresolved")
        return {name: getattr(run, f"{name}_count") for name in names}


class KeptSerializer(serializers.Serializer[Any]):
    """What can be mapped again without asking the source: how many records, received since when.

    `lost` were received longer ago than `keep_days`: a changed mapping reaches them only when the source is read again.
    """

    count = serializers.IntegerField()
    since = serializers.DateTimeField(allow_null=True)
    lost = serializers.IntegerField()


class RejectedRecordSerializer(serializers.ModelSerializer[RejectedRecord]):
    """One row that was not imported; `standing`: nor has its record been since."""

    run = serializers.UUIDField(source="run.public_id")
    standing = serializers.BooleanField(source="is_standing")
    reasons = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = RejectedRecord
        fields = ("run", "stream", "file_name", "row", "external_id", "reasons", "raw", "standing")


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
    file = serializers.CharField(source="origin", help_text="The file, or the stream of the source.")
    encoding = serializers.CharField()
    columns = serializers.ListField(source="fields", child=serializers.CharField())
    records = RecordPreviewSerializer(many=True)
    refused = RefusalPreviewSerializer(many=True)
    report = serializers.DictField()


class PreviewSerializer(serializers.Serializer[Any]):
    """What files would bring; import them with `sync`, naming the upload."""

    upload = serializers.UUIDField(allow_null=True)
    streams = StreamPreviewSerializer(many=True)


class SyncRequestSerializer(serializers.Serializer[Any]):
    """Which upload to import; without one, what lies in the folder, else the last delivery again."""

    upload = serializers.UUIDField(required=False, allow_null=True)


class ResyncRequestSerializer(serializers.Serializer[Any]):
    """From when on: everything changed since then is read again; null, or left out: everything there is."""

    since = serializers.DateTimeField(required=False, allow_null=True)


class HookSerializer(serializers.Serializer[Any]):
    """The calls of a source; the counts by state are of the last two weeks."""

    is_open = serializers.SerializerMethodField()
    received = serializers.IntegerField(source="hook.received_count", default=0)
    repeated = serializers.IntegerField(source="hook.repeated_count", default=0)
    refused = serializers.IntegerField(source="hook.refused_count", default=0)
    refusal = serializers.CharField(
        help_text="Why the last call that was refused was; empty when a good one came since."
    )
    last_received_at = serializers.DateTimeField(source="hook.last_received_at", default=None, allow_null=True)
    waiting = serializers.IntegerField()
    fetched = serializers.IntegerField(source="done")
    aside = serializers.IntegerField(help_text="Of streams that are not read one by one.")
    left = serializers.IntegerField(help_text="Given up; the next import brings them.")

    def get_is_open(self, state: HookState) -> bool:
        return state.hook is not None


class OpenHookSerializer(serializers.Serializer[Any]):
    """What the source signs with; empty: its own credential, else one is made."""

    secret = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class OpenedHookSerializer(serializers.Serializer[Any]):
    """The address to enter at the source, and the secret where one was made; neither is shown with it again."""

    address = serializers.URLField()
    secret = serializers.CharField(allow_blank=True)


class CompareRequestSerializer(serializers.Serializer[Any]):
    """With `confirm`, the id of a comparison, what that one held back as too many is withdrawn now."""

    confirm = serializers.UUIDField(required=False, allow_null=True)


class RemarkSerializer(serializers.Serializer[Any]):
    """One thing that a test found; what is not ok has to be mended."""

    code = serializers.CharField()
    ok = serializers.BooleanField()
    message = serializers.CharField()


class CheckResultSerializer(serializers.Serializer[Any]):
    """Whether the last delivery, or the source, can be read; `code` and `message` are the first thing to mend."""

    ok = serializers.BooleanField()
    code = serializers.CharField(allow_blank=True)
    message = serializers.CharField(allow_blank=True)
    findings = RemarkSerializer(many=True)
