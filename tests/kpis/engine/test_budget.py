"""Running totals of a year: nothing is guessed where a month is not known, no rate is a mean of rates."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.budget import BudgetPart, cumulate, variance, year_on_year

COUNTS = st.integers(0, 10**6).map(Decimal)


def values(accumulation: str, *given: int | None) -> list[Decimal | None]:
    parts = [BudgetPart(None if value is None else Decimal(value)) for value in given]
    return [part.value for part in cumulate(accumulation, parts)]


class TestCumulate:
    @given(st.lists(COUNTS, min_size=1, max_size=12))
    def test_the_last_running_total_is_the_year(self, months: list[Decimal]) -> None:
        parts = [BudgetPart(month, target=month) for month in months]
        last = cumulate("sum", parts)[-1]
        assert last.value == last.target == sum(months)

    def test_an_unknown_month_ends_what_is_known(self) -> None:
        assert values("sum", 10, None, 5) == [10, None, None]

    @pytest.mark.parametrize("reason", ["maturing", "no_rate", "too_few", "error"])
    def test_the_first_unknown_month_is_the_reason(self, reason: str) -> None:
        parts = [BudgetPart(Decimal(1)), BudgetPart(absence=reason, cases=Decimal(3)), BudgetPart(absence="missing")]
        found = cumulate("sum", parts)
        assert [(part.absence, part.cases) for part in found] == [(None, None), (reason, 3), (reason, 3)]

    def test_what_does_not_add_up_has_no_running_total(self) -> None:
        first, second = cumulate("sum", [BudgetPart(Decimal(4)), BudgetPart(Decimal(4))], is_additive=False)
        assert (first.value, first.absence) == (4, None)
        assert (second.value, second.absence) == (None, "not_applicable")

    def test_a_stock_is_its_last_level(self) -> None:
        assert values("stock", 10, None, 5) == [10, None, 5]

    @given(st.lists(st.tuples(COUNTS, COUNTS.filter(bool)), min_size=1, max_size=12))
    def test_a_rate_is_all_cases_over_all(self, months: list[tuple[Decimal, Decimal]]) -> None:
        parts = [BudgetPart(above / below, above, below) for above, below in months]
        last = cumulate("rate", parts)[-1].value
        assert last == sum(above for above, _ in months) / sum(below for _, below in months)

    def test_a_month_without_cases_adds_none(self) -> None:
        parts = [BudgetPart(Decimal("0.5"), Decimal(1), Decimal(2)), BudgetPart(None, Decimal(0), Decimal(0))]
        assert cumulate("rate", parts)[-1].value == Decimal("0.5")

    def test_a_rate_without_sides_has_no_running_total(self) -> None:
        assert values("average", 5, 7) == [5, None]
        assert cumulate("average", [BudgetPart(Decimal(5)), BudgetPart(Decimal(7))])[1].absence == "not_applicable"

    def test_a_cohort_that_may_still_convert_waits(self) -> None:
        whole = BudgetPart(Decimal("0.5"), Decimal(1), Decimal(2))
        young = BudgetPart(None, Decimal(0), Decimal(9), absence="maturing")
        assert [part.absence for part in cumulate("rate", [whole, young, whole])] == [None, "maturing", "maturing"]

    def test_months_without_cases_add_none_and_alone_are_no_cases(self) -> None:
        none, whole = BudgetPart(absence="no_denominator"), BudgetPart(Decimal(6), Decimal(12), Decimal(2))
        assert [part.value for part in cumulate("average", [none, whole, none])] == [None, 6, 6]
        assert cumulate("average", [none, none])[1].absence == "no_denominator"

    def test_nps_stays_in_points(self) -> None:
        answers = BudgetPart(Decimal(50), Decimal(5), Decimal(10))
        assert cumulate("average", [answers, answers], factor=Decimal(100))[1].value == 50

    def test_targets_of_a_rate_hold_only_while_they_are_the_same(self) -> None:
        parts = [BudgetPart(target=Decimal(each)) for each in ("0.2", "0.2", "0.3")]
        assert [part.target for part in cumulate("rate", parts)] == [Decimal("0.2"), Decimal("0.2"), None]


class TestVariance:
    @pytest.mark.parametrize(("value", "expected"), [("4", "-1"), ("5", "0"), ("10", "0"), ("12", "2")])
    def test_of_a_range_is_the_distance_to_its_nearest_bound(self, value: str, expected: str) -> None:
        part = BudgetPart(Decimal(value), target=Decimal(5), upper=Decimal(10))
        assert variance(part, "range") == Decimal(expected)

    def test_needs_both(self) -> None:
        assert variance(BudgetPart(Decimal(1))) is None
        assert variance(BudgetPart(target=Decimal(1))) is None


class TestYearOnYear:
    @pytest.mark.parametrize("before", [None, Decimal(0), Decimal(-5)])
    def test_has_nothing_to_stand_on(self, before: Decimal | None) -> None:
        assert year_on_year(Decimal(10), before, "sum") is None

    def test_a_rate_of_zero_before_still_has_a_difference(self) -> None:
        assert year_on_year(Decimal("0.1"), Decimal(0), "rate") == Decimal("0.1")
