"""Reads of meetings: when the next one is, and an agenda with the numbers then and now."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count
from django.utils import timezone

from kpis.models import DimensionMember, KpiNode
from reviews.choices import Interval, MeetingStatus
from reviews.engine.schedule import HeldMeeting, Rhythm, is_regular
from reviews.models import AgendaItem, Decision, Meeting, MeetingSeries
from reviews.selectors.calendar import days_off
from reviews.selectors.numbers import CellKey, Numbers, from_json, key_of_item, read_numbers
from reviews.selectors.periods import period_labels

# Stored numbers have fewer digits than computed ones; less than this is the same number.
ROUNDING = Decimal("1e-8")


@dataclass(frozen=True)
class FigureThenNow:
    """A number as it was frozen (None while it is not) and as it is now."""

    node: KpiNode
    member: DimensionMember | None
    period: str
    then: Numbers | None
    now: Numbers

    @property
    def shown(self) -> Numbers:
        return self.then or self.now

    @property
    def is_restated(self) -> bool:
        """Whether the number is another one now than when it was frozen."""
        if self.then is None:
            return False
        return _differ(self.then.value, self.now.value) or _differ(self.then.target, self.now.target)


@dataclass(frozen=True)
class AgendaRow:
    """One point of an agenda with its number and what was decided."""

    item: AgendaItem
    figure: FigureThenNow | None
    decisions: Sequence[Decision]


def rhythm_of(series: MeetingSeries) -> Rhythm:
    """The series' rhythm as the engine reads it."""
    return Rhythm(
        monthly=series.interval == Interval.MONTHLY, weekday=series.weekday, week_of_month=series.week_of_month
    )


def find_next_meeting() -> Meeting | None:
    """The meeting in session, else the earliest planned one of an active series."""
    coming = Meeting.objects.filter(
        status__in=(MeetingStatus.OPEN, MeetingStatus.PLANNED), series__is_active=True
    ).select_related("series")
    return coming.order_by("status", "scheduled_at").first()


def agenda_of(meeting: Meeting, *, now: datetime.datetime) -> list[AgendaRow]:
    """The points of a meeting in order; of a planned meeting with the numbers of today only."""
    items = list(
        meeting.agenda_items.select_related(
            "miss__node", "miss__member", "action__node", "action__member", "action__owner", "node", "carried_from"
        ).prefetch_related("decisions__action", "decisions__decided_by")
    )
    today = timezone.localdate(now)
    keys: dict[int, CellKey] = {}
    then: dict[int, Numbers] = {}
    for item in items:
        if item.frozen:
            keys[item.pk], then[item.pk] = from_json(item.frozen)
        elif (key := key_of_item(item, today=today)) is not None:
            keys[item.pk] = key
    figures = _figures([keys.get(item.pk) for item in items], [then.get(item.pk) for item in items], now)
    return [AgendaRow(item, figure, list(item.decisions.all())) for item, figure in zip(items, figures, strict=True)]


def goals_of(meeting: Meeting, *, now: datetime.datetime) -> list[FigureThenNow]:
    """The KGI of every tree as it was at opening; nothing before."""
    frozen = [from_json(goal) for goal in meeting.frozen]
    figures = _figures([key for key, _numbers in frozen], [numbers for _key, numbers in frozen], now)
    return [figure for figure in figures if figure is not None]


def is_held_regularly(series: MeetingSeries, *, today: datetime.date) -> bool:
    """Whether the last two meetings came within the interval and three business days, each with a decision."""
    closed = (
        series.meetings.filter(status=MeetingStatus.CLOSED)
        .annotate(decision_count=Count("agenda_items__decisions"))
        .order_by("-opened_at")[:2]
    )
    last_two = [HeldMeeting(meeting.opened_on, meeting.decision_count) for meeting in closed]
    if len(last_two) < 2:
        return False
    holidays = days_off(start_date=last_two[1].day, end_date=today + datetime.timedelta(days=60))
    return is_regular(rhythm_of(series), last_two, today=today, holidays=holidays)


def _differ(then: Decimal | None, now: Decimal | None) -> bool:
    if then is None or now is None:
        return then is not now
    return abs(then - now) > ROUNDING


def _figures(
    keys: Sequence[CellKey | None], then: Sequence[Numbers | None], moment: datetime.datetime
) -> list[FigureThenNow | None]:
    known = [key for key in keys if key is not None]
    now = read_numbers(known, now=moment, live=True)
    labels = period_labels((key.grain, key.period_start) for key in known)
    nodes = KpiNode.objects.select_related("metric", "tree").in_bulk({key.node_id for key in known})
    members = DimensionMember.objects.in_bulk({key.member_id for key in known if key.member_id})
    return [
        FigureThenNow(
            node=nodes[key.node_id],
            member=members.get(key.member_id) if key.member_id else None,
            period=labels.get((key.grain, key.period_start), str(key.period_start)),
            then=frozen,
            now=now[key],
        )
        if key is not None
        else None
        for key, frozen in zip(keys, then, strict=True)
    ]
