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


def entry(node: KpiNode, value: int | None = 100, **changes: Any) -> TargetEntry:
    number = None if value is None else Decimal(value)
    return TargetEntry(**{"node": node, "period_start": OCTOBER, "value": number, **changes})


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


class TestRemoveTarget:
    """No target is not 0: a value typed into the wrong row goes, and its history stays."""

    @pytest.fixture
    def in_force(self, node: KpiNode) -> KpiNode:
        node.tree.status = "active"
        set_target(entry=entry(node), actor=None, now=NOW)
        return node

    def test_is_a_revision_and_no_target_to_any_reader(self, in_force: KpiNode, dave: Any) -> None:
        removed = set_target(entry=entry(in_force, None, reason="Wrong row."), actor=dave, now=NOW)
        assert (removed.initial_value, removed.value) == (100, None)
        last = removed.revisions.last()
        assert (last.number, last.value, last.reason, last.actor) == (2, None, "Wrong row.", dave)
        assert not Target.objects.exists()
        assert not in_force.targets.exists()

    def test_needs_a_reason_in_an_active_tree(self, in_force: KpiNode) -> None:
        assert refused(entry(in_force, None)) == [("0.reason", "required")]

    def test_does_not_happen_in_a_locked_period(self, in_force: KpiNode) -> None:
        Period.objects.filter(grain="month", start_date=OCTOBER).update(state=PeriodState.CLOSED)
        assert refused(entry(in_force, None, reason="Wrong row.")) == [("0.period_start", "locked")]

    def test_in_a_draft_nothing_stays_of_it(self, node: KpiNode) -> None:
        set_target(entry=entry(node), actor=None, now=NOW)
        assert set_target(entry=entry(node, None), actor=None, now=NOW).initial_value is None
        node.tree.status = "active"
        again = set_target(entry=entry(node, 70), actor=None, now=NOW)
        assert (again.initial_value, again.value) == (70, 70)

    def test_setting_it_again_keeps_what_was_first_in_force(self, in_force: KpiNode) -> None:
        set_target(entry=entry(in_force, None, reason="Wrong row."), actor=None, now=NOW)
        again = set_target(entry=entry(in_force, 70), actor=None, now=NOW)
        assert (again.initial_value, again.value) == (100, 70)
        assert [each.value for each in again.revisions.all()] == [100, None, 70]

    def test_twice_is_once(self, in_force: KpiNode) -> None:
        for _ in range(2):
            removed = set_target(entry=entry(in_force, None, reason="Wrong row."), actor=None, now=NOW)
        assert removed.revisions.count() == 2

    def test_what_is_not_set_cannot_be_removed(self, node: KpiNode) -> None:
        assert refused(entry(node, None)) == [("0.value", "not_set")]

    def test_a_range_goes_with_both_bounds(self, node: KpiNode) -> None:
        node.metric.direction = "range"
        set_target(entry=entry(node, upper=Decimal(200)), actor=None, now=NOW)
        assert refused(entry(node, None, upper=Decimal(200))) == [("0.upper", "not_allowed")]
        assert set_target(entry=entry(node, None), actor=None, now=NOW).upper is None


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
