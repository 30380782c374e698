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
