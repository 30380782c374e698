"""Review meetings that repeat: their agenda, the numbers as they were at opening, decisions and minutes."""

import datetime
import uuid
from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kpis.models import KpiNode
from reviews.choices import AgendaKind, DecisionKind, Interval, MeetingStatus, Weekday
from reviews.engine.agenda import Subject
from reviews.models.actions import Action
from reviews.models.misses import Miss


class MeetingSeries(models.Model):
    """A review meeting that is held every week or every month."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(_("Name"), max_length=200, unique=True)
    interval = models.CharField(_("Interval"), max_length=7, choices=Interval.choices, default=Interval.WEEKLY)
    weekday = models.PositiveSmallIntegerField(_("Weekday"), choices=Weekday.choices, default=Weekday.MONDAY)
    week_of_month = models.PositiveSmallIntegerField(
        _("Week of the month"),
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(4)],
        help_text=_("For a monthly meeting: 2 with Tuesday is the second Tuesday"),
    )
    starts_at = models.TimeField(_("Time"))
    is_active = models.BooleanField(_("Active"), default=True)

    class Meta:
        verbose_name = _("Meeting series")
        verbose_name_plural = _("Meeting series")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=models.Q(weekday__range=(0, 6)), name="meetingseries_weekday"),
            models.CheckConstraint(condition=models.Q(week_of_month__range=(1, 4)), name="meetingseries_week"),
        ]

    def __str__(self) -> str:
        return self.name


class Meeting(models.Model):
    """One meeting of a series."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    series = models.ForeignKey(MeetingSeries, models.PROTECT, related_name="meetings", verbose_name=_("Meeting series"))
    scheduled_at = models.DateTimeField(_("Scheduled for"))
    status = models.CharField(_("Status"), max_length=7, choices=MeetingStatus.choices, default=MeetingStatus.PLANNED)
    opened_at = models.DateTimeField(_("Opened at"), null=True, blank=True)
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("Opened by")
    )
    closed_at = models.DateTimeField(_("Closed at"), null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("Closed by")
    )
    frozen = models.JSONField(
        _("Numbers at opening"), default=list, blank=True, help_text=_("The KGI of every tree in force")
    )
    minutes = models.TextField(_("Minutes"), blank=True, default="")
    minutes_version = models.PositiveIntegerField(_("Version of the minutes"), default=0)
    minutes_saved_at = models.DateTimeField(_("Minutes saved at"), null=True, blank=True)

    class Meta:
        verbose_name = _("Review meeting")
        verbose_name_plural = _("Review meetings")
        ordering = ["-scheduled_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["series"], condition=models.Q(status=MeetingStatus.OPEN), name="meeting_one_in_session"
            ),
            models.UniqueConstraint(fields=["series", "scheduled_at"], name="meeting_once"),
        ]
        indexes = [models.Index(fields=["status", "scheduled_at"], name="meeting_next")]

    def __str__(self) -> str:
        return f"{self.series} {timezone.localtime(self.scheduled_at):%Y-%m-%d}"

    @property
    def opened_on(self) -> datetime.date:
        """The day of an opened meeting, in company time."""
        return timezone.localtime(self.opened_at).date()


class AgendaItemQuerySet(models.QuerySet["AgendaItem"]):
    """Points of an agenda by where they stand."""

    def undecided(self) -> Self:
        return self.filter(decisions__isnull=True)

    def carried(self) -> Self:
        return self.filter(kind=AgendaKind.CARRIED)


class AgendaItem(models.Model):
    """One point of a meeting: a miss, an action or a KPI, with its numbers as they were at opening."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    meeting = models.ForeignKey(Meeting, models.CASCADE, related_name="agenda_items", verbose_name=_("Review meeting"))
    kind = models.CharField(_("Kind"), max_length=7, choices=AgendaKind.choices)
    miss = models.ForeignKey(Miss, models.PROTECT, null=True, blank=True, related_name="agenda_items")
    action = models.ForeignKey(Action, models.PROTECT, null=True, blank=True, related_name="agenda_items")
    node = models.ForeignKey(KpiNode, models.PROTECT, null=True, blank=True, related_name="agenda_items")
    carried_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="carried_to", verbose_name=_("Carried over from")
    )
    title = models.CharField(_("Title"), max_length=400)
    amount_at_stake = models.DecimalField(_("Amount at stake"), max_digits=34, decimal_places=14, null=True, blank=True)
    frozen = models.JSONField(_("Numbers at opening"), null=True, blank=True)
    position = models.PositiveIntegerField(_("Position"), default=0)

    objects = AgendaItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("Agenda item")
        verbose_name_plural = _("Agenda items")
        ordering = ["meeting", "position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(miss__isnull=False, action__isnull=True, node__isnull=True)
                | models.Q(miss__isnull=True, action__isnull=False, node__isnull=True)
                | models.Q(miss__isnull=True, action__isnull=True, node__isnull=False),
                name="agendaitem_one_object",
            ),
            models.UniqueConstraint(
                fields=["meeting", "miss", "action", "node"], name="agendaitem_once", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def subject(self) -> Subject:
        """What the point is about, as the engine names it."""
        if self.miss_id is not None:
            return Subject("miss", self.miss_id)
        if self.action_id is not None:
            return Subject("action", self.action_id)
        return Subject("kpi", self.node_id)


class Decision(models.Model):
    """What a meeting decided about one point of its agenda."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    agenda_item = models.ForeignKey(AgendaItem, models.CASCADE, related_name="decisions", verbose_name=_("Agenda item"))
    kind = models.CharField(_("Decision"), max_length=18, choices=DecisionKind.choices)
    text = models.TextField(_("Text"), blank=True, default="")
    action = models.ForeignKey(
        Action,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="decisions",
        verbose_name=_("Improvement action"),
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("By")
    )
    decided_at = models.DateTimeField(_("Decided at"))

    class Meta:
        verbose_name = _("Decision")
        verbose_name_plural = _("Decisions")
        ordering = ["decided_at", "pk"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.agenda_item}"
