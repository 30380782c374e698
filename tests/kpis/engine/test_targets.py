"""Derived targets: nothing is made up where the parts do not decide the whole."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.targets import TargetPart, derive_longer, derive_shorter, spread


def parts(*values: str | None) -> list[TargetPart]:
    return [TargetPart(None if value is None else Decimal(value)) for value in values]


class TestDeriveLonger:
    @pytest.mark.parametrize(
        ("accumulation", "values", "expected"),
        [
            ("sum", ("10", "20", "30"), "60"),
            ("stock", ("10", "20", "30"), "30"),
            ("rate", ("0.2", "0.2"), "0.2"),
            ("average", ("5", "5"), "5"),
            ("rate", ("0.2", "0.3"), None),
            ("sum", ("10", None), None),
            ("stock", ("10", None), None),
            ("rate", ("0.2", None), None),
            ("sum", (), None),
        ],
    )
    def test_by_accumulation(self, accumulation: str, values: tuple[str | None, ...], expected: str | None) -> None:
        result = derive_longer(accumulation, parts(*values))
        assert result == (None if expected is None else Decimal(expected))

    def test_a_planned_rate_is_weighted(self) -> None:
        months = [
            TargetPart(Decimal("0.5"), Decimal(1), Decimal(2)),
            TargetPart(Decimal("0.25"), Decimal(2), Decimal(8)),
        ]
        assert derive_longer("rate", months) == Decimal("0.3")

    def test_a_half_planned_rate_is_not_weighted(self) -> None:
        months = [TargetPart(Decimal("0.5"), Decimal(1), Decimal(2)), TargetPart(Decimal("0.25"))]
        assert derive_longer("rate", months) is None


class TestDeriveShorter:
    @given(st.integers(1, 10**9), st.lists(st.integers(0, 5), min_size=4, max_size=6).filter(any))
    def test_weeks_add_up_to_the_month(self, amount: int, days: list[int]) -> None:
        weeks = [derive_shorter("sum", Decimal(amount), each, sum(days)) for each in days]
        assert abs(sum(week for week in weeks if week is not None) - amount) < Decimal("0.000001")

    def test_a_month_without_business_days_has_no_weekly_target(self) -> None:
        assert derive_shorter("sum", Decimal(1), 0, 0) is None

    @pytest.mark.parametrize("accumulation", ["rate", "average", "stock"])
    def test_other_targets_hold_in_every_week(self, accumulation: str) -> None:
        assert derive_shorter(accumulation, Decimal("0.2"), 1, 20) == Decimal("0.2")


class TestSpread:
    @given(st.decimals(0, 10**12, places=2), st.integers(1, 12), st.sampled_from(["1", "0.01", "1000"]))
    def test_adds_up_in_parts_that_hardly_differ(self, amount: Decimal, count: int, step: str) -> None:
        result = spread(amount, count, Decimal(step))
        assert sum(result) == amount
        assert max(result) - min(result) < 2 * Decimal(step)
        assert all(part >= 0 for part in result)
        assert all(part % Decimal(step) == 0 for part in result[:-1])

    def test_small_counts_are_not_heaped_on_the_last_month(self) -> None:
        assert sorted({int(part) for part in spread(Decimal(34), 12)}) == [2, 3]
