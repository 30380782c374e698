"""Which view has been right: bias, error, and comparing only what can be compared."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.scoring import Forecast, Method, Score, best_method, score_methods

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


def forecast(method: Method, start: date, day: int, value: int) -> Forecast:
    return Forecast(method, start, start.replace(day=day), Decimal(value))


class TestScoreMethods:
    def test_bias_has_a_sign_and_error_has_none(self):
        made = [forecast(Method.PACE, OCTOBER, 5, 80), forecast(Method.PACE, NOVEMBER, 5, 120)]
        score = score_methods(made, {OCTOBER: Decimal(100), NOVEMBER: Decimal(100)})[Method.PACE]
        assert (score.period_count, score.bias, score.error) == (2, 0, Decimal("0.2"))

    def test_larger_periods_weigh_more(self):
        made = [forecast(Method.PACE, OCTOBER, 5, 0), forecast(Method.PACE, NOVEMBER, 5, 900)]
        score = score_methods(made, {OCTOBER: Decimal(100), NOVEMBER: Decimal(900)})[Method.PACE]
        assert score.error == Decimal("0.1")

    def test_only_days_on_which_all_views_spoke_are_compared(self):
        """The pace was wild on the 5th; the call came on the 20th, when the pace was right as well."""
        made = [
            forecast(Method.PACE, OCTOBER, 5, 300),
            forecast(Method.PACE, OCTOBER, 20, 100),
            forecast(Method.CALL, OCTOBER, 20, 110),
        ]
        scores = score_methods(made, {OCTOBER: Decimal(100)})
        assert (scores[Method.PACE].error, scores[Method.CALL].error) == (0, Decimal("0.1"))

    def test_views_that_never_spoke_on_one_day_are_not_compared(self):
        made = [forecast(Method.PACE, OCTOBER, 5, 300), forecast(Method.CALL, OCTOBER, 20, 110)]
        assert score_methods(made, {OCTOBER: Decimal(100)}) == {}

    def test_a_period_that_is_not_over_is_not_scored(self):
        assert score_methods([forecast(Method.PACE, NOVEMBER, 5, 300)], {OCTOBER: Decimal(100)}) == {}

    def test_periods_that_came_to_nothing_have_no_score(self):
        score = score_methods([forecast(Method.PACE, OCTOBER, 5, 30)], {OCTOBER: Decimal(0)})[Method.PACE]
        assert (score.period_count, score.bias, score.error) == (1, None, None)

    @given(st.lists(st.tuples(st.integers(1, 28), st.integers(0, 1000)), min_size=1, max_size=20), st.integers(1, 1000))
    def test_the_error_is_never_smaller_than_the_bias(self, said, actual):
        made = [forecast(Method.ROLLUP, OCTOBER, day, value) for day, value in said]
        score = score_methods(made, {OCTOBER: Decimal(actual)})[Method.ROLLUP]
        assert score.error + Decimal("1e-20") >= abs(score.bias)


class TestBestMethod:
    def test_is_the_one_with_the_smallest_error(self):
        scores = {
            Method.PACE: Score(Method.PACE, 3, Decimal("0.01"), Decimal("0.2")),
            Method.CALL: Score(Method.CALL, 2, Decimal("0.1"), Decimal("0.1")),
        }
        assert best_method(scores) == Method.CALL

    def test_right_once_is_luck(self):
        assert best_method({Method.CALL: Score(Method.CALL, 1, Decimal(0), Decimal(0))}) is None

    def test_nothing_scored_is_nothing_proved(self):
        assert best_method({Method.PACE: Score(Method.PACE, 4, None, None)}) is None
        assert best_method({}) is None
