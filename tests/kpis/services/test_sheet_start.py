"""A client's sheet becomes metrics, nodes, targets and actuals: what was looked at, whole or not at all, and once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from kpis.choices import Level, PeriodState, TreeStatus
from kpis.engine.cross_tab import Kind, Reading, read_cross_tab
from kpis.models import (
    DimensionMember,
    KpiNode,
    KpiTree,
    ManualEntry,
    Metric,
    MetricVersion,
    Period,
    Target,
    TargetRequest,
    TargetRevision,
)
from kpis.selectors.sheet_start import (
    NOWHERE,
    StartChoices,
    StartPlan,
    Use,
    likely_tree,
    plan_start,
    propose_choices,
    sheet_context,
)
from kpis.services.sheet_start import SheetStartError, Started, start_from_sheet
from tenants.settings.models import CompanySettings
from tests.kpis.engine.sheets import SHEETS, grid
from tests.kpis.pages.conftest import send

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 16, 3, tzinfo=UTC)
TODAY = date(2026, 11, 16)
SHEET = SHEETS[0].cells
BY_PERSON = grid("""
 | 担当者 | 区分 | 2026年4月 | 5月
訪問数 | 佐藤 一郎 | 目標 | 10 | 10
 | | 実績 | 8 | 9
 | 鈴木 | 目標 | 20 | 20
 | | 実績 | 21 |
""")


@pytest.fixture(autouse=True)
def _in_acme(in_acme: Any) -> None:
    pass


def read(cells: list[list[str]]) -> tuple[Reading, StartChoices]:
    reading = read_cross_tab(cells, sheet_context(2026))
    tree = likely_tree(reading, fiscal_year=2026)
    return reading, propose_choices(reading, fiscal_year=2026, name="KPI.xlsx", tree=tree)


Change = Callable[[StartChoices], StartChoices]


def plan(cells: list[list[str]], change: Change = lambda choices: choices) -> StartPlan:
    reading, choices = read(cells)
    return plan_start(reading, change(choices), today=TODAY)


def start(cells: list[list[str]], change: Change = lambda choices: choices, actor: Any = None) -> Started:
    reading, choices = read(cells)
    choices = change(choices)
    seen = plan_start(reading, choices, today=TODAY).digest
    return start_from_sheet(reading=reading, choices=choices, seen=seen, source="From KPI.xlsx", actor=actor, now=NOW)


def refused(planned: StartPlan) -> list[tuple[str, str]]:
    return [(issue.field, issue.code) for issue in planned.refused]


def of_kpi(name: str, **fields: Any) -> Change:
    def change(choices: StartChoices) -> StartChoices:
        return replace(choices, kpis={**choices.kpis, name: replace(choices.kpis[name], **fields)})

    return change


def counts() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (KpiTree, Metric, KpiNode, Target, TargetRevision, ManualEntry))


def computed(name: str) -> Metric:
    metric = Metric.objects.create(code="computed", name=name, unit="count", accumulation="sum")
    spec = {"kind": "simple", "fact": "leads", "date": "created_on", "aggregate": "count"}
    MetricVersion.objects.create(metric=metric, number=1, spec=spec)
    return metric


class TestStart:
    def test_makes_a_draft_with_everything_in_the_sheet(self, dave: Any) -> None:
        started = start(SHEET, actor=dave)
        assert (started.metrics, started.nodes, started.targets, started.actuals) == (2, 3, 24, 18)
        tree = started.tree
        assert (tree.name, tree.fiscal_year, tree.status) == ("2026年度 営業KPI管理表", 2026, TreeStatus.DRAFT)
        goal, factor, leads = tree.nodes.order_by("position")
        assert [(node.level, node.name) for node in (goal, factor, leads)] == [
            (Level.KGI, "受注額"),
            (Level.KSF, factor.name),
            (Level.KPI, "新規リード数"),
        ]
        assert (factor.parent, leads.parent) == (goal, factor)
        assert (goal.metric.unit, goal.metric.accumulation, leads.metric.unit) == ("amount", "sum", "count")
        assert goal.metric.versions.get().spec == {"kind": "manual"}

    def test_the_previous_year_becomes_actuals_a_year_earlier(self) -> None:
        start(SHEET)
        entries = ManualEntry.objects.filter(metric__name="受注額").order_by("period_start")
        assert entries.count() == 15
        assert (entries[0].period_start, entries[0].value) == (date(2025, 4, 1), 8_000_000)

    def test_every_number_says_where_it_is_from(self, dave: Any) -> None:
        start(SHEET, actor=dave)
        entry = ManualEntry.objects.get(metric__name="受注額", period_start=date(2026, 4, 1))
        assert (entry.note, entry.entered_by) == ("From KPI.xlsx C5", dave)
        assert set(TargetRevision.objects.values_list("reason", "actor")) == {("From KPI.xlsx", dave.pk)}

    def test_a_blank_month_has_no_entry(self) -> None:
        start(SHEET)
        assert not ManualEntry.objects.filter(period_start=date(2026, 7, 1)).exists()

    def test_the_same_sheet_again_changes_nothing(self) -> None:
        start(SHEET)
        before = counts()
        assert plan(SHEET).is_empty
        started = start(SHEET)
        assert (started.metrics, started.nodes, started.targets, started.actuals) == (0, 0, 0, 0)
        assert counts() == before

    def test_numbers_with_more_digits_than_are_stored_do_not_change_every_time(self) -> None:
        cells = [["", "4月", "5月"], ["受注率", "0.333333333333333", "0.25"]]
        start(cells)
        assert plan(cells).is_empty

    def test_looking_stores_nothing(self) -> None:
        before = counts()
        assert not plan(SHEET).is_empty
        assert counts() == before

    def test_a_corrected_sheet_changes_what_differs_only(self) -> None:
        start(SHEET)
        corrected = [[cell.replace("9,800", "9,900") for cell in row] for row in SHEET]
        (number,) = plan(corrected).numbers
        assert (number.address, number.old, number.new) == ("C5", 9_800_000, 9_900_000)
        start(corrected)
        assert ManualEntry.objects.get(metric__name="受注額", period_start=date(2026, 4, 1)).value == 9_900_000

    def test_history_before_the_calendar_begins_is_taken(self) -> None:
        start(grid("| 2019年4月 | 5月\n訪問数 | 1 | 2"))
        assert ManualEntry.objects.count() == 2
        assert Period.objects.filter(grain="month", start_date=date(2019, 4, 1)).exists()


class TestWholeOrNotAtAll:
    def test_what_was_not_shown_is_not_made(self) -> None:
        reading, choices = read(SHEET)
        with pytest.raises(SheetStartError):
            start_from_sheet(reading=reading, choices=choices, seen="", source="x", actor=None, now=NOW)
        assert not Metric.objects.exists()

    def test_what_changed_since_it_was_shown_is_not_overwritten(self) -> None:
        start(SHEET)
        corrected = [[cell.replace("9,800", "9,900") for cell in row] for row in SHEET]
        reading, choices = read(corrected)
        seen = plan_start(reading, choices, today=TODAY).digest
        ManualEntry.objects.filter(metric__name="受注額", period_start=date(2026, 4, 1)).update(value=7)
        with pytest.raises(SheetStartError):
            start_from_sheet(reading=reading, choices=choices, seen=seen, source="x", actor=None, now=NOW)
        assert ManualEntry.objects.get(metric__name="受注額", period_start=date(2026, 4, 1)).value == 7

    def test_a_fault_in_the_middle_leaves_nothing_behind(self) -> None:
        before = counts()
        with pytest.raises(SheetStartError, match="gone"):
            start(SHEET, of_kpi("新規リード数", place="below:gone"))
        assert counts() == before


class TestCellsThatAreNotTaken:
    def test_a_closed_month_stays_and_the_rest_is_taken(self) -> None:
        Period.objects.filter(grain="month", start_date=date(2026, 5, 1)).update(state=PeriodState.CLOSED)
        planned = plan(SHEET)
        assert refused(planned) == [("D4", "locked"), ("D5", "locked"), ("D8", "locked"), ("D9", "locked")]
        assert start(SHEET).targets == 22
        assert not Target.objects.filter(period_start=date(2026, 5, 1)).exists()

    def test_a_closed_month_that_says_the_same_is_no_fault(self) -> None:
        start(SHEET)
        Period.objects.filter(grain="month", start_date=date(2026, 5, 1)).update(state=PeriodState.CLOSED)
        assert refused(plan(SHEET)) == []

    def test_a_zero_in_a_month_to_come_is_no_actual(self) -> None:
        planned = plan(grid("| 2026年11月 | 12月\n訪問数 | 5 | 0"))
        assert refused(planned) == [("C2", "not_begun")]
        assert [number.address for number in planned.numbers] == ["B2"]

    def test_targets_of_another_year_are_named_once_for_a_row(self) -> None:
        cells = grid("| | 2025年4月 | 5月 | 2026年4月 | 5月 | 6月\n訪問数 | 目標 | 1 | 2 | 3 | 4 | 5")
        planned = plan(cells)
        assert refused(planned) == [("C2", "other_year")]
        assert len(planned.numbers) == 3

    def test_what_is_computed_from_data_takes_targets_only(self) -> None:
        computed("新規リード数")
        planned = plan(SHEET)
        assert refused(planned) == [("C9", "computed")]
        assert start(SHEET).targets == 24
        assert not ManualEntry.objects.filter(metric__code="computed").exists()

    def test_an_actual_that_another_row_contradicts_is_named(self) -> None:
        cells = grid("| | 2025年4月 | 2026年4月\n訪問数 | 実績 | 10 | 12\n | 前年 | 9 | 11")
        planned = plan(cells)
        assert refused(planned) == [("D3", "said_twice")]
        assert [(number.address, number.new) for number in planned.numbers] == [("C2", 10), ("D2", 12), ("C3", 9)]

    def test_a_kpi_outside_the_tree_has_actuals_only(self) -> None:
        planned = plan(SHEET, of_kpi("新規リード数", place=NOWHERE))
        assert refused(planned) == [("C8", "no_target")]
        assert start(SHEET, of_kpi("新規リード数", place=NOWHERE)).nodes == 1

    def test_a_kpi_that_is_left_out_leaves_nothing(self) -> None:
        start(SHEET, of_kpi("新規リード数", use=Use.IGNORED))
        assert list(Metric.objects.values_list("name", flat=True)) == ["受注額"]

    def test_two_kpis_cannot_be_the_same_metric(self) -> None:
        start(SHEET)
        metric = Metric.objects.get(name="受注額")
        planned = plan(SHEET, of_kpi("新規リード数", use=Use.EXISTING, metric=metric))
        assert ("8", "same_metric") in refused(planned)
        assert [kpi.key for kpi in planned.kpis] == ["受注額"]


class TestRowsAndNames:
    def test_people_are_matched_by_name_or_left_out(self) -> None:
        send("people", {"external_id": "sato", "name": "佐藤　一郎"})
        start(BY_PERSON)
        sato = DimensionMember.objects.get(dimension__code="person", code="sato")
        assert sorted(ManualEntry.objects.exclude(member=None).values_list("member", "value")) == [
            (sato.pk, 8),
            (sato.pk, 9),
        ]
        assert set(Target.objects.exclude(member=None).values_list("member", flat=True)) == {sato.pk}

    def test_two_of_the_same_name_are_not_guessed(self) -> None:
        for external_id in ("a", "b"):
            send("people", {"external_id": external_id, "name": "鈴木"})
        _reading, choices = read(BY_PERSON)
        assert choices.segments == {"佐藤一郎": None, "鈴木": None}

    def test_without_a_total_the_company_is_the_sum_where_everybody_has_a_number(self) -> None:
        start(BY_PERSON)
        assert list(ManualEntry.objects.filter(member=None).values_list("period_start", "value")) == [
            (date(2026, 4, 1), Decimal(29))
        ]
        assert set(Target.objects.filter(member=None).values_list("value", flat=True)) == {Decimal(30)}

    def test_the_sum_is_left_out_where_somebody_says_so(self) -> None:
        assert not plan(BY_PERSON, of_kpi("訪問数", adds_up=False)).numbers

    def test_a_row_can_be_taken_for_something_else(self) -> None:
        cells = grid("| 2026年4月 | 5月\n訪問数 | 5 | 6")
        start(cells, lambda choices: replace(choices, kinds={"2.actual": Kind.TARGET}))
        assert (Target.objects.count(), ManualEntry.objects.count()) == (2, 0)

    def test_budget_and_target_stand_on_lines_of_their_own(self) -> None:
        start(grid("| | 2026年4月 | 5月\n訪問数 | 予算 | 5 | 6\n | 目標 | 7 | 8\n | 挑戦目標 | 9 | 9"))
        assert sorted(set(Target.objects.values_list("line", flat=True))) == ["budget", "stretch", "target"]

    def test_a_budget_alone_is_the_official_line(self) -> None:
        start(grid("| | 2026年4月 | 5月\n訪問数 | 予算 | 5 | 6"))
        assert set(Target.objects.values_list("line", flat=True)) == {"target"}

    def test_totals_tell_how_months_come_together(self) -> None:
        cells = grid("| 2026年4月 | 5月 | 期末 | 合計\n契約社数 | 5 | 6 | | 6\n訪問数 | 5 | 6 | | 11")
        _reading, choices = read(cells)
        assert [choice.accumulation for choice in choices.kpis.values()] == ["stock", "sum"]


class TestTreeInForce:
    def test_targets_that_need_approval_wait_and_actuals_hold(self, alice: Any) -> None:
        start(SHEET)
        KpiTree.objects.update(status=TreeStatus.ACTIVE)
        CompanySettings.objects.update(target_approval="one")
        changed = [[cell.replace("170", "180").replace("9,800", "9,900") for cell in row] for row in SHEET]
        started = start(changed, actor=alice)
        assert started.request == TargetRequest.objects.get()
        assert Target.objects.filter(value=180).count() == 0
        assert ManualEntry.objects.filter(value=9_900_000).exists()
