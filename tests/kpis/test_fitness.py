"""What is open about KPIs, kept with due dates, and the guidance beside a target."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from kpis.models import KpiFinding, KpiNode, ManualEntry, Metric, MetricVersion, Period, Person, Target
from kpis.selectors.fitness import find_findings, open_findings, read_guidance
from kpis.services.entries import enter_value
from kpis.services.fitness import ReviewError, check_kpis, check_tree, review_benchmark
from kpis.tasks import DUE_FITNESS, check_fitness
from tenants.models import Company, DueSync
from tests.kpis.test_checklist import NOW, TODAY, plant
from tests.remembering import remembered

pytestmark = pytest.mark.usefixtures("in_acme")


def found(node: KpiNode, today: date = TODAY) -> set[str]:
    return {finding.code for finding in find_findings(node.tree, today=today)[node]}


@pytest.fixture
@remembered
def kpi(in_acme: Any) -> KpiNode:
    """A manual win rate with an owner, a reason, somebody who moves it, and targets for the year."""
    node = plant().nodes.select_related("tree").get(level="kpi")
    rate = Metric.objects.create(code="win_rate", name="Win rate", unit="percent", accumulation="rate")
    MetricVersion.objects.create(metric=rate, number=1, spec={"kind": "manual"})
    node.metric, node.reason, node.controllable_by = rate, "Skill", {"field_sales": "full"}
    node.save()
    Target.objects.filter(node=node).update(value=Decimal("0.2"), initial_value=Decimal("0.2"))
    return node


def enter(node: KpiNode, values: list[str]) -> None:
    """One value for each of the last complete months, newest first."""
    months = Period.objects.filter(grain="month", end_date__lte=TODAY).order_by("-start_date")[: len(values)]
    for month, value in zip(months, values, strict=True):
        enter_value(
            metric=node.metric, grain="month", period_start=month.start_date, value=Decimal(value), actor=None, now=NOW
        )


class TestFindings:
    def test_a_sound_kpi_has_none(self, kpi: KpiNode) -> None:
        assert found(kpi) == set()

    def test_a_person_who_left_is_a_fault_from_that_day(self, kpi: KpiNode) -> None:
        Person.objects.update(left_on=TODAY)
        assert (found(kpi, TODAY - timedelta(days=1)), found(kpi)) == (set(), {"person_left"})

    def test_each_leads_to_where_it_is_mended(self, kpi: KpiNode) -> None:
        Target.objects.filter(node=kpi).delete()
        spec = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count"}
        MetricVersion.objects.filter(metric=kpi.metric).update(spec=spec)
        KpiNode.objects.filter(pk=kpi.pk).update(reason="")
        places = {each.code: each.url for each in open_findings(kpi.tree, today=TODAY) if each.node == kpi}
        assert places == {
            "no_source": "/data/",
            "no_target": f"/targets/?tree={kpi.tree.public_id}",
            "no_reason": f"/trees/{kpi.tree.public_id}/edit/?node={kpi.code}",
        }

    def test_the_target_is_held_against_the_own_history(self, kpi: KpiNode) -> None:
        enter(kpi, ["0.1"] * 6)
        assert found(kpi) == {"beyond_history"}
        ManualEntry.objects.update(value=Decimal("0.3"))
        assert found(kpi) == {"below_history"}

    def test_a_kpi_away_from_the_factors_is_named(self, kpi: KpiNode) -> None:
        KpiNode.objects.filter(pk=kpi.pk).update(parent=kpi.tree.nodes.get(level="kgi"))
        assert found(kpi) == {"off_goal"}


class TestCheck:
    def test_keeps_the_day_it_was_found_and_takes_off_what_was_settled(self, kpi: KpiNode) -> None:
        KpiNode.objects.filter(pk=kpi.pk).update(reason="", responsible=None)
        assert check_tree(tree=kpi.tree, today=TODAY) == 2
        assert check_tree(tree=kpi.tree, today=TODAY + timedelta(days=3)) == 2
        rows = KpiFinding.objects.values_list("code", "is_fault", "found_on", "due_on")
        assert set(rows) == {
            ("no_person", True, TODAY, TODAY),
            ("no_reason", False, TODAY, TODAY + timedelta(days=14)),
        }
        KpiNode.objects.filter(pk=kpi.pk).update(reason="Skill")
        assert check_tree(tree=kpi.tree, today=TODAY + timedelta(days=4)) == 1
        assert set(KpiFinding.objects.values_list("code", flat=True)) == {"no_person"}

    def test_looks_at_trees_in_force_only(self, kpi: KpiNode) -> None:
        KpiNode.objects.filter(pk=kpi.pk).update(reason="")
        kpi.tree.status = "draft"
        kpi.tree.save()
        assert check_kpis(now=NOW) == 0

    def test_comes_again_every_night(self, kpi: KpiNode, acme: Company) -> None:
        KpiNode.objects.filter(pk=kpi.pk).update(reason="")
        check_fitness.apply(kwargs={"company_id": str(acme.pk)}).get()
        assert KpiFinding.objects.count() == 1
        assert DueSync.objects.get(company_id=acme.pk, kind=DUE_FITNESS).next_run_at > datetime.now(UTC)


class TestGuidance:
    def test_own_quartiles_are_there_after_six_months(self, kpi: KpiNode) -> None:
        enter(kpi, ["0.10", "0.12", "0.14", "0.16"])
        guidance = read_guidance(kpi, today=TODAY)
        assert (guidance.own, guidance.months_missing) == (None, 2)
        enter(kpi, ["0.10", "0.12", "0.14", "0.16", "0.18", "0.20"])
        own = read_guidance(kpi, today=TODAY).own
        assert own is not None
        assert (own.median, own.count) == (Decimal("0.15"), 6)

    def test_a_review_replaces_the_one_before_and_needs_its_note(self, kpi: KpiNode) -> None:
        for verdict in ("consulted", "own_history"):
            review_benchmark(node=kpi, verdict=verdict, note="We stay at 20 %.", actor=None, now=NOW)
        review = read_guidance(kpi, today=TODAY).review
        assert review is not None and review.verdict == "own_history"
        with pytest.raises(ReviewError) as refused:
            review_benchmark(node=kpi, verdict="maybe", note=" ", actor=None, now=NOW)
        assert [issue.field for issue in refused.value.issues] == ["verdict", "note"]
