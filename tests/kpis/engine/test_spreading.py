"""Spreads follow accumulation, add up to the last step, and say what rounding left in the last period."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.spreading import carry_forward, gap_between, prorate, seasonal_weights, spread_target

AMOUNTS = st.decimals(0, 10**12, places=2)
STEPS = st.sampled_from([Decimal("0.01"), Decimal(1), Decimal(1000)])
WEIGHTS = st.lists(st.integers(0, 25).map(Decimal), min_size=1, max_size=53).filter(any)


def numbers(*values: int | None) -> list[Decimal | None]:
    return [None if value is None else Decimal(value) for value in values]


class TestSpreadOfASum:
    @given(AMOUNTS, WEIGHTS, STEPS)
    def test_adds_up_in_whole_steps_close_to_the_exact_share(
        self, amount: Decimal, weights: list[Decimal], step: Decimal
    ) -> None:
        parts = spread_target("sum", amount, weights, step=step).parts
        total = sum(weights)
        assert sum(parts) == amount
        assert all(part % step == 0 for part in parts[:-1])
        assert all(abs(part - amount * each / total) <= step for part, each in zip(parts, weights, strict=True))

    @given(AMOUNTS, WEIGHTS, STEPS)
    def test_says_what_the_last_period_holds_beyond_its_share(
        self, amount: Decimal, weights: list[Decimal], step: Decimal
    ) -> None:
        spread = spread_target("sum", amount, weights, step=step)
        exact = amount * weights[-1] / sum(weights)
        assert 0 <= spread.remainder <= 2 * step
        assert spread.parts[-1] - spread.remainder <= exact

    def test_a_period_without_weight_is_asked_for_nothing(self) -> None:
        assert spread_target("sum", Decimal(90), numbers(1, 0, 2)).parts == (30, 0, 60)

    @pytest.mark.parametrize("weights", [[], numbers(0, 0), numbers(2, -1)])
    def test_refuses_weights_that_divide_nothing(self, weights: list[Decimal]) -> None:
        with pytest.raises(ValueError, match="weight"):
            spread_target("sum", Decimal(1), weights)


class TestSpreadOfOtherTargets:
    @pytest.mark.parametrize("accumulation", ["rate", "average"])
    def test_a_rate_is_repeated(self, accumulation: str) -> None:
        assert spread_target(accumulation, Decimal("0.2"), numbers(1, 9)).parts == (Decimal("0.2"),) * 2

    def test_a_stock_goes_from_its_opening_to_the_target(self) -> None:
        assert spread_target("stock", Decimal(130), numbers(1, 2), opening=Decimal(100)).parts == (110, 130)
        assert spread_target("stock", Decimal(70), numbers(1, 2), opening=Decimal(100)).parts == (90, 70)

    def test_a_stock_of_unknown_opening_is_repeated(self) -> None:
        assert spread_target("stock", Decimal(130), numbers(1, 1)).parts == (130, 130)

    @given(AMOUNTS, AMOUNTS, WEIGHTS, STEPS)
    def test_a_stock_ends_exactly_at_its_target(
        self, opening: Decimal, value: Decimal, weights: list[Decimal], step: Decimal
    ) -> None:
        parts = spread_target("stock", value, weights, step=step, opening=opening).parts
        assert parts[-1] == value
        assert len(parts) == len(weights)


class TestSeasonalWeights:
    def test_is_the_mean_share_of_whole_years(self) -> None:
        assert seasonal_weights([numbers(10, 30), numbers(30, 10)]) == (Decimal("0.5"), Decimal("0.5"))

    @pytest.mark.parametrize("year", [numbers(10, None), numbers(-5, 15), numbers(0, 0)])
    def test_a_year_that_says_nothing_is_left_out(self, year: list[Decimal | None]) -> None:
        assert seasonal_weights([year]) is None
        assert seasonal_weights([year, numbers(1, 3)]) == (Decimal("0.25"), Decimal("0.75"))

    def test_years_of_different_length_are_not_mixed(self) -> None:
        assert seasonal_weights([numbers(1, 3), numbers(1, 2, 3)]) is None

    @given(st.lists(st.lists(st.integers(0, 100).map(Decimal), min_size=12, max_size=12), min_size=1, max_size=3))
    def test_the_shares_are_one_together(self, years: list[list[Decimal]]) -> None:
        weights = seasonal_weights(years)
        assert weights is None or abs(sum(weights) - 1) < Decimal("1e-20")


class TestProrate:
    @given(AMOUNTS, st.integers(0, 23), STEPS)
    def test_never_asks_for_more_than_the_share_of_days(self, value: Decimal, worked: int, step: Decimal) -> None:
        part = prorate("sum", value, worked, 23, step=step)
        assert 0 <= part <= value
        assert worked == 23 or abs(part - value * worked / 23) <= step

    def test_a_rate_holds_from_the_first_day(self) -> None:
        assert prorate("rate", Decimal("0.3"), 1, 20) == Decimal("0.3")


class TestCarryForward:
    @given(st.integers(-(10**9), 10**9), st.lists(st.integers(0, 10**9), min_size=1, max_size=12))
    def test_the_total_moves_by_exactly_the_shortfall(self, shortfall: int, targets: list[int]) -> None:
        before = [Decimal(target) for target in targets]
        after = carry_forward(Decimal(shortfall), before, [Decimal(1)] * len(before)).parts
        assert sum(after) - sum(before) == shortfall


class TestGap:
    def test_what_nobody_took_on_is_the_difference(self) -> None:
        gap = gap_between(Decimal(100), {"east": Decimal(70), "west": None, "north": Decimal(50)})
        assert gap is not None
        assert (gap.bottom_up, gap.difference) == (120, -20)

    def test_without_any_part_there_is_nothing_to_compare(self) -> None:
        assert gap_between(Decimal(100), {"east": None}) is None
