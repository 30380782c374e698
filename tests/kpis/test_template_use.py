"""A company follows a template: a draft first, later versions offered, taken or declined; its own changes stay."""

import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from kpis.engine.specs import Formula
from kpis.engine.templates import NEW_BUSINESS, Suggestion, TemplateDocument, TemplateNode, Text, document_of
from kpis.engine.templates.editing import put_benchmarks, put_metric, put_node, put_suggestion, remove_node
from kpis.models import KpiTree, LockedCell, Metric, Period, Target, TemplateUse
from kpis.selectors.calendar import find_period
from kpis.selectors.template_use import benchmarks_of_tree, preview_offer, read_template, template_suggestions
from kpis.services.copies import copy_tree
from kpis.services.definitions import update_metric
from kpis.services.template_use import (
    OfferError,
    TemplateCopy,
    create_from_copy,
    decline_offer,
    offer_template,
    take_offer,
)
from kpis.services.trees import TreeError, activate_tree, create_node, retire_tree, update_node
from tenants.outbox.models import Event
from tenants.registry import ProvisionRequest
from tests.remembering import remembered

pytestmark = pytest.mark.usefixtures("in_acme")
NOW = timezone.now()
TEMPLATE_ID = uuid.UUID(int=7)
FIRST = document_of(NEW_BUSINESS)


def copy(document: TemplateDocument = FIRST, version: int = 1) -> TemplateCopy:
    return TemplateCopy(TEMPLATE_ID, "ours", "Ours", version, document)


def offer(document: TemplateDocument, version: int) -> str:
    return offer_template(copy=copy(document, version), offer_id=uuid.uuid4(), actor=None, now=NOW)


def take() -> Any:
    return take_offer(use=TemplateUse.objects.get(), actor=None, now=NOW)


def renamed(document: TemplateDocument, code: str, name: str) -> TemplateDocument:
    node = next(each for each in document.template.nodes if each.code == code)
    return put_node(document, replace(node, name=Text(name, name)), replaces=code)


def redefined(document: TemplateDocument, code: str, expression: str) -> TemplateDocument:
    metric = next(each for each in document.template.metrics if each.code == code)
    return put_metric(document, replace(metric, spec=Formula(expression)))


@pytest.fixture
@remembered
def tree(in_acme: Any) -> KpiTree:
    """A tree in force that follows version 1."""
    values = {"kgi_amount": "12000000", "average_deal_size": "1000000", "win_rate": "0.2"}
    create_from_copy(request=ProvisionRequest(in_acme, "Acme", 4, 31, "JPY", "ours", values, NOW), copy=copy())
    Event.objects.all().delete()
    return KpiTree.objects.get()


def close_a_month_of(tree: KpiTree, code: str) -> LockedCell:
    metric = tree.nodes.get(code=code).metric
    period = find_period("month", timezone.localdate(NOW))
    return LockedCell.objects.create(
        node=tree.nodes.get(code=code),
        metric_version=metric.versions.get(),
        dimension="company",
        grain="month",
        period_start=period.start_date,
        value=Decimal(1),
        status="met",
        content_hash="x",
        locked_at=NOW,
    )


class TestFirstTime:
    def test_becomes_a_draft_that_somebody_puts_in_force(self) -> None:
        assert offer(FIRST, 1) == "drafted"
        tree = KpiTree.objects.get()
        assert (tree.status, tree.template_use.version) == ("draft", 1)
        assert offer(FIRST, 1) == "unchanged", "delivered twice"
        assert KpiTree.objects.count() == 1

    def test_another_draft_has_to_wait_for_the_first(self) -> None:
        offer(FIRST, 1)
        with pytest.raises(OfferError, match="1"):
            offer(renamed(FIRST, "mql", "MQLs"), 2)
        retire_tree(tree=KpiTree.objects.get(), actor=None, now=NOW)
        assert offer(renamed(FIRST, "mql", "MQLs"), 2) == "drafted"

    def test_a_new_company_has_it_in_force_once(self, tree: KpiTree, in_acme: Any) -> None:
        create_from_copy(request=ProvisionRequest(in_acme, "Acme", 4, 31, "JPY", "ours", {}, NOW), copy=copy())
        assert KpiTree.objects.get().status == "active"
        assert sum(Target.objects.filter(node__code="won_deals").values_list("value", flat=True)) == 12

    def test_metrics_come_after_those_that_their_formulas_name(self) -> None:
        backwards = replace(FIRST, template=replace(NEW_BUSINESS, metrics=NEW_BUSINESS.metrics[::-1]))
        assert offer(backwards, 1) == "drafted"

    def test_next_years_copy_follows_the_same_template(self, tree: KpiTree) -> None:
        made = copy_tree(tree=tree, fiscal_year=tree.fiscal_year + 1, name="Next", actor=None, now=NOW)
        assert made.template_use.version == 1


class TestOffer:
    def test_changes_nothing_until_it_is_taken(self, tree: KpiTree) -> None:
        assert offer(renamed(FIRST, "mql", "Qualified"), 2) == "offered"
        assert tree.nodes.get(code="mql").name != "Qualified"
        take()
        assert tree.nodes.get(code="mql").name == "Qualified"
        use = TemplateUse.objects.get()
        assert (use.version, use.is_offered) == (2, False)

    def test_the_same_version_changes_nothing(self, tree: KpiTree) -> None:
        assert offer(FIRST, 1) == "unchanged"

    def test_own_changes_stay_and_are_named(self, tree: KpiTree) -> None:
        update_node(node=tree.nodes.get(code="mql"), name="うちのMQL", actor=None, now=NOW)
        create_node(
            tree=tree,
            parent=tree.nodes.get(code="new_customers"),
            level="kpi",
            code="extra",
            name="Extra",
            metric=Metric.objects.get(code="mql"),
            actor=None,
            now=NOW,
        )
        new = renamed(renamed(FIRST, "mql", "Theirs"), "sql", "Accepted")
        preview = preview_offer(template_id=TEMPLATE_ID, document=new)
        assert [(change.code, change.field) for change in preview.merge.kept] == [("mql", "name")]
        offer(new, 2)
        take()
        names = dict(tree.nodes.values_list("code", "name"))
        assert (names["mql"], names["sql"], names["extra"]) == ("うちのMQL", "Accepted", "Extra")
        assert read_template(NOW)["template_deviation_count"] == 2

    def test_a_definition_holds_from_the_next_month_and_closed_numbers_stay(self, tree: KpiTree) -> None:
        cell = close_a_month_of(tree, "win_rate")
        new = redefined(FIRST, "win_rate", "won_deals / (closed_deals + 1)")
        offer(new, 2)
        take()
        versions = list(Metric.objects.get(code="win_rate").versions.order_by("number"))
        month = find_period("month", timezone.localdate(NOW))
        assert [version.effective_from for version in versions] == [None, month.end_date]
        assert versions[0].spec["expression"] == "won_deals / closed_deals"
        cell.refresh_from_db()
        assert cell.metric_version == versions[0]

    def test_adds_moves_and_removes_in_place(self, tree: KpiTree) -> None:
        kept = tree.nodes.get(code="win_rate")
        driver = NEW_BUSINESS.drivers[1]
        new = put_node(put_metric(remove_node(FIRST, "mql"), driver.metric), driver.node)
        moved = next(each for each in new.template.nodes if each.code == "win_rate")
        new = put_node(new, replace(moved, parent="customer_value"), replaces="win_rate")
        offer(new, 2)
        taking = take()
        codes = set(tree.nodes.values_list("code", flat=True))
        assert "mql" not in codes and "qualified_deals" in codes and not taking.left
        kept.refresh_from_db()
        assert kept.parent.code == "customer_value" and kept.targets.exists()

    def test_what_has_closed_numbers_is_not_removed(self, tree: KpiTree) -> None:
        close_a_month_of(tree, "mql")
        offer(remove_node(FIRST, "mql"), 2)
        assert [change.kept for change in take().merge.kept] == ["closed_numbers"]
        assert tree.nodes.filter(code="mql").exists()

    def test_a_new_formula_brings_its_parts(self, tree: KpiTree) -> None:
        driver = NEW_BUSINESS.drivers[2]
        new = put_metric(FIRST, driver.metric)
        node = TemplateNode("per_deal", "kpi", Text("Per deal", "商談あたり"), "new_customers", "per_deal")
        metric = replace(driver.metric, code="per_deal", spec=Formula("proposals / won_deals"))
        offer(put_node(put_metric(new, metric), node), 2)
        take()
        assert Metric.objects.filter(code__in=["proposals", "per_deal"]).count() == 2

    def test_a_tree_that_is_retired_takes_nothing_any_more(self, tree: KpiTree) -> None:
        offer(renamed(FIRST, "mql", "Qualified"), 2)
        retire_tree(tree=tree, actor=None, now=NOW)
        with pytest.raises(OfferError):
            take()

    def test_a_tree_that_would_break_stays_as_it_is(self, tree: KpiTree) -> None:
        update_node(node=tree.nodes.get(code="bookings"), name="うちの受注", actor=None, now=NOW)
        goal = FIRST.template.nodes[0]
        offer(put_node(FIRST, replace(goal, code="sales_goal"), replaces=goal.code), 2)
        with pytest.raises(TreeError, match="KGI"):
            take()
        assert not tree.nodes.filter(code="sales_goal").exists()
        assert TemplateUse.objects.get().is_offered

    def test_can_be_declined(self, tree: KpiTree) -> None:
        offer(renamed(FIRST, "mql", "Qualified"), 2)
        offer_id = TemplateUse.objects.get().offer_id
        decline_offer(use=TemplateUse.objects.get(), actor=None, now=NOW)
        assert (TemplateUse.objects.get().version, TemplateUse.objects.get().is_offered) == (1, False)
        assert Event.objects.get(topic="template.declined").object_id == str(offer_id)
        with pytest.raises(OfferError):
            take()


class TestGuidance:
    def test_the_tree_shows_its_templates_own_figures(self, tree: KpiTree) -> None:
        figure = replace(FIRST.benchmarks_of("win_rate")[0], low=Decimal("0.4"), high=Decimal("0.5"))
        new = put_benchmarks(FIRST, "win_rate", [figure])
        assert benchmarks_of_tree(tree, "win_rate")[0].low == Decimal("0.15")
        assert preview_offer(template_id=TEMPLATE_ID, document=new).is_guidance_changed
        offer(new, 2)
        take()
        assert benchmarks_of_tree(tree, "win_rate")[0].low == Decimal("0.4")

    def test_suggests_what_the_template_suggests(self, tree: KpiTree) -> None:
        suggestion = Suggestion("win_rate", causes=(Text("Price", "価格"),))
        offer(put_suggestion(FIRST, suggestion), 2)
        take()
        assert template_suggestions("win_rate") == [("Ours", suggestion)]
        from reviews.selectors.suggestions import suggestions_for

        assert suggestions_for(Metric.objects.get(code="win_rate")).causes[0].text == "価格"

    def test_the_summary_names_version_and_own_changes(self, tree: KpiTree) -> None:
        assert read_template(NOW) == {
            "template_id": TEMPLATE_ID,
            "template_name": "Ours",
            "template_version": 1,
            "template_deviation_count": 0,
        }
        update_metric(metric=Metric.objects.get(code="mql"), spec={"kind": "manual"}, actor=None, now=NOW)
        assert read_template(NOW)["template_deviation_count"] == 1

    def test_without_a_template_there_is_none(self) -> None:
        assert read_template(NOW)["template_id"] is None
        assert Period.objects.exists()

    def test_a_draft_is_not_in_use(self) -> None:
        offer(FIRST, 1)
        assert read_template(NOW)["template_version"] is None
        activate_tree(tree=KpiTree.objects.get(), facts_may_follow=True, actor=None, now=NOW)
        assert read_template(NOW)["template_version"] == 1
