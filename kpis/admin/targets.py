"""What people typed: targets with their revisions, and entered values."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminTextInputWidget

from kpis.admin.base import ReadOnlyAdmin, ServiceAdmin, ServiceForm
from kpis.admin.numbers import as_stored, as_typed, measured
from kpis.models import BackCalculation, ManualEntry, Target, TargetRevision
from kpis.services.entries import enter_value
from kpis.services.targets import TargetEntry, set_target

TARGET_PLACE = ("node", "period_start", "dimension", "member", "line")
NUMBERS = ("value", "upper")
IN_PERCENT = _("A rate is typed in percent: 20 means 20%.")
ENTRY_PLACE = ("metric", "grain", "period_start", "dimension", "member")


INITIAL = measured("initial_value", _("Initial target"), metric="node.metric")
CURRENT = measured("value", _("Current target"), metric="node.metric")
UPPER = measured("upper", _("Upper bound"), metric="node.metric")
REVISED = (
    measured("value", _("Value"), metric="target.node.metric"),
    measured("upper", _("Upper bound"), metric="target.node.metric"),
)
ENTERED = measured("value", _("Value"), metric="metric")


class TargetForm(ServiceForm):
    """A target, and why it changes."""

    reason = forms.CharField(label=_("Reason"), required=False, widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = Target
        fields = (*TARGET_PLACE, *NUMBERS)
        help_texts = dict.fromkeys(NUMBERS, IN_PERCENT)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            stored = {name: as_typed(getattr(self.instance, name), self.instance.node.metric) for name in NUMBERS}
            self.initial.update(stored)

    def write(self) -> Target:
        """Set the target."""
        typed = self.whole()
        stored = as_stored(typed, typed["node"].metric, fields=NUMBERS)
        entry = TargetEntry(**stored, reason=self.cleaned_data["reason"])
        return set_target(entry=entry, actor=self.actor, now=timezone.now())


class EntryForm(ServiceForm):
    """A value of a manual metric."""

    class Meta:
        model = ManualEntry
        fields = (*ENTRY_PLACE, "value", "absence", "note")
        help_texts: ClassVar = {"value": IN_PERCENT}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["value"] = as_typed(self.instance.value, self.instance.metric)

    def write(self) -> ManualEntry:
        """Enter the value."""
        typed = self.whole()
        return enter_value(**as_stored(typed, typed["metric"], fields=["value"]), actor=self.actor, now=timezone.now())


class RevisionInline(TabularInline):
    """Every setting of the target."""

    model = TargetRevision
    extra = 0
    can_delete = False
    fields = readonly_fields = ("number", *REVISED, "reason", "actor", "at", "request", "confirmed_at")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Target)
class TargetAdmin(ServiceAdmin):
    """Targets. Where a target stands does not change; another place is another target."""

    form = TargetForm
    inlines = (RevisionInline,)
    list_display = ("node", "period_start", "dimension", "member", "line", INITIAL, CURRENT, UPPER)
    list_select_related = ("node__metric", "member")
    list_filter = ("node__tree", "line", "dimension")
    search_fields = ("node__name", "node__code", "member__name")
    autocomplete_fields = ("node", "member")
    date_hierarchy = "period_start"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Target]:
        """Also those that were removed: their history is here."""
        return Target.with_removed.all()

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [*TARGET_PLACE] if obj else []


@admin.register(TargetRevision)
class TargetRevisionAdmin(ReadOnlyAdmin):
    """Revisions of targets."""

    list_display = ("target", "number", *REVISED, "reason", "actor", "at", "request", "confirmed_at")
    list_select_related = ("target__node__metric", "actor", "request__tree")
    list_filter = ("target__node__tree",)
    search_fields = ("target__node__name", "target__node__code", "reason")
    date_hierarchy = "at"


@admin.register(BackCalculation)
class BackCalculationAdmin(ReadOnlyAdmin):
    """Back-calculations that were applied as targets."""

    list_display = (
        "tree",
        "goal_metric",
        "goal_value",
        "grain",
        "period_start",
        "scenario",
        "target_count",
        "applied_by",
        "applied_at",
        "request",
    )
    list_select_related = ("tree", "applied_by", "request__tree")
    list_filter = ("tree", "scenario")
    search_fields = ("tree__name", "goal_metric", "reason")
    date_hierarchy = "applied_at"


@admin.register(ManualEntry)
class ManualEntryAdmin(ServiceAdmin):
    """Entered values."""

    form = EntryForm
    list_display = (
        "metric",
        "grain",
        "period_start",
        "dimension",
        "member",
        ENTERED,
        "absence",
        "entered_by",
        "entered_at",
    )
    list_select_related = ("metric", "member", "entered_by")
    list_filter = ("metric", "grain", "dimension")
    search_fields = ("metric__name", "metric__code", "note")
    autocomplete_fields = ("metric", "member")
    date_hierarchy = "period_start"

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [*ENTRY_PLACE] if obj else []
