"""Trees from templates: for a new company, as a draft, with driver KPIs."""

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from kpis.engine.templates import NEW_BUSINESS, TEMPLATES, Template
from kpis.models import KpiTree, Metric, Target
from kpis.selectors.calendar import find_period
from kpis.selectors.trees import tree_issues
from kpis.services.definitions import create_metric
from kpis.services.templates import (
    TemplateError,
    add_driver,
    draft_template,
    instantiate_requested,
    instantiate_template,
    typed_fields,
)
from kpis.services.trees import create_tree
from tenants.registry import ProvisionRequest, templates

pytestmark = pytest.mark.usefixtures("in_acme")
NOW = timezone.now()
OFFERED = list(TEMPLATES.values())
EACH = pytest.mark.parametrize("template", OFFERED, ids=lambda template: template.style)


def metric(code: str) -> Metric:
    return create_metric(
        code=code, name=code.title(), unit="count", accumulation="sum", spec={"kind": "manual"}, actor=None, now=NOW
    )


class TestEveryTemplate:
    def draft(self, template: Template) -> KpiTree:
        return draft_template(template=template, fiscal_year=2026, language="en", actor=None, now=NOW)

    @EACH
    def test_activates_unchanged_on_a_new_company(self, template: Template, acme: Any) -> None:
        values = {field.code: "0.2" if field.unit == "percent" else "12000000" for field in typed_fields(template)}
        instantiate_requested(ProvisionRequest(acme, "Acme", 4, 31, "JPY", template.style, values, NOW))
        tree = KpiTree.objects.get()
        assert (tree.status, tree.style) == ("active", template.style)
        assert sum(tree.nodes.get(code=template.goal).targets.values_list("value", flat=True)) == 12_000_000

    @EACH
    def test_can_stand_beside_others_as_a_draft(self, template: Template) -> None:
        trees = [self.draft(each) for each in OFFERED]
        assert {tree.status for tree in trees} == {"draft"}
        assert {issue.code for issue in tree_issues(trees[0])} == {"no_responsible", "no_target", "no_source"}

    @EACH
    def test_takes_its_drivers_one_by_one(self, template: Template) -> None:
        tree = self.draft(template)
        for driver in template.drivers:
            node = add_driver(tree=tree, driver=driver, language="ja", actor=None, now=NOW)
            assert (node.parent.code, node.name) == (driver.node.parent, driver.node.name.japanese)
        assert not any(issue.code == "wrong_parent" for issue in tree_issues(tree))

    def test_a_driver_goes_below_the_first_factor_where_its_own_is_not_there(self) -> None:
        driver = NEW_BUSINESS.drivers[0]
        tree = self.draft(TEMPLATES["referral"])
        assert add_driver(tree=tree, driver=driver, language="en", actor=None, now=NOW).parent.code == "introductions"
        bare = create_tree(name="Bare", fiscal_year=2026, actor=None, now=NOW)
        with pytest.raises(TemplateError, match="KSF"):
            add_driver(tree=bare, driver=driver, language="en", actor=None, now=NOW)

    def test_the_registry_offers_exactly_what_can_be_computed(self) -> None:
        assert {each.code for each in templates if each.instantiate} == {template.style for template in OFFERED}
        assert {each.code for each in templates} == set(TEMPLATES)


class TestTemplate:
    def instantiate(self, **changes: Any) -> KpiTree:
        typed: dict[str, Any] = {
            "kgi_amount": Decimal(120_000_000),
            "rates": {"win_rate": Decimal("0.2"), "opportunity_rate": Decimal("0.25")},
            "size": Decimal(1_000_000),
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
        self.instantiate(kgi_amount=None, rates={}, size=None)
        assert not Target.objects.exists()

    def test_a_rate_without_a_goal_is_the_only_target(self) -> None:
        self.instantiate(kgi_amount=None, size=None, rates={"win_rate": Decimal("0.2")})
        assert set(Target.objects.values_list("node__code", flat=True)) == {"win_rate"}

    def test_uses_the_metrics_that_are_there(self) -> None:
        mine = metric("bookings")
        assert self.instantiate().nodes.get(code="bookings").metric == mine

    @pytest.mark.parametrize("typed", [{"rates": {"win_rate": Decimal(20)}}, {"size": Decimal(-1)}])
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
