"""Achievement and status: the default rules, on both sides of each limit."""

from decimal import Decimal

import pytest

from kpis.engine.pace import Basis, Due
from kpis.engine.status import Status, StatusInput, achievement, judge
from kpis.engine.values import Absence, Value


def number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


class TestAchievement:
    @pytest.mark.parametrize(
        ("actual", "target", "direction", "upper", "expected"),
        [
            ("90", "100", "up", None, "0.9"),
            ("120", "100", "up", None, "1.2"),
            ("0", "100", "up", None, "0"),
            ("5", "0", "up", None, None),
            ("-5", "-10", "up", None, "1.5"),
            ("-15", "-10", "up", None, "0.5"),
            ("90", "100", "down", None, "1.1"),
            ("150", "100", "down", None, "0.5"),
            ("300", "100", "down", None, "0"),
            ("0", "0", "down", None, "1"),
            ("1", "0", "down", None, "0"),
            ("7", "5", "range", "10", "1"),
            ("4", "5", "range", "10", "0.8"),
            ("12", "5", "range", "10", "0.8"),
            ("99", "5", "range", "10", "0"),
            ("99", "5", "range", None, "1"),
            ("-1", "0", "range", "10", "0"),
            ("5", None, "up", None, None),
        ],
    )
    def test_by_direction(
        self, actual: str, target: str | None, direction: str, upper: str | None, expected: str | None
    ) -> None:
        assert achievement(Decimal(actual), number(target), direction, number(upper)) == number(expected)

    @pytest.mark.parametrize(
        ("actual", "target", "expected"),
        [
            ("80", "100", "1.25"),
            ("100", "100", "1"),
            ("200", "100", "0.5"),
            ("0", "100", "2"),  # nothing to divide by: as usual
            ("-50", "100", "2.5"),
            ("1", "0", "0"),
            ("0", "0", "1"),
        ],
    )
    def test_lower_is_better_as_target_by_actual(self, actual: str, target: str, expected: str) -> None:
        assert achievement(Decimal(actual), Decimal(target), "down", formula="ratio") == Decimal(expected)

    @pytest.mark.parametrize(("direction", "expected"), [("up", "0.8"), ("range", "0.8")])
    def test_other_directions_know_no_other_formula(self, direction: str, expected: str) -> None:
        assert achievement(Decimal(80), Decimal(100), direction, formula="ratio") == Decimal(expected)

    @pytest.mark.parametrize(("formula", "status"), [("difference", Status.BEHIND), ("ratio", Status.AT_RISK)])
    def test_the_verdict_follows_the_formula(self, formula: str, status: Status) -> None:
        told = {"accumulation": "rate", "direction": "down", "target": Decimal(100), "formula": formula}
        assert judge(StatusInput("open", actual=Decimal(117), elapsed=10, total=20, **told)) is status

    def test_an_absence_has_none(self) -> None:
        assert achievement(Absence.MISSING, Decimal(1), "up") is None


class TestDue:
    """What is due by now: the company's own curve where it has one."""

    def cell(self, share: str, *, basis: Basis = Basis.CURVE, **changes: object) -> StatusInput:
        told = {"accumulation": "sum", "direction": "up", "actual": Decimal(20), "target": Decimal(100), **changes}
        return StatusInput("open", elapsed=10, total=20, usual=Due(Decimal(share), basis), **told)

    def test_who_sells_late_is_held_against_the_own_curve(self) -> None:
        assert judge(self.cell("0.2")) is Status.ON_TRACK
        assert judge(self.cell("0.23")) is Status.AT_RISK
        assert judge(self.cell("0.5")) is Status.BEHIND

    def test_says_nothing_while_hardly_anything_is_usually_there(self) -> None:
        assert judge(self.cell("0.09")) is Status.NONE
        assert judge(self.cell("0.1")) is Status.ON_TRACK
        assert judge(self.cell("0.09", basis=Basis.BUSINESS_DAYS)) is Status.ON_TRACK

    def test_a_rate_has_no_curve(self) -> None:
        assert judge(self.cell("0.2", accumulation="rate")) is Status.BEHIND


class TestJudge:
    @pytest.mark.parametrize("state", ["provisional", "closed"])
    @pytest.mark.parametrize(("actual", "expected"), [("100", Status.MET), ("99.999", Status.MISSED)])
    def test_a_finished_period(self, state: str, actual: str, expected: Status) -> None:
        assert judge(StatusInput(state, "sum", "up", Decimal(actual), Decimal(100))) is expected

    @pytest.mark.parametrize(
        ("accumulation", "actual", "expected"),
        [
            ("sum", "47.5", Status.ON_TRACK),
            ("sum", "47.4", Status.AT_RISK),
            ("sum", "42.5", Status.AT_RISK),
            ("sum", "42.4", Status.BEHIND),
            ("rate", "95", Status.ON_TRACK),
            ("average", "94", Status.AT_RISK),
            ("stock", "84", Status.BEHIND),
        ],
    )
    def test_an_open_period(self, accumulation: str, actual: str, expected: Status) -> None:
        cell = StatusInput("open", accumulation, "up", Decimal(actual), Decimal(100), elapsed=10, total=20)
        assert judge(cell) is expected

    def test_lower_is_better_in_an_open_period(self) -> None:
        half_way = StatusInput("open", "sum", "down", Decimal(55), Decimal(100), elapsed=10, total=20)
        assert judge(half_way) is Status.AT_RISK

    @pytest.mark.parametrize("elapsed", [0, 1])
    def test_no_verdict_before_the_second_business_day(self, elapsed: int) -> None:
        assert (
            judge(StatusInput("open", "sum", "up", Decimal(0), Decimal(100), elapsed=elapsed, total=20)) is Status.NONE
        )

    @pytest.mark.parametrize("state", ["open", "provisional", "closed"])
    @pytest.mark.parametrize(("actual", "target"), [(Absence.NO_DENOMINATOR, Decimal(1)), (Decimal(1), None)])
    def test_no_verdict_without_value_or_target(self, state: str, actual: Value, target: Decimal | None) -> None:
        assert judge(StatusInput(state, "rate", "up", actual, target, elapsed=10, total=20)) is Status.NONE
