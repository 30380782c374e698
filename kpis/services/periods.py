"""The life of a period: open, provisional (速報) by the clock, closed (確定) by a person, reopened with a reason.

Months and weeks carry the state. A closed month closes the weeks that end in it, and a quarter, half or year whose
last month closes is closed with it. What a closed period shows is locked.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from kpis.choices import Grain, PeriodState, TreeStatus
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import KpiNode, LockedCell, Period, PeriodTransition
from kpis.selectors.calendar import business_day
from kpis.selectors.closing_dues import WEEK_PROVISIONAL_BUSINESS_DAY
from kpis.services.comparing import forget_open
from kpis.services.locks import lock_cells, lock_states
from kpis.services.recompute import recompute
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit
from tenants.settings.selectors import company_settings

BASE_GRAINS = (Grain.MONTH, Grain.WEEK)
LONGER_GRAINS = (Grain.QUARTER, Grain.HALF, Grain.YEAR)


class PeriodError(RefusedError):
    """A change of a period's state that cannot be made."""

    code = "period_state"


def advance_periods(*, now: datetime) -> tuple[Period, ...]:
    """Make provisional what is due: a month on business day N after its end, a week on the first one.

    Like every change of state here it tells others (period.provisional) where a tree keeps nodes by that period.
    """
    today = timezone.localdate(now)
    wait = {
        Grain.MONTH: company_settings().provisional_business_day,
        Grain.WEEK: WEEK_PROVISIONAL_BUSINESS_DAY,
    }
    with transaction.atomic():
        lock_states()
        ended = Period.objects.select_related("fiscal_year").filter(
            state=PeriodState.OPEN, grain__in=BASE_GRAINS, end_date__lte=today
        )
        due_from: dict[tuple[str, Any], Any] = {}
        due = []
        for period in ended.order_by("start_date", "grain"):
            key = (period.grain, period.end_date)
            if key not in due_from:
                due_from[key] = business_day(period.end_date, wait[Grain(period.grain)])
            if due_from[key] is not None and due_from[key] <= today:
                due.append(period)
        _move(due, PeriodState.PROVISIONAL, actor=None, reason="", now=now)
        _move_longer(due, actor=None, now=now)
    return tuple(due)


def make_provisional(*, period: Period, actor: Any, now: datetime, reason: str = "") -> Period:
    """Make one ended month or week provisional before the clock does. Raises PeriodError."""
    with transaction.atomic():
        lock_states()
        period = _checked(period, now)
        if period.state != PeriodState.OPEN:
            raise PeriodError(
                gettext_noop("The period from %(start)s is provisional or closed already. Nothing was changed."),
                start=period.start_date,
            )
        _move([period], PeriodState.PROVISIONAL, actor=actor, reason=reason, now=now)
        _move_longer([period], actor=actor, now=now)
    return period


def close_period(*, period: Period, actor: Any, now: datetime, reason: str = "") -> Period:
    """Close one ended month or week and lock what it shows. Raises PeriodError."""
    return close_periods(periods=[period], actor=actor, now=now, reason=reason)[0]


def close_periods(*, periods: Sequence[Period], actor: Any, now: datetime, reason: str = "") -> tuple[Period, ...]:
    """Close several ended months or weeks at once, with the weeks that end in them; all or none.

    What is dirty is computed first. Every node of every tree that is not retired gets its cells locked, for all
    dimensions and members, and so do the longer periods that become complete. Raises PeriodError.
    """
    recompute(now=now)
    with transaction.atomic():
        lock_states()
        asked = [_checked(period, now) for period in periods]
        done = next((period for period in asked if period.state == PeriodState.CLOSED), None)
        if done is not None:
            raise PeriodError(
                gettext_noop("The period from %(start)s is closed already. Nothing was changed."), start=done.start_date
            )
        closing = [*asked, *_weeks_in(asked)]
        still_open = [period for period in closing if period.state == PeriodState.OPEN]
        _move(still_open, PeriodState.PROVISIONAL, actor=actor, reason=reason, now=now)
        _move(closing, PeriodState.CLOSED, actor=actor, reason=reason, now=now)
        moved = _move_longer(closing, actor=actor, now=now)
        longer = [each for each in moved if each.state == PeriodState.CLOSED]
        lock_cells(periods=[*closing, *longer], now=now)
        _forget_open([*closing, *longer])
    return tuple(asked)


def reopen_period(*, period: Period, reason: str, actor: Any, now: datetime) -> Period:
    """Make a closed month or week provisional again; it, its weeks and its longer periods are unlocked.

    Raises PeriodError.
    """
    if not reason.strip():
        template = gettext_noop("Write why the period is opened again: those who used its numbers will ask.")
        raise PeriodError(issues=[Issue("reason", "required", template)])
    with transaction.atomic():
        lock_states()
        period = _checked(period, now)
        if period.state != PeriodState.CLOSED:
            raise PeriodError(
                gettext_noop("The period from %(start)s is not closed. Nothing was changed."), start=period.start_date
            )
        opened = [period, *_weeks_in([period], PeriodState.CLOSED)]
        _move(opened, PeriodState.PROVISIONAL, actor=actor, reason=reason, now=now, is_news=False)
        longer = _move_longer(opened, actor=actor, now=now)
        unlocked = Q()
        for each in [*opened, *longer]:
            unlocked |= Q(grain=each.grain, period_start=each.start_date)
        LockedCell.objects.filter(unlocked).delete()
        _forget_open([*opened, *longer])
        emit(topic="values.changed", company_id=current_company().pk)
    return period


def _forget_open(periods: Sequence[Period]) -> None:
    """What is locked just now differs from nothing, and what is not locked neither."""
    for grain in Grain:
        starts = [period.start_date for period in periods if period.grain == grain]
        if starts:
            forget_open(grain=grain, starts=starts)


def _checked(period: Period, now: datetime) -> Period:
    """The period as it is in the database. Raises PeriodError where its state cannot be changed at all."""
    if period.grain not in BASE_GRAINS:
        raise PeriodError(gettext_noop("Only months and weeks are closed; a longer period follows its months."))
    if period.end_date > timezone.localdate(now):
        raise PeriodError(
            gettext_noop("The period from %(start)s is not over before %(end)s. Wait until then."),
            start=period.start_date,
            end=period.end_date,
        )
    return Period.objects.select_related("fiscal_year").get(pk=period.pk)


def _weeks_in(periods: Iterable[Period], state: str | None = None) -> list[Period]:
    """The weeks that end in these months: those in a state, or those not closed yet."""
    within = Q()
    for period in periods:
        if period.grain == Grain.MONTH:
            within |= Q(end_date__gt=period.start_date, end_date__lte=period.end_date)
    if not within:
        return []
    weeks = Period.objects.select_related("fiscal_year").filter(within, grain=Grain.WEEK)
    weeks = weeks.filter(state=state) if state else weeks.exclude(state=PeriodState.CLOSED)
    asked = {period.pk for period in periods}
    return [week for week in weeks.order_by("start_date") if week.pk not in asked]


def _move(
    periods: Sequence[Period], state: PeriodState, *, actor: Any, reason: str, now: datetime, is_news: bool = True
) -> None:
    Period.objects.filter(pk__in=[period.pk for period in periods]).update(state=state)
    PeriodTransition.objects.bulk_create(
        PeriodTransition(period=period, state=state, actor=actor, reason=reason, at=now) for period in periods
    )
    watched = _watched() if is_news and periods else set()
    for period in periods:
        period.state = state
        if (period.fiscal_year.start_year, period.grain) in watched:
            emit(topic=f"period.{state.value}", company_id=current_company().pk, object_id=period.pk)


def _watched() -> set[tuple[int, str]]:
    """(fiscal year, grain) of the periods by which nodes are kept.

    A company with ten years of history has hundreds of other periods, and nobody can miss a target in them.
    """
    nodes = KpiNode.objects.exclude(tree__status=TreeStatus.RETIRED).order_by()
    return set(nodes.values_list("tree__fiscal_year", "frequency").distinct())


def _move_longer(changed: Sequence[Period], *, actor: Any, now: datetime) -> list[Period]:
    """Let quarters, halves and years follow their months; returns those whose state changed."""
    around = Q()
    for period in changed:
        if period.grain == Grain.MONTH:
            around |= Q(start_date__lte=period.start_date, end_date__gte=period.end_date)
    if not around:
        return []
    longer = Period.objects.select_related("fiscal_year").filter(around, grain__in=LONGER_GRAINS)
    months = list(
        Period.objects.filter(grain=Grain.MONTH, fiscal_year__in={each.fiscal_year_id for each in longer}).values_list(
            "start_date", "state"
        )
    )
    moved = []
    for each in longer:
        states = {state for start, state in months if each.start_date <= start < each.end_date}
        state = next(s for s in PeriodState if s in states)
        if state != each.state:
            _move([each], state, actor=actor, reason="", now=now)
            moved.append(each)
    return moved
