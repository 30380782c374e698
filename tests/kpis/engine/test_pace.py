"""The landing at the present pace: the company's own curve, business days, and when nothing is said."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.pace import Basis, PastPeriod, pace, past_period
from kpis.engine.values import Absence

amounts = st.integers(0, 10_000).map(Decimal)
days = st.lists(st.tuples(st.booleans(), amounts), min_size=1, max_size=31)


def period(*reached: int) -> PastPeriod:
    return PastPeriod((Decimal(0), *map(Decimal, reached)))


class TestPace:
    @pytest.mark.parametrize(("elapsed", "expected"), [(2, 500), (10, 100), (20, 50)])
    def test_goes_by_business_days_without_history(self, elapsed, expected):
        said = pace(Decimal(50), elapsed, 20)
        assert (said.value, said.basis, said.low) == (expected, Basis.BUSINESS_DAYS, None)

    def test_follows_the_companys_own_curve_where_three_periods_show_it(self):
        late = [period(10, 20, 30, 100)] * 3
        said = pace(Decimal(60), 3, 4, late)
        assert (said.value, said.share, said.basis, said.period_count) == (200, Decimal("0.3"), Basis.CURVE, 3)

    def test_two_periods_are_chance(self):
        assert pace(Decimal(60), 2, 4, [period(10, 20, 30, 100)] * 2).basis == Basis.BUSINESS_DAYS

    def test_periods_of_other_length_are_compared_by_the_fraction_that_is_over(self):
        assert pace(Decimal(60), 10, 20, [period(50, 100)] * 3).value == 120

    def test_weighs_past_periods_by_what_they_came_to(self):
        """Σ reached ÷ Σ totals: (10 + 10 + 900) ÷ (100 + 100 + 1000)."""
        history = [period(10, 100), period(10, 100), period(900, 1000)]
        assert pace(Decimal(92), 10, 20, history).value == 120

    def test_says_nothing_on_the_first_business_day(self):
        assert pace(Decimal(50), 1, 20).value is Absence.MATURING
        assert pace(Decimal(50), 1, 5).value is Absence.MATURING  # of a week, of which a fifth is over
        assert pace(Decimal(50), 0, 20).value is Absence.MATURING

    def test_says_nothing_while_next_to_nothing_is_usually_there(self):
        assert pace(Decimal(1), 2, 4, [period(1, 2, 50, 100)] * 3).value is Absence.MATURING

    def test_a_value_that_is_absent_has_no_landing(self):
        assert pace(Absence.MISSING, 10, 20).value is Absence.MISSING

    def test_an_empty_past_period_shows_no_curve(self):
        assert pace(Decimal(5), 10, 20, [period(0, 0)] * 5).basis == Basis.BUSINESS_DAYS

    def test_the_band_holds_where_past_periods_would_have_ended(self):
        history = [period(25, 100), period(50, 100), period(50, 100), period(50, 100), period(100, 100)]
        said = pace(Decimal(55), 10, 20, history)
        assert (said.low, said.value, said.high) == (Decimal(77), 100, Decimal(176))


class TestPastPeriod:
    def test_what_comes_on_a_holiday_belongs_to_the_day_before(self):
        made = past_period([(False, Decimal(1)), (True, Decimal(2)), (False, Decimal(4)), (True, Decimal(8))])
        assert made.reached == (1, 7, 15)

    @given(days)
    def test_ends_at_the_sum_of_its_days(self, given_days):
        made = past_period(given_days)
        assert made.total == sum(amount for _business, amount in given_days)
        assert len(made.reached) == 1 + sum(business for business, _amount in given_days)


class TestProperties:
    @given(st.lists(amounts, min_size=20, max_size=20), st.integers(2, 20), st.integers(1, 50))
    def test_a_period_like_all_others_lands_where_they_did(self, inflow, elapsed, scale):
        """A month that is a scaled copy of the past ones is foretold exactly, and its band is a point."""
        curve = past_period([(True, amount) for amount in inflow])
        actual = curve.at(Decimal(elapsed) / 20) * scale
        said = pace(actual, elapsed, 20, [curve] * 3)
        if curve.total > 0 and said.basis == Basis.CURVE and not isinstance(said.value, Absence):
            assert abs(said.value - curve.total * scale) < Decimal("0.000001")
            if said.low is not None and said.high is not None:
                assert abs(said.high - said.low) < Decimal("0.000001")

    @given(st.lists(days, max_size=6), amounts, st.integers(2, 22))
    def test_at_the_end_the_landing_is_the_value(self, history, actual, total):
        said = pace(actual, total, total, [past_period(each) for each in history])
        assert said.value == actual

    @given(st.lists(days, min_size=3, max_size=8), amounts, st.integers(2, 21))
    def test_the_band_lies_above_the_value_and_in_order(self, history, actual, elapsed):
        said = pace(actual, elapsed, 21, [past_period(each) for each in history])
        if said.low is not None and said.high is not None:
            assert actual - Decimal("0.000001") <= said.low <= said.high

    @given(st.lists(days, min_size=3, max_size=8), amounts, st.integers(2, 21))
    def test_twice_as_much_lands_twice_as_high(self, history, actual, elapsed):
        periods = [past_period(each) for each in history]
        once, twice = pace(actual, elapsed, 21, periods), pace(2 * actual, elapsed, 21, periods)
        if not isinstance(once.value, Absence):
            assert not isinstance(twice.value, Absence)
            assert abs(twice.value - 2 * once.value) < Decimal("0.000001")
