"""Targets from above against those from below."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.gaps import GapVerdict, LevelGap, Part, level_gap, total_gap

amounts = st.decimals(min_value=0, max_value=10**9, places=2)
parts = st.lists(st.builds(Part, st.none() | amounts, st.booleans()), max_size=8)
gaps = st.builds(LevelGap, amounts, amounts, amounts)


class TestLevelGap:
    @given(amounts, parts)
    def test_nothing_gets_lost(self, top: Decimal, below: list[Part]) -> None:
        gap = level_gap(top, below)
        given_below = [part.value for part in below if part.value is not None]
        if gap is None:
            assert not given_below
        else:
            assert gap.taken_on + gap.unassigned == sum(given_below)
            assert gap.taken_on + gap.unassigned + gap.missing == top

    @pytest.mark.parametrize(
        ("named", "unassigned", "verdict", "size"),
        [
            (100, 0, GapVerdict.EVEN, 0),
            (80, 0, GapVerdict.SHORT, 20),
            (130, 0, GapVerdict.OVER, 30),
            (70, 30, GapVerdict.UNASSIGNED, 30),
            (70, 20, GapVerdict.SHORT, 10),
            (90, 20, GapVerdict.OVER, 10),
        ],
    )
    def test_says_what_is_wrong_and_how_much(self, named: int, unassigned: int, verdict: GapVerdict, size: int) -> None:
        gap = LevelGap(Decimal(100), Decimal(named), Decimal(unassigned))
        assert (gap.verdict, gap.size) == (verdict, size)

    def test_without_a_target_above_there_is_no_gap(self) -> None:
        assert level_gap(None, [Part(Decimal(1))]) is None


class TestTotalGap:
    @given(st.lists(gaps, min_size=1, max_size=12))
    def test_the_year_is_the_sum_of_its_periods(self, months: list[LevelGap]) -> None:
        year = total_gap([*months, None])
        assert year is not None
        assert year.missing == sum(month.missing for month in months)

    def test_nothing_to_compare_is_no_zero(self) -> None:
        assert total_gap([None, None]) is None
