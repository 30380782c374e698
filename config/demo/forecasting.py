"""How a demo company foretold its past months, and what its people call for the running one."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.db.models import Sum
from django.utils import timezone

from kpis.choices import Grain, Level, Outcome, SnapshotMeasure
from kpis.engine.landing import usual_weight
from kpis.models import CalendarDay, Deal, ForecastCall, KpiEvent, KpiNode, MetricSnapshot, Period
from kpis.selectors.landings import read_landing
from kpis.selectors.today import find_tree
from kpis.services.calls import make_call
from kpis.services.snapshots import take_snapshots
from tenants.accounts.models import User
from tenants.context import tenant_context
from tenants.models import Company

MONTHS = 6
BUSINESS_DAYS = (4, 9, 14)
CALLS = (Decimal("1.04"), Decimal("0.97"), Decimal("1.06"))  # whoever calls is an optimist two times out of three
NOTE = "大型案件の内示を織り込み、月末の検収待ち分は除いた"
STEP = Decimal(100_000)


def ensure_forecasts(company: Company) -> None:
    """Calls and snapshots of the last months, today's snapshot, and a call for the running month."""
    with tenant_context(company):
        now = timezone.now()
        tree = find_tree(today=timezone.localdate(now))
        goals = KpiNode.objects.select_related("tree", "metric").filter(tree=tree, level=Level.KGI, code="bookings")
        goal = goals.first()
        if goal is None or ForecastCall.objects.exists():
            return
        owner = User.objects.get(username="owner")
        ended = Period.objects.filter(grain=Grain.MONTH, end_date__lte=timezone.localdate(now)).order_by("-start_date")
        for index, month in enumerate(ended[:MONTHS]):
            _remember(goal, month, CALLS[index % len(CALLS)], owner)
        _call_for_today(goal, owner, now)
        take_snapshots(now=now)


def _remember(goal: KpiNode, month: Period, optimism: Decimal, owner: User) -> None:
    """What the three views said on some business days of a month that is over."""
    days = CalendarDay.objects.filter(day__gte=month.start_date, day__lt=month.end_date, is_business_day=True)
    business_days = list(days.order_by("day").values_list("day", flat=True))
    actual = _won(month.start_date, month.end_date)
    called = (actual * optimism / STEP).quantize(Decimal(1)) * STEP
    snapshots = []
    for number in (each for each in BUSINESS_DAYS if each < len(business_days)):
        day = business_days[number - 1]
        won = _won(month.start_date, day + timedelta(days=1))
        views = {
            SnapshotMeasure.LANDING_PACE: won * len(business_days) / number,
            SnapshotMeasure.LANDING_ROLLUP: won + _expected(month, day),
            SnapshotMeasure.LANDING_CALL: called,
        }
        snapshots += [
            MetricSnapshot(
                measure=measure,
                metric=goal.metric,
                date=day,
                grain=Grain.MONTH,
                period_start=month.start_date,
                value=value,
                taken_at=_evening(day),
            )
            for measure, value in views.items()
        ]
    MetricSnapshot.objects.bulk_create(snapshots, ignore_conflicts=True)
    if business_days:
        at = _evening(business_days[0])
        place = {"node": goal, "grain": Grain.MONTH, "period_start": month.start_date}
        ForecastCall.objects.create(**place, value=called, note=NOTE, actor=owner, at=at)


def _won(start: date, end: date) -> Decimal:
    events = KpiEvent.objects.filter(kind="deals.closed_on", credit="revenue", outcome=Outcome.WON)
    return events.filter(date__gte=start, date__lt=end).aggregate(sum=Sum("amount"))["sum"] or Decimal(0)


def _expected(month: Period, day: date) -> Decimal:
    """What the deals that closed later in the month weighed on a day, by the rank they have now."""
    later = Deal.objects.filter(closed_on__gt=day, closed_on__lt=month.end_date, created_on__lte=day)
    deals = later.filter(outcome__in=(Outcome.WON, Outcome.LOST, Outcome.NO_DECISION), amount__isnull=False)
    rows = deals.values_list("confidence", "amount")
    return sum(((usual_weight(rank) or Decimal(0)) * (amount or 0) for rank, amount in rows), Decimal(0))


def _call_for_today(goal: KpiNode, owner: User, now: datetime) -> None:
    today = timezone.localdate(now)
    period = Period.objects.get(grain=Grain.MONTH, start_date__lte=today, end_date__gt=today)
    landing = read_landing(goal, period, dimension="company", member=None, now=now)
    if landing is None or landing.shown is None or landing.shown.value is None:
        return
    value = (landing.shown.value * CALLS[0] / STEP).quantize(Decimal(1)) * STEP
    make_call(node=goal, period_start=period.start_date, value=value, note=NOTE, actor=owner, now=now)


def _evening(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(19)))
