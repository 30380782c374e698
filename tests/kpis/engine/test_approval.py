"""Steps of approval, and whose word settles them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.approval import Standing, above, may_decide, settles, steps_needed

standings = st.builds(Standing, st.booleans(), st.booleans(), st.booleans(), st.booleans())
SUPERIOR, OWNER = Standing(is_superior=True), Standing(is_owner=True)


class TestSteps:
    @pytest.mark.parametrize(("people", "steps"), [(0, 0), (10, 0), (11, 1), (50, 1), (51, 2)])
    def test_follow_the_size_until_somebody_decides(self, people: int, steps: int) -> None:
        assert steps_needed("by_size", people) == steps

    @given(st.integers(0, 1000))
    def test_a_setting_is_not_outgrown(self, people: int) -> None:
        assert [steps_needed(setting, people) for setting in ("none", "one", "two")] == [0, 1, 2]


class TestMayDecide:
    @given(standings, st.integers(0, 2), st.integers(0, 2))
    def test_nobody_decides_on_the_own_proposal_nor_twice(self, standing: Standing, done: int, steps: int) -> None:
        if standing.is_proposer or standing.has_decided:
            assert not may_decide(standing, done=done, steps=steps)

    @given(standings, st.integers(0, 2), st.integers(0, 2))
    def test_nothing_is_settled_by_who_may_not_decide(self, standing: Standing, done: int, steps: int) -> None:
        assert not settles(standing, done=done, steps=steps) or may_decide(standing, done=done, steps=steps)

    def test_the_first_step_is_a_superiors_the_second_an_owners(self) -> None:
        assert [may_decide(SUPERIOR, done=done, steps=2) for done in (0, 1)] == [True, False]
        assert [may_decide(OWNER, done=done, steps=2) for done in (0, 1)] == [True, True]

    def test_not_even_an_owner_decides_on_the_own_proposal(self) -> None:
        assert not may_decide(Standing(is_proposer=True, is_owner=True), done=0, steps=2)

    def test_who_is_neither_decides_nothing(self) -> None:
        assert not may_decide(Standing(), done=0, steps=1)

    def test_an_owner_does_not_wait_for_a_superior(self) -> None:
        assert settles(OWNER, done=0, steps=2)
        assert not settles(SUPERIOR, done=0, steps=2)
        assert settles(SUPERIOR, done=0, steps=1)


class TestAbove:
    def test_a_circle_of_teams_ends(self) -> None:
        assert above([1], {1: 2, 2: 1}) == {1, 2}

    def test_a_top_team_has_nobody_above(self) -> None:
        assert above([1], {1: None}) == set()
