"""Every model of this floor in the admin site: frozen rows can be looked at, the rest saves through the services."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from kpis.admin.base import ReadOnlyAdmin, ServiceAdmin, ServiceForm
from kpis.admin.numbers import as_stored, as_typed, measured, rated
from reviews.models import Action, ActionChange, AgendaItem, Decision, Meeting, MeetingSeries, Miss
from reviews.services.actions import log_action, update_action
from reviews.services.schedule import plan_meeting, reschedule_meeting, save_series

ACTION_PLACE = ("miss", "node", "dimension", "member")


class ReadOnlyInline(TabularInline):
    """Rows that belong to the one above and are never typed here."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ActionForm(ServiceForm):
    """An improvement action; what it is about stays."""

    class Meta:
        model = Action
        fields = (
            *ACTION_PLACE,
            "cause",
            "action",
            "owner",
            "owner_user",
            "due_on",
            "effect_metric",
            "effect_amount",
            "effect_lag_days",
            "status",
        )
        help_texts: ClassVar = {"effect_amount": _("The effect on a rate is typed in points: 5 means 5 pt.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["effect_amount"] = as_typed(self.instance.effect_amount, self.instance.effect_metric)

    def write(self) -> Action:
        """Log the action, or change it and keep what it was."""
        typed = self.whole()
        node = typed["miss"].node if typed["miss"] else typed["node"]
        fields = as_stored(typed, typed["effect_metric"] or (node and node.metric), fields=["effect_amount"])
        if self.instance.pk is None:
            return log_action(**fields, actor=self.actor, now=timezone.now())
        changes = {name: value for name, value in fields.items() if name not in ACTION_PLACE}
        return update_action(logged=self.instance, **changes, actor=self.actor, now=timezone.now())


class SeriesForm(ServiceForm):
    """A meeting series."""

    class Meta:
        model = MeetingSeries
        fields = ("name", "interval", "weekday", "week_of_month", "starts_at", "is_active")

    def write(self) -> MeetingSeries:
        """Save the series and its next meeting."""
        series = self.instance if self.instance.pk else None
        return save_series(series=series, **self.whole(), now=timezone.now())


class MeetingForm(ServiceForm):
    """When a meeting is held; everything else happens on its page."""

    class Meta:
        model = Meeting
        fields = ("series", "scheduled_at")

    def write(self) -> Meeting:
        """Plan an extra meeting, or move a planned one."""
        if self.instance.pk is None:
            return plan_meeting(**self.whole())
        return reschedule_meeting(meeting=self.instance, scheduled_at=self.instance.scheduled_at)


class ChangeInline(ReadOnlyInline):
    """The history of an action."""

    model = ActionChange
    fields = readonly_fields = ("at", "changes", "actor")


class AgendaInline(ReadOnlyInline):
    """The agenda of a meeting."""

    model = AgendaItem
    fields = readonly_fields = ("position", "kind", "title", "amount_at_stake")


@admin.register(Miss)
class MissAdmin(ReadOnlyAdmin):
    """Misses, with the numbers of the moment; they are answered on their pages."""

    list_display = (
        "node",
        "member",
        "grain",
        "period_start",
        measured("value", _("Actual"), metric="node.metric"),
        measured("target", _("Target"), metric="node.metric"),
        rated("achievement", _("Achievement rate")),
        "asked",
        "status",
        "end",
        "confirmed_at",
        "withdrawn_at",
    )
    list_select_related = ("node__metric", "member")
    list_filter = (
        "node__tree",
        "grain",
        "status",
        "asked",
        "end",
        "dimension",
        ("withdrawn_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("node__name", "node__code", "member__name", "end_reason")
    date_hierarchy = "period_start"


@admin.register(Action)
class ActionAdmin(ServiceAdmin):
    """Improvement actions."""

    form = ActionForm
    inlines = (ChangeInline,)
    list_display = ("action", "node", "member", "owner", "owner_user", "due_on", "status", "verdict", "created_at")
    list_select_related = ("node", "member", "owner", "owner_user")
    list_filter = ("status", "verdict", "node__tree", "due_on")
    search_fields = ("action", "cause", "node__name", "node__code", "owner__name")
    autocomplete_fields = ("miss", "node", "member", "owner", "owner_user", "effect_metric")
    date_hierarchy = "due_on"

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [*ACTION_PLACE] if obj else []


@admin.register(ActionChange)
class ActionChangeAdmin(ReadOnlyAdmin):
    """Changes of actions."""

    list_display = ("parent", "changes", "actor", "at")
    list_select_related = ("parent", "actor")
    list_filter = ("at",)
    search_fields = ("parent__action",)
    date_hierarchy = "at"


@admin.register(MeetingSeries)
class SeriesAdmin(ServiceAdmin):
    """Meeting series."""

    form = SeriesForm
    list_display = ("name", "interval", "weekday", "week_of_month", "starts_at", "is_active")
    list_filter = ("is_active", "interval")
    search_fields = ("name",)


@admin.register(Meeting)
class MeetingAdmin(ServiceAdmin):
    """Meetings, with their agenda."""

    form = MeetingForm
    inlines = (AgendaInline,)
    list_display = ("series", "scheduled_at", "status", "opened_at", "closed_at", "decision_count")
    list_select_related = ("series",)
    list_filter = ("series", "status")
    search_fields = ("series__name", "minutes")
    date_hierarchy = "scheduled_at"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Meeting]:
        return super().get_queryset(request).annotate(taken=Count("agenda_items__decisions"))

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["series"] if obj else []

    @admin.display(description=_("Decisions"), ordering="taken")
    def decision_count(self, meeting: Any) -> int:
        return meeting.taken


@admin.register(AgendaItem)
class AgendaItemAdmin(ReadOnlyAdmin):
    """Points of agendas with their frozen numbers."""

    list_display = ("title", "meeting", "kind", "amount_at_stake", "position")
    list_select_related = ("meeting__series",)
    list_filter = ("kind", "meeting__series")
    search_fields = ("title",)


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """Decisions of meetings."""

    list_display = ("agenda_item", "kind", "text", "action", "decided_by", "decided_at")
    list_select_related = ("agenda_item", "action", "decided_by")
    list_filter = ("kind", "agenda_item__meeting__series")
    search_fields = ("text", "agenda_item__title", "action__action")
    date_hierarchy = "decided_at"
