"""Closed numbers that would be others today: found, approved or refused, with the old ones kept."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from kpis.choices import Grain, PeriodState, RestatementVerdict
from kpis.models import KpiNode, LockedCell, Period, RestatementDecision
from kpis.selectors.calendar import find_period
from kpis.selectors.restatements import Restatement, find_restatements_of, read_decisions
from kpis.selectors.visibility import OPEN, Sight
from kpis.services.calendar import ensure_calendar
from kpis.services.definitions import create_metric
from kpis.services.facts import upsert_facts
from kpis.services.periods import close_period, reopen_period
from kpis.services.recompute import recompute
from kpis.services.restatements import RestatementError, decide_restatements
from kpis.services.trees import create_node, create_tree
from tenants.outbox.models import Event
from tests.remembering import remembered

pytestmark = pytest.mark.usefixtures("in_acme")
CLOSED_AT = datetime(2026, 11, 9, 3, tzinfo=UTC)
NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
APPROVED, REFUSED = RestatementVerdict.APPROVED, RestatementVerdict.REFUSED


def spec(aggregate: str, **more: Any) -> dict:
    return {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": aggregate, **more}


@pytest.fixture
@remembered
def nodes(in_acme: Any) -> dict[str, KpiNode]:
    """Bookings and the number of deals: one of 100 in the east and one of 50 in the west, in October."""
    ensure_calendar(first_day=date(2026, 4, 1), last_day=date(2027, 3, 31))
    tree = create_tree(name="Tree", fiscal_year=2026, actor=None, now=CLOSED_AT)
    made: dict[str, KpiNode] = {}
    for code, unit, definition in (
        ("bookings", "amount", spec("sum", field="amount")),
        ("deals", "count", spec("count")),
    ):
        metric = create_metric(
            code=code, name=code, unit=unit, accumulation="sum", spec=definition, actor=None, now=CLOSED_AT
        )
        level, parent = ("kpi", made["bookings"]) if made else ("kgi", None)
        made[code] = create_node(tree=tree, level=level, parent=parent, metric=metric, actor=None, now=CLOSED_AT)
    sell("D1", 100, "east", at=CLOSED_AT)
    sell("D2", 50, "west", at=CLOSED_AT)
    return made


@pytest.fixture
@remembered
def october(nodes: dict[str, KpiNode]) -> Period:
    """October, closed."""
    period = find_period(Grain.MONTH, date(2026, 10, 1))
    assert period is not None
    return close_period(period=period, actor=None, now=CLOSED_AT)


def sell(external_id: str, amount: int, region: str, *, at: datetime = NOW) -> None:
    deal = {
        "external_id": external_id,
        "created_on": "2026-09-01",
        "closed_on": "2026-10-05",
        "outcome": "won",
        "amount": amount,
        "region": region,
    }
    assert not upsert_facts(resource="deals", source="crm", records=[deal], now=at).rejected
    recompute(now=at)


def found(period: Period, sight: Sight = OPEN) -> list[Restatement]:
    return find_restatements_of(period, sight=sight, now=NOW)


def decide(period: Period, verdict: RestatementVerdict, now: datetime = NOW, **more: Any) -> list[RestatementDecision]:
    given = {"reason": "An order came late.", "actor": None, **more}
    return decide_restatements(period=period, verdict=verdict, now=now, **given)


def locked(node: KpiNode, region: str | None = None) -> Any:
    cells = LockedCell.objects.filter(node=node, grain="month")
    where = {"dimension": "region", "member__code": region} if region else {"dimension": "company"}
    return cells.get(**where).value


class TestFind:
    def test_finds_nothing_right_after_closing(self, october: Period) -> None:
        assert found(october) == []

    def test_finds_what_moved_between_segments_though_the_whole_is_the_same(
        self, nodes: dict[str, KpiNode], october: Period
    ) -> None:
        sell("D2", 50, "east")
        places = {(each.cell.dimension, each.cell.member.code, each.cell.node.code) for each in found(october)}
        assert places == {("region", region, code) for region in ("east", "west") for code in ("bookings", "deals")}

    def test_shows_only_members_in_sight(self, october: Period) -> None:
        sell("D2", 80, "west")
        assert any(each.cell.dimension == "region" for each in found(october))
        sight = Sight(members={"region": frozenset()}, people=None)
        assert not any(each.cell.dimension == "region" for each in found(october, sight))

    def test_a_period_that_is_not_closed_has_none(self, october: Period) -> None:
        reopen_period(period=october, reason="Late.", actor=None, now=NOW)
        assert found(october) == []


class TestApprove:
    def test_locks_the_new_numbers_of_the_company_and_all_segments(
        self, nodes: dict[str, KpiNode], october: Period
    ) -> None:
        sell("D2", 80, "west")
        decide(october, APPROVED)
        assert found(october) == []
        assert (locked(nodes["bookings"]), locked(nodes["bookings"], "west"), locked(nodes["bookings"], "east")) == (
            180,
            80,
            100,
        )

    def test_14_keeps_the_old_number_with_who_when_and_why(
        self, nodes: dict[str, KpiNode], october: Period, dave: Any
    ) -> None:
        sell("D2", 80, "west")
        decide(october, APPROVED, actor=dave)
        kept = RestatementDecision.objects.get(dimension="company", node=nodes["bookings"])
        assert (kept.old_value, kept.new_value, kept.old_locked_at) == (150, 180, CLOSED_AT)
        assert (kept.actor, kept.decided_at, kept.reason) == (dave, NOW, "An order came late.")

    def test_leaves_what_did_not_differ_as_it_was_locked(self, nodes: dict[str, KpiNode], october: Period) -> None:
        sell("D2", 80, "west")
        decide(october, APPROVED)
        again = LockedCell.objects.filter(locked_at=NOW)
        assert {cell.node for cell in again} == {nodes["bookings"]}
        assert not again.filter(dimension="region", member__code="east").exists()

    def test_tells_others_that_values_changed(self, october: Period) -> None:
        sell("D2", 80, "west")
        Event.objects.all().delete()
        decide(october, APPROVED)
        assert Event.objects.filter(topic="values.changed").exists()

    def test_of_one_node_leaves_the_others_open(self, nodes: dict[str, KpiNode], october: Period) -> None:
        sell("D3", 7, "east")
        decide(october, APPROVED, nodes=[nodes["deals"].pk])
        assert {each.cell.node for each in found(october)} == {nodes["bookings"]}

    def test_leaves_the_locked_number_as_exact_as_closing_does(
        self, nodes: dict[str, KpiNode], october: Period
    ) -> None:
        sell("D2", 80, "west")
        decide(october, APPROVED)
        approved = list(LockedCell.objects.order_by("node", "dimension", "member").values_list("content_hash"))
        reopen_period(period=october, reason="Again.", actor=None, now=NOW)
        close_period(period=october, actor=None, now=NOW)
        assert list(LockedCell.objects.order_by("node", "dimension", "member").values_list("content_hash")) == approved


class TestRefuse:
    def test_keeps_the_locked_number_and_says_so(self, nodes: dict[str, KpiNode], october: Period) -> None:
        sell("D2", 80, "west")
        decide(october, REFUSED)
        assert locked(nodes["bookings"]) == 150
        assert [each.refusal.reason for each in found(october)] == ["An order came late."] * len(found(october))

    def test_another_difference_is_open_again(self, october: Period) -> None:
        sell("D2", 80, "west")
        decide(october, REFUSED)
        sell("D2", 90, "west")
        assert all(each.refusal is None for each in found(october))

    def test_may_be_approved_after_all(self, nodes: dict[str, KpiNode], october: Period) -> None:
        sell("D2", 80, "west")
        decide(october, REFUSED)
        decide(october, APPROVED, NOW + timedelta(days=1))
        assert locked(nodes["bookings"]) == 180
        assert [each.row.verdict for each in read_decisions(october, sight=OPEN, limit=1)] == ["approved"]

    def test_a_second_time_refuses_nothing(self, october: Period) -> None:
        sell("D2", 80, "west")
        decide(october, REFUSED)
        with pytest.raises(RestatementError):
            decide(october, REFUSED)


class TestDecide:
    def test_needs_a_reason(self, october: Period) -> None:
        sell("D2", 80, "west")
        with pytest.raises(RestatementError) as refusal:
            decide(october, APPROVED, reason=" ")
        assert [issue.field for issue in refusal.value.issues] == ["reason"]

    def test_needs_a_difference(self, october: Period) -> None:
        with pytest.raises(RestatementError):
            decide(october, APPROVED)

    def test_needs_a_closed_period(self, october: Period) -> None:
        Period.objects.update(state=PeriodState.PROVISIONAL)
        sell("D2", 80, "west")
        with pytest.raises(RestatementError, match="2026-10-01"):
            decide(october, APPROVED)
