"""The checklist of the KPI floor: each item follows the state of the company, both ways."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client

from kpis.choices import Level
from kpis.models import FactStream, KpiNode, KpiTree, Metric, MetricVersion, Period, Person, Target
from kpis.selectors import checklist as items
from kpis.services.copies import copy_tree
from kpis.services.facts import upsert_facts
from kpis.services.fitness import check_kpis, review_benchmark
from kpis.services.recompute import recompute
from tenants.accounts.models import User
from tenants.models import Company
from tenants.registry import ItemStatus, checklist

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
SPEC = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count"}

pytestmark = [pytest.mark.django_db]


def plant(year: int = 2026, *, reason: str = "only new customers grow us") -> KpiTree:
    """A whole small tree: one KGI with a year of targets, one KSF, one KPI."""
    tree = KpiTree.objects.create(name="tree", fiscal_year=year, status="active")
    metric = Metric.objects.create(code="won", name="won", unit="count", accumulation="sum")
    MetricVersion.objects.create(metric=metric, number=1, spec=SPEC)
    person = Person.objects.create(source="crm", external_id="P", name="Aoi", recorded_at=NOW, changed_at=NOW)
    fields = {"tree": tree, "responsible": person}
    goal = KpiNode.objects.create(level=Level.KGI, code="won", name="won", metric=metric, **fields)
    factor = KpiNode.objects.create(level=Level.KSF, code="new", name="new", parent=goal, reason=reason, **fields)
    KpiNode.objects.create(level=Level.KPI, code="won2", name="won2", metric=metric, parent=factor, **fields)
    for node in tree.nodes.exclude(metric=None):
        for period in Period.objects.filter(grain="month", fiscal_year__start_year=year):
            Target.objects.create(node=node, period_start=period.start_date, value=10, initial_value=10)
    return tree


@pytest.mark.usefixtures("in_acme")
class TestItems:
    def test_nothing_has_begun_in_a_new_company(self) -> None:
        for check in (items.check_goal, items.check_factors, items.check_worked_back, items.check_trends):
            assert check(TODAY).status == ItemStatus.NOT_STARTED

    def test_the_goal_needs_a_whole_year_of_targets(self) -> None:
        tree = plant()
        assert items.check_goal(TODAY).status == ItemStatus.DONE
        Target.objects.filter(node__tree=tree).first().delete()
        assert items.check_goal(TODAY).status == ItemStatus.IN_PROGRESS

    def test_a_tree_of_last_year_is_a_step_back(self) -> None:
        plant(2025)
        assert items.check_goal(TODAY).status == ItemStatus.REGRESSED

    def test_a_factor_says_why_and_has_a_kpi(self) -> None:
        tree = plant(reason="")
        assert "new" in str(items.check_factors(TODAY).next_step)
        tree.nodes.filter(level=Level.KSF).update(reason="because")
        assert items.check_factors(TODAY).status == ItemStatus.DONE
        tree.nodes.filter(level=Level.KPI).delete()
        assert items.check_factors(TODAY).status == ItemStatus.IN_PROGRESS

    def test_worked_back_stays_in_progress_and_names_what_hangs_loose(self) -> None:
        tree = plant()
        assert items.check_worked_back(TODAY).status == ItemStatus.IN_PROGRESS
        tree.nodes.filter(level=Level.KPI).update(parent=None)
        assert "won2" in str(items.check_worked_back(TODAY).next_step)

    def test_controllable_asks_who_and_why_then_for_a_share_moved_entirely(self) -> None:
        tree = plant()
        kpis = tree.nodes.filter(level=Level.KPI)
        assert "won2" in str(items.check_controllable(TODAY).next_step)
        kpis.update(reason="base", controllable_by={"marketing": "partial"})
        assert items.check_controllable(TODAY).status == ItemStatus.IN_PROGRESS
        kpis.update(controllable_by={"marketing": "full"})
        assert items.check_controllable(TODAY).status == ItemStatus.DONE

    def test_smart_counts_missing_facts_at_once_and_remarks_when_overdue(self) -> None:
        tree = plant()
        stream = FactStream.objects.create(source="crm", fact="deals", last_success_at=NOW)
        check_kpis(now=NOW)
        assert items.check_smart(TODAY).status == ItemStatus.DONE, "remarks have their time"
        late = items.check_smart(TODAY + timedelta(days=15))
        assert (late.status, "won2" in str(late.next_step)) == (ItemStatus.IN_PROGRESS, True)
        assert f"/trees/{tree.public_id}/edit/?node=won2" in late.next_step_url
        tree.nodes.filter(level=Level.KPI).update(reason="base", controllable_by={"marketing": "full"})
        assert items.check_smart(TODAY + timedelta(days=15)).status == ItemStatus.DONE
        stream.delete()
        assert items.check_smart(TODAY).status == ItemStatus.IN_PROGRESS

    def test_benchmarks_are_looked_at_by_somebody_each_year(self) -> None:
        tree = plant()
        assert items.check_benchmarks(TODAY).status == ItemStatus.DONE, "no KPI has one"
        rate = Metric.objects.create(code="win_rate", name="Win rate", unit="percent", accumulation="rate")
        node = tree.nodes.get(level=Level.KPI)
        node.metric = rate
        node.save()
        assert items.check_benchmarks(TODAY).status == ItemStatus.IN_PROGRESS
        review_benchmark(node=node, verdict="own_history", note="Ours is higher.", actor=None, now=NOW)
        assert items.check_benchmarks(TODAY).status == ItemStatus.DONE
        copy = copy_tree(tree=tree, fiscal_year=2027, name="next", actor=None, now=NOW)
        KpiTree.objects.filter(pk=copy.pk).update(status="active")
        assert items.check_benchmarks(date(2027, 5, 1)).status == ItemStatus.EXPIRED

    def test_target_stands_beside_actual_where_data_comes(self) -> None:
        plant()
        assert items.check_target_beside_actual(TODAY).status == ItemStatus.IN_PROGRESS
        deal = {"external_id": "1", "created_on": "2026-10-30", "closed_on": "2026-11-03", "outcome": "won"}
        upsert_facts(resource="deals", source="crm", records=[deal], now=NOW)
        recompute(now=NOW)
        assert items.check_target_beside_actual(TODAY).status == ItemStatus.DONE

    def test_trends_need_six_periods(self) -> None:
        plant()
        deal = {"external_id": "1", "created_on": "2026-08-30", "closed_on": "2026-11-03", "outcome": "won"}
        upsert_facts(resource="deals", source="crm", records=[deal], now=NOW)
        recompute(now=NOW)
        assert items.check_trends(TODAY).status == ItemStatus.IN_PROGRESS
        upsert_facts(resource="deals", source="crm", records=[deal | {"created_on": "2026-01-30"}], now=NOW)
        assert items.check_trends(TODAY).status == ItemStatus.DONE

    def test_segments_are_filled_or_named(self) -> None:
        deal = {"external_id": "1", "created_on": "2026-10-30", "lead_source": "Web", "sales_channel": "direct"}
        upsert_facts(resource="deals", source="crm", records=[deal], now=NOW)
        recompute(now=NOW)
        assert items.check_segments(TODAY).status == ItemStatus.IN_PROGRESS
        upsert_facts(resource="deals", source="crm", records=[deal | {"customer_type": "new"}], now=NOW)
        recompute(now=NOW)
        assert items.check_segments(TODAY).status == ItemStatus.DONE


class TestPage:
    def test_all_items_are_there_for_the_owner(
        self, dave: User, acme: Company, client_for: Callable[..., Client]
    ) -> None:
        assert list(checklist.names()) == [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 15, 16, 17, 18]
        assert client_for(dave, acme).get("/checklist/").status_code == 200

    def test_a_member_is_not_shown_it(self, bob: User, acme: Company, client_for: Callable[..., Client]) -> None:
        assert client_for(bob, acme).get("/checklist/").status_code == 403
