"""Targets: set, changed with a history, refused where they would be wrong."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from kpis.choices import PeriodState
from kpis.models import DimensionMember, KpiNode, ManualEntry, Metric, Period, Target
from kpis.services.definitions import create_metric
from kpis.services.entries import EntryError, enter_value
from kpis.services.targets import TargetEntry, TargetError, set_target, set_targets
from kpis.services.trees import create_node, create_tree

pytestmark = pytest.mark.usefixtures("in_acme")
NOW = timezone.now()
OCTOBER = date(2026, 10, 1)


def metric(code: str = "bookings", **changes: Any) -> Metric:
    fields = {"unit": "amount", "accumulation": "sum", "spec": {"kind": "manual"}, **changes}
    return create_metric(code=code, name=code, actor=None, now=NOW, **fields)


@pytest.fixture
def node(in_acme: Any) -> KpiNode:
    tree = create_tree(name="Tree", fiscal_year=2026, actor=None, now=NOW)
    return create_node(tree=tree, level="kgi", metric=metric(), actor=None, now=NOW)


def entry(node: KpiNode, value: int = 100, **changes: Any) -> TargetEntry:
    return TargetEntry(**{"node": node, "period_start": OCTOBER, "value": Decimal(value), **changes})


def refused(*entries: TargetEntry) -> list[tuple[str, str]]:
    with pytest.raises(TargetError) as error:
        set_targets(entries=entries, actor=None, now=NOW)
    return [(issue.field, issue.code) for issue in error.value.issues]


class TestSetTarget:
    def test_the_first_is_initial_and_current(self, node: KpiNode, dave: Any) -> None:
        target = set_target(entry=entry(node), actor=dave, now=NOW)
        assert (target.initial_value, target.value, target.line) == (100, 100, "target")
        revision = target.revisions.get()
        assert (revision.number, revision.value, revision.actor) == (1, 100, dave)

    def test_a_change_in_an_active_tree_keeps_the_initial_target(self, node: KpiNode) -> None:
        node.tree.status = "active"
        set_target(entry=entry(node), actor=None, now=NOW)
        changed = set_target(entry=entry(node, 80, reason="Market fell."), actor=None, now=NOW)
        assert (changed.initial_value, changed.value) == (100, 80)
        assert list(changed.revisions.values_list("number", "value", "reason")) == [
            (1, 100, ""),
            (2, 80, "Market fell."),
        ]

    def test_a_change_in_an_active_tree_needs_a_reason(self, node: KpiNode) -> None:
        node.tree.status = "active"
        set_target(entry=entry(node), actor=None, now=NOW)
        assert refused(entry(node, 80)) == [("0.reason", "required")]

    def test_a_draft_has_no_history_to_keep(self, node: KpiNode) -> None:
        set_target(entry=entry(node), actor=None, now=NOW)
        changed = set_target(entry=entry(node, 80), actor=None, now=NOW)
        assert (changed.initial_value, changed.value) == (80, 80)

    def test_the_same_value_again_is_no_revision(self, node: KpiNode) -> None:
        for _ in range(2):
            target = set_target(entry=entry(node), actor=None, now=NOW)
        assert target.revisions.count() == 1

    def test_official_is_the_line_of_the_tree(self, node: KpiNode) -> None:
        node.tree.official_line = "budget"
        assert set_target(entry=entry(node, line="official"), actor=None, now=NOW).line == "budget"

    def test_refuses_a_locked_period(self, node: KpiNode) -> None:
        Period.objects.filter(grain="month", start_date=OCTOBER).update(state=PeriodState.CLOSED)
        assert refused(entry(node)) == [("0.period_start", "locked")]
        assert not Target.objects.exists()

    @pytest.mark.parametrize("day", [date(2026, 10, 2), date(2026, 3, 1), date(2027, 4, 1)])
    def test_refuses_what_is_no_period_of_the_tree(self, node: KpiNode, day: date) -> None:
        assert refused(entry(node, period_start=day)) == [("0.period_start", "invalid")]

    def test_refuses_a_ksf(self, node: KpiNode) -> None:
        ksf = create_node(tree=node.tree, parent=node, level="ksf", code="growth", name="Growth", actor=None, now=NOW)
        assert refused(entry(ksf)) == [("0.node", "no_metric")]

    def test_refuses_an_upper_bound_without_range(self, node: KpiNode) -> None:
        assert refused(entry(node, upper=Decimal(200))) == [("0.upper", "not_allowed")]

    @pytest.mark.parametrize("upper", [None, Decimal(99)])
    def test_a_range_needs_its_upper_bound(self, node: KpiNode, upper: Decimal | None) -> None:
        node.metric.direction = "range"
        assert refused(entry(node, upper=upper)) == [("0.upper", "invalid")]

    def test_refuses_a_dimension_without_member(self, node: KpiNode) -> None:
        assert refused(entry(node, dimension="team")) == [("0.member", "invalid")]

    def test_sets_a_member_beside_the_company(self, node: KpiNode) -> None:
        member = DimensionMember.objects.get(dimension__code="region", is_unassigned=True)
        set_targets(entries=[entry(node), entry(node, 40, dimension="region", member=member)], actor=None, now=NOW)
        assert Target.objects.count() == 2

    def test_one_bad_entry_stops_all(self, node: KpiNode) -> None:
        assert refused(entry(node), entry(node, period_start=date(2026, 10, 2)), entry(node)) == [
            ("1.period_start", "invalid"),
            ("2.period_start", "duplicate"),
        ]
        assert not Target.objects.exists()


class TestEnterValue:
    def test_stores_and_replaces(self, node: KpiNode, dave: Any) -> None:
        for value in (5, 7):
            enter_value(metric=node.metric, period_start=OCTOBER, value=Decimal(value), actor=dave, now=NOW)
        assert ManualEntry.objects.get().value == 7

    def test_refuses_a_closed_period(self, node: KpiNode) -> None:
        Period.objects.filter(grain="month", start_date=OCTOBER).update(state=PeriodState.CLOSED)
        with pytest.raises(EntryError, match="2026-10-01"):
            enter_value(metric=node.metric, period_start=OCTOBER, value=Decimal(1), actor=None, now=NOW)

    def test_refuses_a_day_that_starts_no_period(self, node: KpiNode) -> None:
        with pytest.raises(EntryError, match="2026-10-02"):
            enter_value(metric=node.metric, period_start=date(2026, 10, 2), value=Decimal(1), actor=None, now=NOW)

    def test_refuses_a_metric_that_is_computed(self, in_acme: Any) -> None:
        leads = metric("leads", spec={"kind": "simple", "fact": "leads", "date": "created_on", "aggregate": "count"})
        with pytest.raises(EntryError, match="leads"):
            enter_value(metric=leads, period_start=OCTOBER, value=Decimal(1), actor=None, now=NOW)
