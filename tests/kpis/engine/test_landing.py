"""The ヨミ roll-up: weights, steps, and what is left out until it is corrected."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.landing import Fault, OpenDeal, Rank, find_faults, rank_order, roll_up, usual_weight
from kpis.engine.values import Absence

TODAY = date(2026, 11, 16)
RANKS = (Rank("A", "A", Decimal("0.8")), Rank("B", "B", Decimal("0.5")), Rank("C", "C", Decimal("0.2")))
BY_CODE = {rank.code: rank for rank in RANKS}


def deal(worth: int | None = 100, rank: str = "A", **changes: object) -> OpenDeal:
    fields = {"expected_close_on": date(2026, 11, 27), "moved_on": date(2026, 11, 10), **changes}
    return OpenDeal(None if worth is None else Decimal(worth), rank, **fields)


class TestFindFaults:
    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            (deal(), ()),
            (deal(expected_close_on=TODAY), ()),
            (deal(expected_close_on=TODAY - timedelta(days=1)), (Fault.PAST_EXPECTED,)),
            (deal(moved_on=TODAY - timedelta(days=30)), ()),
            (deal(moved_on=TODAY - timedelta(days=31)), (Fault.NO_MOVEMENT,)),
            (deal(moved_on=None), (Fault.NO_MOVEMENT,)),
            (deal(None), (Fault.NO_AMOUNT,)),
            (deal(None, is_rate_missing=True), (Fault.NO_RATE,)),
            (deal(rank=""), (Fault.NO_CONFIDENCE,)),
            (deal(rank="Z"), (Fault.NO_CONFIDENCE,)),
        ],
    )
    def test_names_what_is_to_be_corrected(self, found, expected):
        assert find_faults(found, today=TODAY, ranks=BY_CODE) == expected

    def test_a_rank_without_weight_counts_as_soon_as_it_is_measured(self):
        undecided = Rank("X", "X", None, won=Decimal(3), closed=Decimal(9))
        measured = Rank("X", "X", None, won=Decimal(3), closed=Decimal(12))
        assert find_faults(deal(rank="X"), today=TODAY, ranks={"X": undecided}) == (Fault.NO_CONFIDENCE,)
        assert find_faults(deal(rank="X"), today=TODAY, ranks={"X": measured}) == ()


class TestRollUp:
    def test_adds_the_weighted_deals_to_what_is_won(self):
        rolled = roll_up(Decimal(1000), [deal(100), deal(100, "B"), deal(100, "C")], RANKS, today=TODAY)
        assert rolled.value == 1000 + 80 + 50 + 20

    def test_the_steps_go_from_sure_to_unsure_in_full(self):
        rolled = roll_up(Decimal(1000), [deal(100), deal(60, "B"), deal(40, "B")], RANKS, today=TODAY)
        assert [(step.count, step.amount, step.cumulative) for step in rolled.steps] == [
            (1, 100, 1100),
            (2, 100, 1200),
            (0, 0, 1200),
        ]

    def test_a_deal_to_be_checked_is_left_out_and_said_once(self):
        doubtful = deal(70, expected_close_on=date(2026, 11, 1), moved_on=None)
        rolled = roll_up(Decimal(0), [doubtful, deal(None)], RANKS, today=TODAY)
        assert rolled.value == 0
        assert (rolled.left_out_count, rolled.left_out_amount) == (2, 70)
        assert [(each.fault, each.count, each.amount) for each in rolled.left_out] == [
            (Fault.PAST_EXPECTED, 1, 70),
            (Fault.NO_MOVEMENT, 1, 70),
            (Fault.NO_AMOUNT, 1, 0),
        ]

    def test_deals_alike_count_as_many_as_they_are(self):
        alike = [deal(100), deal(60), deal(70, rank="Z"), deal(None), deal(None)]
        together = [deal(160, count=2), deal(70, rank="Z"), deal(None, count=2)]
        assert roll_up(Decimal(10), together, RANKS, today=TODAY) == roll_up(Decimal(10), alike, RANKS, today=TODAY)

    def test_a_company_without_ranks_has_no_roll_up(self):
        assert roll_up(Decimal(10), [deal(rank="")], (), today=TODAY).value is Absence.NOT_APPLICABLE

    def test_what_cannot_be_said_of_the_won_cannot_be_said_of_the_landing(self):
        assert roll_up(Absence.NO_RATE, [deal()], RANKS, today=TODAY).value is Absence.NO_RATE

    @given(
        st.integers(0, 10_000),
        st.lists(
            st.builds(
                OpenDeal,
                worth=st.none() | st.integers(0, 1000).map(Decimal),
                rank=st.sampled_from(["A", "B", "C", "", "Z"]),
                expected_close_on=st.none() | st.dates(date(2026, 10, 1), date(2026, 12, 31)),
                moved_on=st.none() | st.dates(date(2026, 9, 1), TODAY),
            ),
            max_size=20,
        ),
    )
    def test_lies_between_the_won_and_everything_and_loses_no_deal(self, won, deals):
        rolled = roll_up(Decimal(won), deals, RANKS, today=TODAY)
        assert won <= rolled.value <= rolled.steps[-1].cumulative
        assert sum(step.count for step in rolled.steps) + rolled.left_out_count == len(deals)
        known = sum(each.worth or 0 for each in deals)
        assert rolled.steps[-1].cumulative - won + rolled.left_out_amount == known


class TestRanks:
    @pytest.mark.parametrize(
        ("code", "weight"),
        [("A", "0.8"), ("ａ", "0.8"), ("Bヨミ", "0.5"), ("Cランク", "0.2"), ("受注", None), ("AB", None)],
    )
    def test_a_usual_name_has_a_usual_weight(self, code, weight):
        assert usual_weight(code) == (None if weight is None else Decimal(weight))

    def test_stand_in_their_usual_order(self):
        assert sorted(["見込", "C", "S", "Ａ"], key=rank_order) == ["S", "Ａ", "C", "見込"]
