"""The profile of lags: nothing that ended is lost, whichever way it is read."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.close_profile import (
    CloseProfile,
    LagCount,
    chain,
    close_profile,
    is_shorter_than_cycle,
    spread_back,
)

counts = st.lists(st.builds(LagCount, st.integers(0, 14), st.decimals("0.1", 1000, places=1)), min_size=1, max_size=20)


def profile_of(*shares: str) -> CloseProfile:
    return CloseProfile(tuple(Decimal(share) for share in shares), Decimal(40))


class TestProfile:
    @given(counts)
    def test_shares_add_up_to_one(self, each: list[LagCount]) -> None:
        profile = close_profile(each)
        assert profile is not None
        assert sum(profile.shares) == 1
        assert all(share >= 0 for share in profile.shares[:-1])

    @given(counts, st.integers(-(10**9), 10**9))
    def test_what_is_spread_back_adds_up(self, each: list[LagCount], amount: int) -> None:
        profile = close_profile(each)
        assert profile is not None
        assert sum(spread_back(Decimal(amount), profile)) == amount

    @given(counts, counts)
    def test_two_steps_make_one_profile(self, first: list[LagCount], second: list[LagCount]) -> None:
        one, two = close_profile(first), close_profile(second)
        assert one is not None
        assert two is not None
        both = chain(one, two)
        assert sum(both.shares) == 1
        assert both.longest == one.longest + two.longest

    def test_few_cases_are_no_habit(self) -> None:
        few = close_profile([LagCount(0, Decimal(19))])
        enough = close_profile([LagCount(0, Decimal(20))])
        assert few is not None and not few.is_reliable
        assert enough is not None and enough.is_reliable


class TestCycle:
    def test_is_taken_to_be_long_where_it_is_not_known(self) -> None:
        year = date(2017, 1, 1), date(2018, 1, 1)
        assert is_shorter_than_cycle(*year, None)
        assert is_shorter_than_cycle(*year, profile_of("1"))
