"""Trees: built node by node, moved, copied to the next year, activated only when they make sense."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from kpis.models import (
    DimensionMember,
    FactStream,
    KpiFinding,
    KpiNode,
    KpiTree,
    LockedCell,
    Metric,
    Period,
    Person,
    Target,
    Team,
)
from kpis.selectors.trees import tree_issues
from kpis.services.calendar import ensure_calendar
from kpis.services.copies import copy_tree
from kpis.services.definitions import create_metric, update_metric
from kpis.services.facts import upsert_facts
from kpis.services.targets import TargetEntry, set_target
from kpis.services.trees import (
    TreeError,
    activate_tree,
    create_node,
    create_tree,
    delete_node,
    move_node,
    retire_tree,
    step_node,
    update_node,
    update_tree,
)
from tests.remembering import remembered

pytestmark = pytest.mark.usefixtures("in_acme")
NOW = timezone.now()


def metric(code: str) -> Metric:
    return create_metric(
        code=code, name=code.title(), unit="count", accumulation="sum", spec={"kind": "manual"}, actor=None, now=NOW
    )


def add(tree: KpiTree, level: str, **fields: Any) -> KpiNode:
    return create_node(tree=tree, level=level, actor=None, now=NOW, **fields)


@pytest.fixture
@remembered
def tree(in_acme: Any) -> KpiTree:
    """A KGI, a KSF and a KPI."""
    tree = create_tree(name="Tree", fiscal_year=2026, actor=None, now=NOW)
    kgi = add(tree, "kgi", metric=metric("bookings"))
    ksf = add(tree, "ksf", parent=kgi, code="growth", name="Growth", reason="Nothing grows by itself.")
    add(tree, "kpi", parent=ksf, metric=metric("leads"))
    return tree


def lock(node: KpiNode) -> None:
    LockedCell.objects.create(
        node=node, grain="month", period_start="2026-04-01", dimension="company", status="met", locked_at=NOW
    )


class TestNodes:
    def test_code_and_name_default_to_the_metric(self, tree: KpiTree) -> None:
        assert tree.nodes.get(code="leads").name == "Leads"

    def test_responsible_is_a_person_or_a_login(self, tree: KpiTree, alice: Any) -> None:
        node = tree.nodes.get(code="leads")
        person = Person.objects.create(source="hr", external_id="1", name="Sato", recorded_at=NOW, changed_at=NOW)
        node = update_node(node=node, responsible=person, actor=None, now=NOW)
        assert (node.responsible, node.responsible_user) == (person, None)
        node = update_node(node=node, responsible=alice, actor=None, now=NOW)
        assert (node.responsible, node.responsible_user) == (None, alice)

    def test_refuses_a_code_twice(self, tree: KpiTree) -> None:
        with pytest.raises(TreeError, match="leads"):
            add(tree, "kpi", metric=Metric.objects.get(code="leads"))

    def test_refuses_a_metric_on_a_ksf(self, tree: KpiTree) -> None:
        with pytest.raises(TreeError) as refused:
            update_node(
                node=tree.nodes.get(code="growth"), metric=Metric.objects.get(code="leads"), actor=None, now=NOW
            )
        assert [issue.field for issue in refused.value.issues] == ["metric"]

    def test_refuses_a_node_below_itself(self, tree: KpiTree) -> None:
        with pytest.raises(TreeError) as refused:
            update_node(node=tree.nodes.get(code="growth"), parent=tree.nodes.get(code="leads"), actor=None, now=NOW)
        assert [issue.field for issue in refused.value.issues] == ["parent"]

    def test_refuses_a_parent_in_another_tree(self, tree: KpiTree) -> None:
        other = create_tree(name="Other", fiscal_year=2026, actor=None, now=NOW)
        with pytest.raises(TreeError):
            add(other, "ksf", code="x", name="X", parent=tree.nodes.get(code="bookings"))

    def test_deletes_what_hangs_below(self, tree: KpiTree) -> None:
        delete_node(node=tree.nodes.get(code="growth"), actor=None, now=NOW)
        assert list(tree.nodes.values_list("code", flat=True)) == ["bookings"]

    def test_a_draft_is_taken_apart_with_its_closed_numbers(self, tree: KpiTree) -> None:
        lock(tree.nodes.get(code="leads"))
        delete_node(node=tree.nodes.get(code="growth"), actor=None, now=NOW)
        assert not LockedCell.objects.exists()

    def test_keeps_nodes_with_closed_numbers(self, tree: KpiTree) -> None:
        activate_tree(tree=tree, facts_may_follow=True, actor=None, now=NOW)
        leads = tree.nodes.get(code="leads")
        lock(leads)
        with pytest.raises(TreeError, match="Leads"):
            delete_node(node=tree.nodes.get(code="growth"), actor=None, now=NOW)
        with pytest.raises(TreeError, match="Leads"):
            update_node(node=leads, metric=Metric.objects.get(code="bookings"), actor=None, now=NOW)
        assert tree.nodes.count() == 3


class TestActivate:
    def test_of_a_company_that_is_being_made_people_and_targets_may_follow(self, tree: KpiTree) -> None:
        assert {issue.code for issue in tree_issues(tree)} == {"no_responsible", "no_target"}
        assert activate_tree(tree=tree, facts_may_follow=True, actor=None, now=NOW).status == "active"
        assert retire_tree(tree=tree, actor=None, now=NOW).status == "retired"

    def test_refuses_with_what_is_wrong(self, tree: KpiTree) -> None:
        delete_node(node=tree.nodes.get(code="leads"), actor=None, now=NOW)
        with pytest.raises(TreeError) as refused:
            activate_tree(tree=tree, facts_may_follow=True, actor=None, now=NOW)
        assert [(issue.field, issue.code) for issue in refused.value.issues] == [("growth", "no_kpi")]
        tree.refresh_from_db()
        assert tree.status == "draft"

    def test_asks_for_the_five_facts_and_says_of_which_node(self, tree: KpiTree, alice: Any) -> None:
        with pytest.raises(TreeError) as refused:
            activate_tree(tree=tree, actor=None, now=NOW)
        assert {(issue.field, issue.code) for issue in refused.value.issues} == {
            (node, fact) for node in ("bookings", "leads") for fact in ("no_responsible", "no_target")
        }
        assert "Leads" in str(refused.value)
        for node in tree.nodes.exclude(metric=None).select_related("tree"):
            update_node(node=node, responsible=alice, actor=None, now=NOW)
            set_target(entry=TargetEntry(node, date(2026, 4, 1), Decimal(5)), actor=None, now=NOW)
        assert activate_tree(tree=tree, actor=None, now=NOW).status == "active"

    def test_data_that_never_arrived_is_a_missing_fact(self, tree: KpiTree) -> None:
        update_metric(
            metric=Metric.objects.get(code="leads"),
            spec={"kind": "simple", "fact": "leads", "date": "created_on", "aggregate": "count"},
            actor=None,
            now=NOW,
        )
        assert ("leads", "no_source") in {(issue.field, issue.code) for issue in tree_issues(tree)}
        FactStream.objects.create(source="crm", fact="leads", last_success_at=NOW)
        assert "no_source" not in {issue.code for issue in tree_issues(tree)}

    def test_notes_what_is_open_from_the_first_day(self, tree: KpiTree) -> None:
        activate_tree(tree=tree, facts_may_follow=True, actor=None, now=NOW)
        assert set(KpiFinding.objects.values_list("node__code", "code")) == {
            ("leads", code) for code in ("no_person", "no_target", "no_reason", "nobody_moves_it")
        }


def codes(tree: KpiTree) -> list[str]:
    return list(tree.nodes.order_by("position").values_list("code", flat=True))


class TestMove:
    @pytest.fixture
    @remembered
    def wide(self, tree: KpiTree) -> KpiTree:
        """The tree with a second KSF and a KPI below it."""
        kgi = tree.nodes.get(code="bookings")
        ksf = add(tree, "ksf", parent=kgi, code="value", name="Value", reason="Size holds.")
        add(tree, "kpi", parent=ksf, metric=metric("size"))
        return tree

    def move(self, tree: KpiTree, code: str, parent: str | None, position: int) -> KpiNode:
        parent_node = tree.nodes.get(code=parent) if parent else None
        return move_node(node=tree.nodes.get(code=code), parent=parent_node, position=position, actor=None, now=NOW)

    def test_takes_along_what_hangs_below_and_reads_from_the_top_down(self, wide: KpiTree) -> None:
        assert codes(wide) == ["bookings", "growth", "leads", "value", "size"]
        self.move(wide, "growth", "bookings", 1)
        assert codes(wide) == ["bookings", "value", "size", "growth", "leads"]
        moved = self.move(wide, "size", "growth", 0)
        assert (moved.parent.code, moved.position) == ("growth", 3)
        assert codes(wide) == ["bookings", "value", "growth", "size", "leads"]

    @pytest.mark.parametrize(
        ("code", "step", "order"),
        [
            ("value", "up", ["bookings", "value", "size", "growth", "leads"]),
            ("growth", "down", ["bookings", "value", "size", "growth", "leads"]),
            ("size", "out", ["bookings", "growth", "leads", "value", "size"]),
            ("value", "in", ["bookings", "growth", "leads", "value", "size"]),
        ],
    )
    def test_goes_one_step(self, wide: KpiTree, code: str, step: str, order: list[str]) -> None:
        step_node(node=wide.nodes.get(code=code), step=step, actor=None, now=NOW)
        assert codes(wide) == order

    def test_says_where_there_is_nowhere_to_go(self, wide: KpiTree) -> None:
        with pytest.raises(TreeError, match="Growth"):
            step_node(node=wide.nodes.get(code="growth"), step="up", actor=None, now=NOW)

    def test_a_draft_may_be_wrong_for_a_while(self, wide: KpiTree) -> None:
        self.move(wide, "size", "bookings", 0)
        assert ("size", "wrong_parent") in {(issue.field, issue.code) for issue in tree_issues(wide)}

    def test_a_tree_in_force_stays_sound(self, wide: KpiTree) -> None:
        activate_tree(tree=wide, facts_may_follow=True, actor=None, now=NOW)
        before = codes(wide)
        with pytest.raises(TreeError) as refused:
            self.move(wide, "size", "bookings", 0)
        assert {issue.code for issue in refused.value.issues} == {"wrong_parent", "no_kpi"}
        assert (codes(wide), wide.nodes.get(code="size").parent.code) == (before, "value")
        self.move(wide, "growth", "bookings", 1)

    @pytest.mark.parametrize("parent", ["bookings", "leads"])
    def test_never_below_itself_nor_into_another_tree(self, wide: KpiTree, parent: str) -> None:
        other = create_tree(name="Other", fiscal_year=2026, actor=None, now=NOW)
        elsewhere = add(other, "kgi", metric=Metric.objects.get(code="bookings"))
        target = elsewhere if parent == "bookings" else wide.nodes.get(code=parent)
        with pytest.raises(TreeError) as refused:
            move_node(node=wide.nodes.get(code="growth"), parent=target, position=0, actor=None, now=NOW)
        assert [issue.field for issue in refused.value.issues] == ["parent"]


class TestInForce:
    """A change of a single node never breaks a tree in force."""

    @pytest.fixture
    @remembered
    def active(self, tree: KpiTree) -> KpiTree:
        return activate_tree(tree=tree, facts_may_follow=True, actor=None, now=NOW)

    def refusal(self, change: Any, **told: Any) -> set[tuple[str, str]]:
        with pytest.raises(TreeError) as refused:
            change(**told, actor=None, now=NOW)
        return {(issue.field, issue.code) for issue in refused.value.issues}

    def test_a_factor_keeps_its_last_kpi(self, active: KpiTree) -> None:
        leads = active.nodes.get(code="leads")
        assert self.refusal(delete_node, node=leads) == {("growth", "no_kpi")}
        assert active.nodes.count() == 3
        add(active, "kpi", parent=active.nodes.get(code="growth"), metric=metric("calls"))
        delete_node(node=leads, actor=None, now=NOW)
        assert codes(active) == ["bookings", "growth", "calls"]

    def test_a_node_is_not_changed_into_what_makes_no_sense(self, active: KpiTree) -> None:
        leads, goal = active.nodes.get(code="leads"), active.nodes.get(code="bookings")
        assert self.refusal(update_node, node=leads, parent=goal) == {("growth", "no_kpi"), ("leads", "wrong_parent")}
        leads = active.nodes.get(code="leads")
        assert self.refusal(update_node, node=leads, metric=None) == {("leads", "no_metric")}
        leads = active.nodes.get(code="leads")
        assert (leads.parent.code, leads.metric.code) == ("growth", "leads")
        update_node(node=leads, name="Enquiries", actor=None, now=NOW)

    def test_nothing_senseless_is_added(self, active: KpiTree) -> None:
        told = {"tree": active, "metric": metric("revenue")}
        assert self.refusal(create_node, level="kgi", **told) == {("revenue", "second_kgi")}
        assert self.refusal(create_node, level="kpi", **told) == {("revenue", "no_parent")}
        assert active.nodes.count() == 3

    def test_a_new_factor_stands_empty_until_its_kpi_comes(self, active: KpiTree) -> None:
        factor = add(
            active, "ksf", parent=active.nodes.get(code="bookings"), code="value", name="Value", reason="Size."
        )
        factor = update_node(node=factor, code="size", actor=None, now=NOW)
        assert ("size", "no_kpi") in {(issue.field, issue.code) for issue in tree_issues(active)}
        first = add(active, "kpi", parent=factor, metric=metric("average"))
        assert self.refusal(delete_node, node=first) == {("size", "no_kpi")}

    def test_the_goal_stays(self, active: KpiTree) -> None:
        assert self.refusal(delete_node, node=active.nodes.get(code="bookings")) == {("", "no_kgi")}


class TestCopy:
    def copy(self, tree: KpiTree, **changes: Any) -> KpiTree:
        return copy_tree(tree=tree, fiscal_year=2027, name="Next", actor=None, now=NOW, **changes)

    def test_is_a_draft_of_the_same_shape(self, tree: KpiTree, alice: Any) -> None:
        leads = update_node(
            node=tree.nodes.get(code="leads"),
            responsible=alice,
            reason="Base",
            controllable_by={"marketing": "full"},
            actor=None,
            now=NOW,
        )
        activate_tree(tree=tree, facts_may_follow=True, actor=None, now=NOW)
        copy = self.copy(tree)
        assert (copy.status, copy.fiscal_year, codes(copy)) == ("draft", 2027, codes(tree))
        twin = copy.nodes.get(code="leads")
        assert (twin.parent.tree, twin.parent.code) == (copy, "growth")
        same = ("metric", "responsible_user", "reason", "controllable_by", "link", "frequency", "level")
        assert [getattr(twin, name) for name in same] == [getattr(leads, name) for name in same]
        assert not Target.objects.filter(node__tree=copy).exists()
        tree.refresh_from_db()
        assert tree.status == "active"

    def test_takes_monthly_targets_along_with_growth(self, tree: KpiTree) -> None:
        rate = create_metric(
            code="rate", name="Rate", unit="percent", accumulation="rate", spec={"kind": "manual"}, actor=None, now=NOW
        )
        node = add(tree, "kpi", parent=tree.nodes.get(code="growth"), metric=rate)
        for each, value in ((tree.nodes.get(code="leads"), "105"), (node, "0.25")):
            set_target(entry=TargetEntry(each, date(2026, 5, 1), Decimal(value)), actor=None, now=NOW)
        copy = self.copy(tree, growth=Decimal("1.1"))
        assert set(Target.objects.filter(node__tree=copy).values_list("node__code", "period_start", "value")) == {
            ("leads", date(2027, 5, 1), Decimal(116)),
            ("rate", date(2027, 5, 1), Decimal("0.25")),
        }


class TestCopyOfTargets:
    """Leads by month in teams and on lines, visits by week, and somebody who leaves before the year begins."""

    @pytest.fixture
    def teams(self, tree: KpiTree) -> dict[str, DimensionMember]:
        ensure_calendar(first_day=date(2026, 4, 1), last_day=date(2028, 3, 31))
        records = [{"external_id": code, "name": code.title()} for code in ("east", "west", "north")]
        upsert_facts(resource="teams", source="hr", records=records, now=NOW)
        Team.objects.filter(external_id="north").update(ends_on=date(2027, 1, 1))
        return {row.code: row for row in DimensionMember.objects.filter(dimension__code="team")}

    def copied(self, tree: KpiTree, growth: str = "1.1") -> KpiTree:
        return copy_tree(tree=tree, fiscal_year=2027, name="Next", actor=None, now=NOW, growth=Decimal(growth))

    def leads(self, tree: KpiTree, value: int, **where: Any) -> None:
        entry = TargetEntry(tree.nodes.get(code="leads"), date(2026, 5, 1), Decimal(value), **where)
        set_target(entry=entry, actor=None, now=NOW)

    def test_takes_segments_and_all_lines_along(self, tree: KpiTree, teams: dict[str, DimensionMember]) -> None:
        self.leads(tree, 100)
        self.leads(tree, 80, line="budget")
        self.leads(tree, 130, line="stretch")
        self.leads(tree, 60, dimension="team", member=teams["east"])
        found = Target.objects.filter(node__tree=self.copied(tree)).values_list(
            "line", "dimension", "member__code", "period_start", "value"
        )
        day = date(2027, 5, 1)
        assert set(found) == {
            ("target", "company", None, day, 110),
            ("budget", "company", None, day, 88),
            ("stretch", "company", None, day, 143),
            ("target", "team", "east", day, 66),
        }

    def test_what_added_up_adds_up_again(self, tree: KpiTree, teams: dict[str, DimensionMember]) -> None:
        self.leads(tree, 8)
        for code in ("east", "west"):
            self.leads(tree, 4, dimension="team", member=teams[code])
        found = self.copied(tree, "1.1").nodes.get(code="leads").targets
        assert found.get(dimension="company").value == 9
        assert sorted(found.filter(dimension="team").values_list("value", flat=True)) == [4, 5]

    def test_leaves_out_who_is_not_there_any_more(self, tree: KpiTree, teams: dict[str, DimensionMember]) -> None:
        self.leads(tree, 5, dimension="team", member=teams["north"])
        assert not Target.objects.filter(node__tree=self.copied(tree)).exists()

    def weekly(self, tree: KpiTree, code: str, accumulation: str) -> KpiNode:
        made = create_metric(
            code=code,
            name=code,
            unit="count",
            accumulation=accumulation,
            spec={"kind": "manual"},
            actor=None,
            now=NOW,
        )
        return add(tree, "kpi", parent=tree.nodes.get(code="growth"), metric=made, frequency="week")

    def weeks_of_may(self, year: int) -> list[date]:
        weeks = Period.objects.filter(grain="week", start_date__gte=date(year, 5, 1), start_date__lt=date(year, 6, 1))
        return list(weeks.order_by("start_date").values_list("start_date", flat=True))

    def test_the_weeks_of_a_month_go_to_its_weeks(self, tree: KpiTree, teams: dict[str, DimensionMember]) -> None:
        visits, crew = self.weekly(tree, "visits", "sum"), self.weekly(tree, "crew", "stock")
        old, new = self.weeks_of_may(2026), self.weeks_of_may(2027)
        assert len(old) != len(new), "five weeks one year, six the other"
        for number, week in enumerate(old, start=1):
            for node, value in ((visits, 20), (crew, number)):
                set_target(entry=TargetEntry(node, week, Decimal(value)), actor=None, now=NOW)
        copy = self.copied(tree)
        of_visits = dict(copy.nodes.get(code="visits").targets.values_list("period_start", "value"))
        assert sum(of_visits.values()) == len(old) * 22
        assert set(of_visits) <= set(new)
        of_crew = copy.nodes.get(code="crew").targets.order_by("period_start")
        assert list(of_crew.values_list("value", flat=True)) == [min(n, len(old)) for n in range(1, len(new) + 1)]

    def test_a_range_grows_at_both_ends(self, tree: KpiTree) -> None:
        Metric.objects.filter(code="leads").update(direction="range")
        self.leads(tree, 100, upper=Decimal(120))
        found = self.copied(tree, "2").nodes.get(code="leads").targets.get()
        assert (found.value, found.upper, found.initial_upper) == (200, 240, 240)
        assert found.revisions.get().upper == 240


class TestUpdateTree:
    def test_the_year_stays_once_there_are_targets(self, tree: KpiTree) -> None:
        entry = TargetEntry(tree.nodes.get(code="leads"), date(2026, 4, 1), Decimal(5))
        set_target(entry=entry, actor=None, now=NOW)
        with pytest.raises(TreeError, match="2026"):
            update_tree(tree=tree, fiscal_year=2027, actor=None, now=NOW)
        assert update_tree(tree=tree, name="2026", actor=None, now=NOW).name == "2026"

    def test_a_style_can_be_taken_off_again(self, tree: KpiTree) -> None:
        update_tree(tree=tree, style="referral", actor=None, now=NOW)
        update_tree(tree=tree, name="Plan", actor=None, now=NOW)
        tree.refresh_from_db()
        assert tree.style == "referral"
        assert update_tree(tree=tree, style=None, actor=None, now=NOW).style is None

    def test_another_official_line_is_looked_at_by_its_own_targets(self, tree: KpiTree) -> None:
        entry = TargetEntry(tree.nodes.get(code="leads"), date(2026, 4, 1), Decimal(5))
        set_target(entry=entry, actor=None, now=NOW)
        activate_tree(tree=tree, facts_may_follow=True, actor=None, now=NOW)
        assert "no_target" not in set(KpiFinding.objects.values_list("code", flat=True))
        update_tree(tree=tree, official_line="budget", actor=None, now=NOW)
        assert "no_target" in set(KpiFinding.objects.values_list("code", flat=True))
