"""A node's own rules for its status."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.columns import judged
from kpis.engine.status import Status, StatusInput
from kpis.engine.status_rules import limit_rules, limits_of, read_rules

HALF_WAY = StatusInput("open", "sum", "up", elapsed=10, total=20)
OVER = StatusInput("closed", "sum", "up", elapsed=20, total=20)


def status(rules: list[dict], period: StatusInput, actual: int, target: int | None = 100) -> Status:
    found, issues = read_rules(rules)
    assert issues == []
    aim = None if target is None else Decimal(target)
    return judged(period, [Decimal(actual)], [aim], [None], found)[1][0]


def rule(name: str, measure: str, op: str, limit: object) -> dict:
    return {"status": name, "measure": measure, "op": op, "limit": limit}


class TestRules:
    @pytest.mark.parametrize(("actual", "expected"), [(46, "on_track"), (44, "at_risk"), (34, "behind")])
    def test_moved_limits_of_an_open_period(self, actual: int, expected: str) -> None:
        rules = limit_rules(on_track=Decimal("0.9"), at_risk=Decimal("0.7"))
        assert status(rules, HALF_WAY, actual) == expected

    @pytest.mark.parametrize(("actual", "expected"), [(98, "met"), (97, "missed")])
    def test_a_moved_limit_of_a_finished_one(self, actual: int, expected: str) -> None:
        assert status(limit_rules(met=Decimal("0.98")), OVER, actual) == expected

    def test_the_first_that_applies_decides(self) -> None:
        rules = [rule("behind", "value", "lt", 40), rule("on_track", "pace", "gte", 0.5)]
        assert status(rules, HALF_WAY, 39) == "behind"
        assert status(rules, HALF_WAY, 40) == "on_track"

    def test_what_none_decides_is_as_usual(self) -> None:
        assert status([rule("met", "value", "gte", 1000)], OVER, 100) == "met"
        assert status([rule("behind", "value", "lt", 1)], HALF_WAY, 44) == "at_risk"

    def test_a_number_can_be_judged_without_a_target(self) -> None:
        assert status([rule("behind", "value", "gt", 3)], HALF_WAY, 4, target=None) == "behind"
        assert status([rule("behind", "achievement", "lt", 1)], HALF_WAY, 4, target=None) == "none"

    def test_no_verdict_on_the_first_business_day(self) -> None:
        first = StatusInput("open", "sum", "up", elapsed=1, total=20)
        assert status([rule("behind", "value", "gte", 0)], first, 1) == "none"


class TestReading:
    @pytest.mark.parametrize(
        ("data", "field"),
        [
            ({}, "status_rules"),
            (["x"], "status_rules.0"),
            ([rule("fine", "pace", "gte", 1)], "status_rules.0.status"),
            ([rule("met", "luck", "gte", 1)], "status_rules.0.measure"),
            ([rule("met", "pace", "is", 1)], "status_rules.0.op"),
            ([rule("met", "pace", "gte", "much")], "status_rules.0.limit"),
            ([rule("met", "pace", "gte", True)], "status_rules.0.limit"),
            ([rule("met", "pace", "gte", "NaN")], "status_rules.0.limit"),
            ([rule(["met"], "pace", "gte", 1)], "status_rules.0.status"),
            ([rule("met", "pace", "gte", 1)] * 21, "status_rules"),
        ],
    )
    def test_says_what_is_wrong_and_where(self, data: object, field: str) -> None:
        rules, issues = read_rules(data)
        assert (rules, [issue.field for issue in issues]) == ((), [field])

    @given(*[st.none() | st.decimals("0.01", 2, places=4)] * 3)
    def test_limits_come_back(self, on_track: Decimal | None, at_risk: Decimal | None, met: Decimal | None) -> None:
        found = limits_of(read_rules(limit_rules(on_track=on_track, at_risk=at_risk, met=met))[0])
        assert found is not None
        assert found["met"] == met
        assert on_track is None or found["on_track"] == on_track

    def test_rules_that_say_more_are_no_limits(self) -> None:
        assert limits_of(read_rules([rule("behind", "value", "lt", 40)])[0]) is None
