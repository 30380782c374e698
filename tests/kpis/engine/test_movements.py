"""Mix and rate, signal and noise, what runs ahead, and what earlier starts do."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.close_profile import CloseProfile
from kpis.engine.contribution import Numbers
from kpis.engine.correlation import Confidence, find_connection
from kpis.engine.lagged import Start, lagged_effects
from kpis.engine.mix import Part, rate_effects, total_effects
from kpis.engine.xmr import Movement, judge_variation

parts = st.builds(Part, st.integers(0, 10**6).map(Decimal), st.integers(0, 10**4).map(Decimal)).map(
    lambda part: part if part.cases else Part(Decimal(0), Decimal(0))
)
sides = st.dictionaries(st.sampled_from("abcdef"), parts, min_size=1)


def total(side: dict[str, Part]) -> tuple[Decimal, Decimal]:
    return sum((part.result for part in side.values()), Decimal(0)), sum((p.cases for p in side.values()), Decimal(0))


class TestMix:
    @given(sides, sides)
    def test_effects_add_up_to_the_change(self, before: dict[str, Part], now: dict[str, Part]) -> None:
        (first, cases), (second, more) = total(before), total(now)
        rates, totals = rate_effects(before, now), total_effects(before, now)
        if not cases or not more:
            assert rates == totals == ()
            return
        assert abs(sum(each.total for each in rates) - (second / more - first / cases)) < Decimal("1e-18")
        assert abs(sum(each.total for each in totals) - (second - first)) < Decimal("1e-9")

    def test_the_same_rates_in_another_mix_are_all_mix(self) -> None:
        ten = Decimal(10)
        before = {"a": Part(ten, 2 * ten), "b": Part(Decimal(2), 2 * ten)}
        now = {"a": Part(ten / 2, ten), "b": Part(Decimal(3), 3 * ten)}
        assert all(each.rate == 0 for each in rate_effects(before, now))

    def test_a_new_segment_is_mix_not_rate(self) -> None:
        effects = rate_effects({"a": Part(Decimal(5), Decimal(10))}, {"b": Part(Decimal(9), Decimal(10))})
        assert [each.rate for each in effects] == [0, 0]
        assert sum(each.mix for each in effects) == Decimal("0.4")


def numbers(*values: float | None) -> list[Decimal | None]:
    return [None if value is None else Decimal(str(value)) for value in values]


STEADY = (10, 12, 11, 9, 10, 11, 10, 11)


class TestVariation:
    @pytest.mark.parametrize(
        ("last", "movement"),
        [(11, Movement.USUAL), (30, Movement.ABOVE), (1, Movement.BELOW)],
    )
    def test_judges_the_last_period_by_those_before(self, last: int, movement: Movement) -> None:
        found = judge_variation(numbers(*STEADY, last))
        assert found is not None
        assert (found.movement, found.count) == (movement, 8)
        assert found.movement.is_unusual == (movement is not Movement.USUAL)

    def test_eight_in_a_row_on_one_side_are_unusual(self) -> None:
        found = judge_variation(numbers(*STEADY, 12, 12, 12, 12, 12, 12, 12, 12))
        assert found is not None
        assert found.movement is Movement.RUN_ABOVE

    def test_limits_stop_at_the_floor(self) -> None:
        found = judge_variation(numbers(0, 5, 0, 5, 0, 5, 0, 5, 0), floor=Decimal(0))
        assert found is not None
        assert (found.lower, found.movement) == (0, Movement.USUAL)

    @pytest.mark.parametrize("values", [(), (1,), STEADY, (*STEADY, None), (*STEADY[:-1], None, 11)])
    def test_says_nothing_without_eight_periods_before(self, values: tuple[float | None, ...]) -> None:
        assert judge_variation(numbers(*values)) is None


class TestConnection:
    WAVE = (3, 5, 2, 8, 6, 9, 4, 7, 1, 5, 6, 2, 9, 3)

    def test_finds_the_lag(self) -> None:
        found = find_connection(numbers(*self.WAVE), numbers(None, None, None, *self.WAVE[:-3]))
        assert found is not None
        assert (found.lag, found.pairs, found.confidence) == (3, 11, Confidence.HIGH)
        assert found.low <= found.coefficient <= 1

    def test_an_opposite_movement_is_a_connection_too(self) -> None:
        found = find_connection(numbers(*self.WAVE), numbers(*(-each for each in self.WAVE)))
        assert found is not None
        assert (found.lag, found.confidence) == (0, Confidence.HIGH)
        assert found.coefficient < -0.99

    def test_noise_is_told_as_such(self) -> None:
        found = find_connection(numbers(*self.WAVE), numbers(4, 6, 5, 4, 6, 5, 6, 4, 5, 6, 4, 5, 5, 4))
        assert found is not None
        assert found.confidence is Confidence.NONE

    @pytest.mark.parametrize("goal", [(5,) * 14, (1, 2, 3), (None,) * 14])
    def test_says_nothing_without_pairs_that_vary(self, goal: tuple[float | None, ...]) -> None:
        assert find_connection(numbers(*self.WAVE), numbers(*goal)) is None


class TestLagged:
    PROFILE = CloseProfile((Decimal("0.3"), Decimal("0.2"), Decimal("0.5")), Decimal(100), Decimal(50))

    def start(self, code: str, **months: tuple[int, int | None]) -> Start:
        told = {
            int(name.removeprefix("m")) * -1: Numbers(Decimal(a), None if t is None else Decimal(t))
            for name, (a, t) in months.items()
        }
        return Start(code, self.PROFILE, Decimal("0.5"), told)

    def test_a_months_own_starts_count_with_the_share_that_ends_in_it(self) -> None:
        (now, before) = lagged_effects([self.start("deals", m0=(0, 100), m2=(60, 100), m1=(50, None))], 1)
        assert (now.month, now.amount) == (0, Decimal("-15.0"))
        assert (before.month, before.amount) == (-2, Decimal("-10.0"))

    def test_a_longer_period_takes_in_more_of_its_starts(self) -> None:
        (now,) = lagged_effects([self.start("deals", m0=(0, 100))], 3)
        assert now.amount == Decimal("-50")

    def test_a_later_stage_counts_only_what_it_adds(self) -> None:
        leads, deals = self.start("leads", m0=(80, 100)), self.start("deals", m0=(50, 100))
        effects = {each.code: each.amount for each in lagged_effects([leads, deals], 1)}
        assert effects == {"leads": Decimal("-3.0"), "deals": Decimal("-4.5")}
