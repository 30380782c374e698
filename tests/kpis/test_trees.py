"""Trees: built node by node or from the template, activated only when they make sense."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from kpis.engine.templates import NEW_BUSINESS
from kpis.models import KpiNode, KpiTree, LockedCell, Metric, Person, Target
from kpis.selectors.calendar import find_period
from kpis.selectors.trees import tree_issues
from kpis.services.definitions import create_metric
from kpis.services.trees import (
    TemplateError,
    TreeError,
    activate_tree,
    create_node,
    create_tree,
    delete_node,
    instantiate_requested,
    instantiate_template,
    retire_tree,
    update_node,
    update_tree,
)
from tenants.registry import ProvisionRequest

pytestmark = pytest.mark.usefixtures("in_acme")
NOW = timezone.now()


def metric(code: str) -> Metric:
    return create_metric(
        code=code, name=code.title(), unit="count", accumulation="sum", spec={"kind": "manual"}, actor=None, now=NOW
    )


def add(tree: KpiTree, level: str, **fields: Any) -> KpiNode:
    return create_node(tree=tree, level=level, actor=None, now=NOW, **fields)


@pytest.fixture
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
        activate_tree(tree=tree, actor=None, now=NOW)
        leads = tree.nodes.get(code="leads")
        lock(leads)
        with pytest.raises(TreeError, match="Leads"):
            delete_node(node=tree.nodes.get(code="growth"), actor=None, now=NOW)
        with pytest.raises(TreeError, match="Leads"):
            update_node(node=leads, metric=Metric.objects.get(code="bookings"), actor=None, now=NOW)
        assert tree.nodes.count() == 3


class TestActivate:
    def test_a_sound_tree_is_put_in_force_while_people_and_targets_follow(self, tree: KpiTree) -> None:
        assert {issue.code for issue in tree_issues(tree)} == {"no_responsible", "no_target"}
        assert activate_tree(tree=tree, actor=None, now=NOW).status == "active"
        assert retire_tree(tree=tree, actor=None, now=NOW).status == "retired"

    def test_refuses_with_what_is_wrong(self, tree: KpiTree) -> None:
        delete_node(node=tree.nodes.get(code="leads"), actor=None, now=NOW)
        with pytest.raises(TreeError) as refused:
            activate_tree(tree=tree, actor=None, now=NOW)
        assert [(issue.field, issue.code) for issue in refused.value.issues] == [("growth", "no_kpi")]
        tree.refresh_from_db()
        assert tree.status == "draft"


class TestTemplate:
    def instantiate(self, **changes: Any) -> KpiTree:
        typed: dict[str, Any] = {
            "kgi_amount": Decimal(120_000_000),
            "rates": {"win_rate": Decimal("0.2"), "opportunity_rate": Decimal("0.25")},
            "average_deal_size": Decimal(1_000_000),
        }
        return instantiate_template(
            template=NEW_BUSINESS, fiscal_year=2026, language="ja", actor=None, now=NOW, **{**typed, **changes}
        )

    def test_is_active_with_monthly_targets_that_add_up(self) -> None:
        tree = self.instantiate()
        assert tree.status == "active"
        yearly = {
            code: sum(tree.nodes.get(code=code).targets.values_list("value", flat=True))
            for code in ("bookings", "won_deals", "closed_deals", "sql", "mql")
        }
        assert yearly == {
            "bookings": 120_000_000,
            "won_deals": 120,
            "closed_deals": 600,
            "sql": 600,
            "mql": 2400,
        }
        rates = tree.nodes.get(code="win_rate").targets.values_list("value", flat=True)
        assert (set(rates), len(rates)) == ({Decimal("0.2")}, 12)

    def test_speaks_the_language_of_the_company(self) -> None:
        assert self.instantiate().nodes.get(code="new_leads").name == "新規リード獲得数"

    def test_leads_have_no_target_without_their_rate(self) -> None:
        assert not self.instantiate().nodes.get(code="new_leads").targets.exists()

    def test_without_typed_numbers_there_is_no_target(self) -> None:
        self.instantiate(kgi_amount=None, rates={}, average_deal_size=None)
        assert not Target.objects.exists()

    def test_a_rate_without_a_goal_is_the_only_target(self) -> None:
        self.instantiate(kgi_amount=None, average_deal_size=None, rates={"win_rate": Decimal("0.2")})
        assert set(Target.objects.values_list("node__code", flat=True)) == {"win_rate"}

    def test_uses_the_metrics_that_are_there(self) -> None:
        mine = metric("bookings")
        assert self.instantiate().nodes.get(code="bookings").metric == mine

    @pytest.mark.parametrize("typed", [{"rates": {"win_rate": Decimal(20)}}, {"average_deal_size": Decimal(-1)}])
    def test_refuses_numbers_that_lead_nowhere(self, typed: dict[str, Any]) -> None:
        with pytest.raises(TemplateError):
            self.instantiate(**typed)
        assert not KpiTree.objects.exists()


class TestInstantiateRequested:
    def request(self, company: Any, **values: str) -> ProvisionRequest:
        return ProvisionRequest(company, "Acme", 4, 31, "JPY", "new_business", values, NOW)

    def test_fills_a_new_company_once(self, acme: Any) -> None:
        request = self.request(acme, kgi_amount="120000000", average_deal_size="1000000", win_rate="0.2")
        for _ in range(2):
            instantiate_requested(request)
        tree = KpiTree.objects.get()
        assert tree.fiscal_year == find_period("month", timezone.localdate(NOW)).fiscal_year.start_year
        assert sum(tree.nodes.get(code="closed_deals").targets.values_list("value", flat=True)) == 600

    def test_empty_and_zero_answers_count_as_not_given(self, acme: Any) -> None:
        instantiate_requested(self.request(acme, kgi_amount="0", win_rate=""))
        assert KpiTree.objects.get().status == "active"
        assert not Target.objects.exists()

    def test_refuses_what_is_no_number(self, acme: Any) -> None:
        with pytest.raises(TemplateError, match="lots"):
            instantiate_requested(self.request(acme, kgi_amount="lots"))


class TestUpdateTree:
    def test_the_year_stays_once_there_are_targets(self) -> None:
        tree = TestTemplate().instantiate()
        with pytest.raises(TreeError, match="2026"):
            update_tree(tree=tree, fiscal_year=2027, actor=None, now=NOW)
        assert update_tree(tree=tree, name="2026", actor=None, now=NOW).name == "2026"
