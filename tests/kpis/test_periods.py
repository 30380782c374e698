"""Periods: moved by the clock, closed by people with their numbers locked, reopened with a reason."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from kpis.choices import Grain, PeriodState
from kpis.models import KpiNode, KpiTree, LockedCell, Period, PeriodTransition
from kpis.selectors.calendar import find_period
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.services.calendar import ensure_calendar
from kpis.services.definitions import create_metric
from kpis.services.facts import upsert_facts
from kpis.services.periods import (
    PeriodError,
    advance_periods,
    close_period,
    close_periods,
    make_provisional,
    reopen_period,
)
from kpis.services.recompute import recompute
from kpis.services.targets import TargetEntry, set_target
from kpis.services.trees import create_node, create_tree
from kpis.tasks import move_periods
from tenants.models import DueSync
from tenants.outbox.models import Event
from tests.remembering import remembered

pytestmark = pytest.mark.usefixtures("in_acme")
NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 3, tzinfo=UTC)


def month(day: date) -> Period:
    period = find_period(Grain.MONTH, day)
    assert period is not None
    return period


@pytest.fixture(autouse=True)
def calendar(in_acme: Any) -> None:
    ensure_calendar(first_day=date(2026, 4, 1), last_day=date(2027, 3, 31))


@pytest.fixture
@remembered
def node(in_acme: Any) -> KpiNode:
    """Bookings by the month: one won deal of 100 in October, target 80."""
    spec = {
        "kind": "simple",
        "fact": "deals",
        "date": "closed_on",
        "aggregate": "sum",
        "field": "amount",
        "filters": [{"field": "outcome", "op": "eq", "value": "won"}],
    }
    metric = create_metric(
        code="bookings", name="Bookings", unit="amount", accumulation="sum", spec=spec, actor=None, now=NOW
    )
    tree = create_tree(name="Tree", fiscal_year=2026, actor=None, now=NOW)
    node = create_node(tree=tree, level="kgi", metric=metric, actor=None, now=NOW)
    set_target(entry=TargetEntry(node=node, period_start=OCTOBER, value=Decimal(80)), actor=None, now=NOW)
    sell("D1", 100)
    return node


def sell(external_id: str, amount: int) -> None:
    deal = {
        "external_id": external_id,
        "created_on": "2026-09-01",
        "closed_on": "2026-10-05",
        "outcome": "won",
        "amount": amount,
        "region": "east",
    }
    result = upsert_facts(resource="deals", source="crm", records=[deal], now=NOW)
    assert not result.rejected
    recompute(now=NOW)


def matrix(tree: KpiTree, **changes: Any) -> KpiMatrix:
    query = {"tree": tree, "grain": "month", "start": OCTOBER, "end": date(2026, 11, 1), **changes}
    return build_matrix(MatrixQuery(**query), now=NOW)


class TestAdvancePeriods:
    def test_a_month_is_provisional_on_the_third_business_day(self) -> None:
        # November 2026 starts on a Sunday and the 3rd is a holiday: business days are 2, 4, 5.
        advance_periods(now=at(date(2026, 11, 4)))
        assert month(OCTOBER).state == PeriodState.OPEN
        assert month(OCTOBER) in advance_periods(now=at(date(2026, 11, 5)))
        assert month(OCTOBER).state == PeriodState.PROVISIONAL
        assert month(date(2026, 11, 1)).state == PeriodState.OPEN

    def test_a_week_is_provisional_on_the_next_business_day(self) -> None:
        week = find_period(Grain.WEEK, date(2026, 10, 28))
        assert week is not None
        advance_periods(now=at(date(2026, 11, 1)))
        week.refresh_from_db()
        assert week.state == PeriodState.OPEN
        advance_periods(now=at(date(2026, 11, 2)))
        week.refresh_from_db()
        assert week.state == PeriodState.PROVISIONAL

    def test_tells_only_of_periods_by_which_a_tree_keeps_nodes(self, node: KpiNode) -> None:
        ensure_calendar(first_day=date(2016, 10, 1), last_day=date(2016, 10, 1))
        advance_periods(now=NOW)
        told = Event.objects.filter(topic="period.provisional").values_list("object_id", flat=True)
        months = Period.objects.filter(
            grain=Grain.MONTH, fiscal_year__start_year=2026, state=PeriodState.PROVISIONAL
        ).values_list("pk", flat=True)
        assert sorted({int(period) for period in told}) == sorted(months)
        assert Period.objects.filter(state=PeriodState.PROVISIONAL).count() > 500

    def test_a_second_time_moves_nothing_and_tells_nobody(self, node: KpiNode) -> None:
        advance_periods(now=NOW)
        count = Event.objects.filter(topic="period.provisional").count()
        assert advance_periods(now=NOW) == ()
        assert Event.objects.filter(topic="period.provisional").count() == count

    def test_quarters_follow_their_months(self) -> None:
        advance_periods(now=NOW)
        assert find_period(Grain.QUARTER, date(2026, 7, 1)).state == PeriodState.PROVISIONAL
        assert find_period(Grain.QUARTER, OCTOBER).state == PeriodState.OPEN

    def test_the_task_keeps_the_calendar_ahead_and_comes_again(self, acme: Any) -> None:
        move_periods(company_id=str(acme.pk))
        due = DueSync.objects.get(company_id=acme.pk, kind="periods")
        assert timedelta() < due.next_run_at - datetime.now(UTC) <= timedelta(days=1, minutes=5)


class TestMakeProvisional:
    def test_before_the_clock(self, alice: Any) -> None:
        period = make_provisional(period=month(OCTOBER), actor=alice, now=at(date(2026, 11, 2)))
        assert period.transitions.get().actor == alice

    def test_refuses_a_period_that_is_not_over(self) -> None:
        with pytest.raises(PeriodError, match="2026-11-01"):
            make_provisional(period=month(OCTOBER), actor=None, now=at(date(2026, 10, 31)))

    def test_refuses_twice(self) -> None:
        make_provisional(period=month(OCTOBER), actor=None, now=NOW)
        with pytest.raises(PeriodError):
            make_provisional(period=month(OCTOBER), actor=None, now=NOW)


class TestClosePeriod:
    def test_locks_what_the_period_shows(self, node: KpiNode, dave: Any) -> None:
        close_period(period=month(OCTOBER), actor=dave, now=NOW)
        cell = LockedCell.objects.get(node=node, grain="month", dimension="company")
        assert (cell.value, cell.target, cell.status, cell.metric_version) == (
            100,
            80,
            "met",
            node.metric.versions.get(),
        )
        assert len(cell.content_hash) == 64

    def test_locks_every_dimension_and_member(self, node: KpiNode) -> None:
        close_period(period=month(OCTOBER), actor=None, now=NOW)
        east = LockedCell.objects.get(dimension="region", member__code="east")
        assert east.value == 100
        assert LockedCell.objects.filter(dimension="region", member__is_unassigned=True).exists()

    def test_later_facts_do_not_move_it(self, node: KpiNode) -> None:
        close_period(period=month(OCTOBER), actor=None, now=NOW)
        sell("D2", 900)
        assert matrix(node.tree).value == [[[100]]]
        assert matrix(node.tree, is_live=True).value == [[[1000]]]

    def test_closes_its_weeks_and_tells_once_each(self, node: KpiNode) -> None:
        close_period(period=month(OCTOBER), actor=None, now=NOW)
        weeks = Period.objects.filter(grain=Grain.WEEK, start_date__gte=OCTOBER, end_date__lte=date(2026, 11, 1))
        assert set(weeks.values_list("state", flat=True)) == {PeriodState.CLOSED}
        told = PeriodTransition.objects.filter(period=month(OCTOBER)).values_list("state", flat=True)
        assert sorted(told) == ["closed", "provisional"]

    def test_the_last_month_closes_and_locks_the_quarter(self, node: KpiNode) -> None:
        quarter = date(2026, 7, 1)
        close_periods(periods=[month(quarter), month(date(2026, 8, 1))], actor=None, now=NOW)
        assert find_period(Grain.QUARTER, quarter).state == PeriodState.OPEN
        close_period(period=month(SEPTEMBER), actor=None, now=NOW)
        assert find_period(Grain.QUARTER, quarter).state == PeriodState.CLOSED
        assert LockedCell.objects.filter(node=node, grain="quarter", period_start=quarter).exists()

    @pytest.mark.parametrize("frequency", ["month", "week"])
    def test_locks_weeks_only_for_nodes_kept_by_the_week(self, node: KpiNode, frequency: str) -> None:
        KpiNode.objects.update(frequency=frequency)
        close_period(period=month(OCTOBER), actor=None, now=NOW)
        assert LockedCell.objects.filter(grain="week").exists() == (frequency == "week")

    def test_leaves_retired_trees_alone(self, node: KpiNode) -> None:
        KpiTree.objects.update(status="retired")
        close_period(period=month(OCTOBER), actor=None, now=NOW)
        assert not LockedCell.objects.exists()

    def test_counts_facts_that_have_just_arrived(self, node: KpiNode) -> None:
        deal = {"external_id": "D3", "created_on": None, "closed_on": "2026-10-09", "outcome": "won", "amount": 5}
        upsert_facts(resource="deals", source="crm", records=[deal], now=NOW)
        close_period(period=month(OCTOBER), actor=None, now=NOW)
        assert LockedCell.objects.get(node=node, grain="month", dimension="company").value == 105

    def test_refuses_a_period_that_is_not_over(self) -> None:
        with pytest.raises(PeriodError, match="2026-12-01"):
            close_period(period=month(date(2026, 11, 1)), actor=None, now=NOW)

    def test_refuses_a_quarter(self) -> None:
        with pytest.raises(PeriodError):
            close_period(period=find_period(Grain.QUARTER, date(2026, 7, 1)), actor=None, now=NOW)

    def test_refuses_twice_and_then_closes_none(self) -> None:
        close_period(period=month(OCTOBER), actor=None, now=NOW)
        with pytest.raises(PeriodError, match="2026-10-01"):
            close_periods(periods=[month(SEPTEMBER), month(OCTOBER)], actor=None, now=NOW)
        assert month(SEPTEMBER).state == PeriodState.OPEN


class TestReopenPeriod:
    def test_unlocks_with_the_reason_kept(self, node: KpiNode, dave: Any) -> None:
        close_period(period=month(OCTOBER), actor=dave, now=NOW)
        sell("D2", 900)
        period = reopen_period(period=month(OCTOBER), reason="An order was booked late.", actor=dave, now=NOW)
        assert (period.state, LockedCell.objects.count()) == (PeriodState.PROVISIONAL, 0)
        assert period.transitions.latest("pk").reason == "An order was booked late."
        assert matrix(node.tree).value == [[[1000]]]

    def test_reopens_the_quarter_too(self, node: KpiNode) -> None:
        months = [month(date(2026, number, 1)) for number in (7, 8, 9)]
        close_periods(periods=months, actor=None, now=NOW)
        reopen_period(period=months[1], reason="Late order.", actor=None, now=NOW)
        assert find_period(Grain.QUARTER, date(2026, 7, 1)).state == PeriodState.PROVISIONAL
        assert not LockedCell.objects.filter(grain="quarter").exists()
        assert LockedCell.objects.filter(period_start=SEPTEMBER).exists()

    def test_refuses_without_a_reason(self) -> None:
        close_period(period=month(OCTOBER), actor=None, now=NOW)
        with pytest.raises(PeriodError):
            reopen_period(period=month(OCTOBER), reason=" ", actor=None, now=NOW)
        assert month(OCTOBER).state == PeriodState.CLOSED

    def test_refuses_what_is_not_closed(self) -> None:
        with pytest.raises(PeriodError):
            reopen_period(period=month(OCTOBER), reason="Why not.", actor=None, now=NOW)
