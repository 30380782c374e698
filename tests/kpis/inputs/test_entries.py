"""Typed values: a number or the reason why there is none, taken back, and read by the matrix."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from auditlog.models import LogEntry
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.inputs import REMIND_AFTER, TELL_AFTER, TOLD, Reminded, next_reminder, typed_together
from kpis.engine.values import Absence
from kpis.models import KpiNode, ManualEntry
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.services.copies import copy_tree
from kpis.services.entries import EntryChangedError, EntryError, enter_value, withdraw_value
from kpis.services.trees import TreeError, update_node
from tests.kpis.inputs.conftest import NOW, OCTOBER, SEPTEMBER, Visits, close, person

pytestmark = pytest.mark.django_db
AUGUST, JULY = date(2026, 8, 1), date(2026, 7, 1)


def enter(visits: Visits, start: date = OCTOBER, value: int | None = None, **more: Any) -> ManualEntry:
    typed = None if value is None else Decimal(value)
    return enter_value(metric=visits.metric, period_start=start, value=typed, actor=None, now=NOW, **more)


def shown(visits: Visits, grain: str, start: date) -> Decimal | str | None:
    """What the matrix says of the company."""
    query = MatrixQuery(
        tree=visits.node.tree, grain=grain, start=start, end=date(2026, 12, 1), codes=["visits"], is_live=True
    )
    matrix = build_matrix(query, now=NOW)
    return matrix.value[0][0][0] if matrix.absence[0][0][0] is None else str(matrix.absence[0][0][0])


class TestNoValue:
    def test_the_reason_is_said_in_place_of_a_number(self, visits: Visits) -> None:
        enter(visits, absence="no_denominator", note="展示会が中止")
        assert shown(visits, "month", OCTOBER) == "no_denominator"

    def test_a_quarter_with_a_month_without_data_has_no_sum(self, visits: Visits) -> None:
        enter(visits, JULY, 3)
        enter(visits, AUGUST, absence="missing", note="記録なし")
        enter(visits, SEPTEMBER, 4)
        assert shown(visits, "quarter", JULY) == "missing"

    def test_a_month_that_does_not_apply_is_left_out_of_the_sum(self, visits: Visits) -> None:
        enter(visits, JULY, absence="not_applicable", note="8月から測定")
        enter(visits, AUGUST, 3)
        enter(visits, SEPTEMBER, 4)
        assert shown(visits, "quarter", JULY) == 7

    def test_needs_the_reason_in_words(self, visits: Visits) -> None:
        with pytest.raises(EntryError) as refused:
            enter(visits, absence="missing", note=" ")
        assert [issue.field for issue in refused.value.issues] == ["note"]

    @pytest.mark.parametrize("said", [{}, {"value": 3, "absence": "missing", "note": "?"}])
    def test_refuses_neither_and_both(self, visits: Visits, said: dict[str, Any]) -> None:
        with pytest.raises(EntryError):
            enter(visits, **said)
        assert visits.entry() is None


class TestTakingBack:
    def test_the_cell_is_open_again(self, visits: Visits) -> None:
        entry = enter(visits, value=0)
        assert shown(visits, "month", OCTOBER) == 0
        withdraw_value(entry=entry, seen_at=NOW, actor=None, now=NOW)
        assert shown(visits, "month", OCTOBER) == "missing"

    def test_what_somebody_else_has_typed_since_stays(self, visits: Visits, dave: Any) -> None:
        entry = enter(visits, value=3)
        ManualEntry.objects.update(value=5, entered_by=dave, entered_at=NOW.replace(hour=4))
        with pytest.raises(EntryChangedError, match="Dave"):
            withdraw_value(entry=entry, seen_at=NOW, actor=None, now=NOW)
        assert ManualEntry.objects.get().value == 5

    def test_a_closed_period_keeps_its_value(self, visits: Visits) -> None:
        entry = enter(visits, value=3)
        close()
        with pytest.raises(EntryError, match="確定済み"):
            withdraw_value(entry=entry, actor=None, now=NOW)

    def test_every_change_is_in_the_audit(self, visits: Visits) -> None:
        entry = enter(visits, value=3)
        enter(visits, value=4)
        withdraw_value(entry=entry, actor=None, now=NOW)
        rows = LogEntry.objects.filter(object_id=entry.pk, content_type__model="manualentry")
        assert [row.action for row in rows.order_by("id")] == [
            LogEntry.Action.CREATE,
            LogEntry.Action.UPDATE,
            LogEntry.Action.DELETE,
        ]


def test_the_first_of_two_who_type_at_once_stays(visits: Visits, dave: Any) -> None:
    enter_value(metric=visits.metric, period_start=OCTOBER, value=Decimal(3), actor=dave, now=NOW, is_first=True)
    with pytest.raises(EntryChangedError, match="Dave"):
        enter(visits, value=5, is_first=True)
    assert ManualEntry.objects.get().value == 3


class TestWhoIsAsked:
    def test_goes_along_to_the_next_year(self, visits: Visits) -> None:
        update_node(node=visits.node, due_business_day=7, entered_for="team", actor=None, now=NOW)
        copy = copy_tree(tree=visits.node.tree, fiscal_year=2027, name="2027年度", actor=None, now=NOW)
        node = KpiNode.objects.get(tree=copy, code="visits")
        assert (node.due_business_day, node.entered_for, node.deputy) == (7, "team", person("alice"))

    def test_refuses_a_day_that_not_every_month_has(self, visits: Visits) -> None:
        with pytest.raises(TreeError, match="25"):
            update_node(node=visits.node, due_business_day=26, actor=None, now=NOW)


VALUES = st.one_of(st.integers(0, 999).map(Decimal), st.sampled_from(Absence))


class TestEngine:
    @given(st.lists(VALUES, min_size=1))
    def test_a_sum_is_of_all_that_apply_or_none(self, values: list[Any]) -> None:
        said = typed_together(values, "sum")
        counted = [each for each in values if each is not Absence.NOT_APPLICABLE]
        if all(isinstance(each, Decimal) for each in counted) and counted:
            assert said == sum(counted)
        else:
            assert isinstance(said, Absence)

    @given(st.lists(st.integers(0, 3), max_size=60))
    def test_reminders_come_to_an_end(self, gaps: list[int]) -> None:
        """However the days fall at which the clock comes by: each number once, in order, none before it is due."""
        reminded, numbers, late = Reminded(), [], 0
        for ordinal, gap in enumerate(gaps, start=1):
            late += gap
            today = date.fromordinal(700_000 + ordinal)
            number = next_reminder(reminded, late_by=late, today=today)
            if number is not None:
                assert late >= (TELL_AFTER if number == TOLD else REMIND_AFTER[number - 1])
                numbers.append(number)
                reminded = Reminded(number, today)
        assert numbers == sorted(set(numbers))
        assert len(numbers) <= TOLD
