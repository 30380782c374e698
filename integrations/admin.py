"""Connections, imports and keys in the admin; what can be changed is changed by the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from integrations.choices import Scope, describe_problem
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import check_mapping
from integrations.connectors.presets import PRESETS
from integrations.models import (
    ApiKey,
    Checkpoint,
    Connection,
    DataKey,
    FieldMapping,
    InboundEvent,
    InboundHook,
    ListedPart,
    MendRequest,
    MergedRecord,
    RawRecord,
    RejectedRecord,
    SourceFile,
    SyncRun,
    Upload,
)
from integrations.services.api_keys import create_api_key, revoke_api_key
from integrations.services.connections import (
    create_connection,
    pause_connection,
    resume_connection,
    save_mapping,
    set_frequency,
    set_keep_days,
)
from integrations.services.runs import cancel_run
from tenants.backoffice import KeptAdmin, ReadOnlyAdmin

# Of a connection: what a person says once, and what the system notes. Credentials are in none of them.
NEW = ("name", "carries", "preset", "source", "every", "is_paused")
CHANGEABLE = ("every", "keep_days", "is_paused")
KEPT = ("name", "kind", "carries", "preset", "source", "description", "stream_every")
SYSTEMS_OWN = ("stopped_by", "stopped_at", "failure_count", "last_run_at", "last_success_at", "created_at")


class ConnectionForm(forms.ModelForm):
    """A new file connection is made from a preset; later only its rhythm changes. Sources are set up on their pages."""

    preset = forms.ChoiceField(label=gettext_lazy("Preset"))

    class Meta:
        model = Connection
        fields = (*NEW, "keep_days")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if "preset" in self.fields:
            self.fields["preset"].choices = [(each.code, each.label) for each in PRESETS.values()]  # type: ignore[attr-defined]


@admin.register(Connection)
class ConnectionAdmin(KeptAdmin):
    form = ConnectionForm
    list_display = ("name", "kind", "carries", "source", "every", "is_paused", "stopped_by", "last_success_at")
    list_filter = ("kind", "carries", "is_paused")
    search_fields = ("name", "source")

    def get_readonly_fields(self, request: HttpRequest, obj: Connection | None = None) -> tuple[str, ...]:
        return () if obj is None else (*KEPT, *SYSTEMS_OWN)

    def get_fields(self, request: HttpRequest, obj: Connection | None = None) -> tuple[str, ...]:
        return NEW if obj is None else (*KEPT, *CHANGEABLE, *SYSTEMS_OWN)

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:
        now = timezone.now()
        if not change:
            made = create_connection(
                name=obj.name, source=obj.source, carries=obj.carries, preset=obj.preset, every=obj.every, now=now
            )
            obj.pk = made.pk
        elif "every" in form.changed_data:
            set_frequency(connection=obj, every=form.cleaned_data["every"], now=now)
        if change and "keep_days" in form.changed_data:
            set_keep_days(connection=obj, days=form.cleaned_data["keep_days"], now=now)
        if form.cleaned_data["is_paused"] and "is_paused" in form.changed_data:
            pause_connection(connection=obj, now=now)
        elif change and "is_paused" in form.changed_data:
            resume_connection(connection=obj, now=now)


class FieldMappingForm(forms.ModelForm):
    """A mapping as data; saving makes a new version."""

    class Meta:
        model = FieldMapping
        fields = (
            "connection",
            "stream",
            "resource",
            "position",
            "reads",
            "each",
            "sheet",
            "encoding",
            "rules",
            "date_formats",
            "skip_blank",
            "tax",
            "tax_rate",
            "headings",
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            check_mapping(FieldMapping(**cleaned).definition)
        except ConnectorError as error:
            raise ValidationError(describe_problem(error.code, error.params)) from error
        except (TypeError, AttributeError) as error:
            raise ValidationError(
                {"rules": _("This is not a list of field rules: %(why)s") % {"why": error}}
            ) from error
        return cleaned


@admin.register(FieldMapping)
class FieldMappingAdmin(KeptAdmin):
    form = FieldMappingForm
    list_display = ("stream", "connection", "version", "is_current", "resource", "reads", "effective_from")
    list_filter = ("is_current", "connection", "resource")
    list_select_related = ("connection",)
    search_fields = ("stream", "reads")

    def save_model(self, request: HttpRequest, obj: FieldMapping, form: Any, change: bool) -> None:
        saved = save_mapping(connection=obj.connection, mapping=obj.definition, preset=obj.preset, now=timezone.now())
        obj.pk = saved.pk


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = (
        "connection",
        "kind",
        "state",
        "trigger",
        "requested_at",
        "read_count",
        "inserted_count",
        "updated_count",
        "unchanged_count",
        "rejected_count",
    )
    list_filter = ("kind", "state", "trigger", "connection")
    list_select_related = ("connection",)
    date_hierarchy = "requested_at"
    actions = ("cancel",)

    @admin.action(description=gettext_lazy("Cancel the import"), permissions=["view"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[SyncRun]) -> None:
        stopped = sum(cancel_run(run=run, now=timezone.now()) for run in queryset)
        messages.success(request, _("Changed: %(count)s") % {"count": stopped})


@admin.register(MendRequest)
class MendRequestAdmin(ReadOnlyAdmin):
    """Who was asked to mend which connection."""

    list_display = ("connection", "problem", "since", "recipient", "sent_at")
    list_filter = ("connection",)
    list_select_related = ("connection", "recipient")
    date_hierarchy = "sent_at"


@admin.register(ListedPart)
class ListedPartAdmin(ReadOnlyAdmin):
    list_display = ("stream", "run")
    list_filter = ("stream",)
    list_select_related = ("run",)


@admin.register(RejectedRecord)
class RejectedRecordAdmin(ReadOnlyAdmin):
    list_display = ("file_name", "row", "stream", "external_id", "run", "is_standing")
    list_filter = ("is_standing", "stream")
    list_select_related = ("run",)
    search_fields = ("external_id", "file_name")


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "connection", "trigger", "actor", "received_at")
    list_filter = ("trigger", "connection")
    list_select_related = ("connection", "actor")


@admin.register(SourceFile)
class SourceFileAdmin(ReadOnlyAdmin):
    list_display = ("name", "size", "encoding", "sha256", "upload")
    list_select_related = ("upload",)
    search_fields = ("name", "sha256")


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    list_display = ("connection", "stream", "saved_at")
    list_filter = ("connection",)
    list_select_related = ("connection",)


@admin.register(DataKey)
class DataKeyAdmin(ReadOnlyAdmin):
    """When each key was made; the keys themselves are shown nowhere."""

    list_display = ("__str__", "created_at")
    fields = ("created_at",)


@admin.register(RawRecord)
class RawRecordAdmin(ReadOnlyAdmin):
    list_display = ("external_id", "stream", "connection", "is_gone", "received_at")
    list_filter = ("is_gone", "connection", "stream")
    list_select_related = ("connection",)
    search_fields = ("external_id",)


@admin.register(InboundHook)
class InboundHookAdmin(ReadOnlyAdmin):
    """What came to each address; the address itself is shown nowhere, since it may prove who calls."""

    list_display = ("connection", "opened_at", "received_count", "refused_count", "last_received_at", "refused_by")
    list_select_related = ("connection",)


@admin.register(InboundEvent)
class InboundEventAdmin(ReadOnlyAdmin):
    list_display = ("external_id", "stream", "connection", "state", "received_at", "done_at")
    list_filter = ("state", "connection", "stream")
    list_select_related = ("connection",)
    search_fields = ("external_id", "event_id")


@admin.register(MergedRecord)
class MergedRecordAdmin(ReadOnlyAdmin):
    list_display = ("loser", "winner", "resource", "connection", "noted_at", "applied_at", "moved_count")
    list_filter = ("connection", "resource")
    list_select_related = ("connection",)
    search_fields = ("loser", "winner")


class ApiKeyForm(forms.ModelForm):
    """What a new key is for and what it may do."""

    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=forms.CheckboxSelectMultiple, label=gettext_lazy("Scopes")
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes")


@admin.register(ApiKey)
class ApiKeyAdmin(KeptAdmin):
    form = ApiKeyForm
    list_display = ("name", "prefix", "created_by", "created_at", "last_used_at", "revoked_at")
    list_select_related = ("created_by",)
    search_fields = ("name", "prefix")
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        key, text = create_api_key(
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            actor=request.user,
            now=timezone.now(),
        )
        obj.pk = key.pk
        messages.warning(request, _("This key is shown only now: %(key)s") % {"key": text})

    @admin.action(description=gettext_lazy("Revoke"), permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset:
            revoke_api_key(key=key, now=timezone.now())
        messages.success(request, _("Changed: %(count)s") % {"count": len(queryset)})
