"""SMART and controllability: five facts are faults, everything else is a remark with a proposal."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.quartiles import quartiles
from kpis.engine.smart import KpiFacts, check_kpi

SOUND = KpiFacts(
    "win_rate",
    "Win rate",
    unit="percent",
    person="Sato",
    target_count=12,
    due_count=12,
    first_target=Decimal("0.20"),
    history=[Decimal("0.15"), Decimal("0.25")] * 3,
    reason="Shows the skill of selling.",
    controllable_by={"field_sales": "full"},
    load=3,
)


def codes(**changes: Any) -> list[tuple[str, bool]]:
    return [(finding.code, finding.is_fault) for finding in check_kpi(replace(SOUND, **changes))]


class TestCheck:
    def test_a_sound_kpi_has_nothing_open(self) -> None:
        assert codes() == []

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"is_defined": False}, "no_definition"),
            ({"unit": ""}, "no_unit"),
            ({"person": ""}, "no_person"),
            ({"has_left": True}, "person_left"),
            ({"first_target": None, "target_count": 0}, "no_target"),
            ({"has_source": False}, "no_source"),
        ],
    )
    def test_a_missing_fact_is_a_fault(self, changes: dict[str, Any], code: str) -> None:
        assert codes(**changes) == [(code, True)]

    @pytest.mark.parametrize(
        ("changes", "code"),
        [
            ({"reason": " "}, "no_reason"),
            ({"target_count": 3}, "few_targets"),
            ({"first_target": Decimal("0.26")}, "beyond_history"),
            ({"first_target": Decimal("0.14")}, "below_history"),
            ({"first_target": Decimal("0.14"), "direction": "down"}, "beyond_history"),
            ({"first_target": Decimal("0.26"), "direction": "down"}, "below_history"),
            ({"reaches_goal": False}, "off_goal"),
            ({"controllable_by": {}}, "nobody_moves_it"),
            ({"controllable_by": {"marketing": "none"}}, "nobody_moves_it"),
            ({"controllable_by": {"marketing": "partial"}}, "moved_in_part"),
            ({"load": 6}, "too_many"),
        ],
    )
    def test_anything_else_is_a_remark(self, changes: dict[str, Any], code: str) -> None:
        assert codes(**changes) == [(code, False)]

    def test_a_short_history_says_nothing_about_a_target(self) -> None:
        assert codes(history=[Decimal("0.1")] * 5) == []

    def test_faults_come_first_and_everything_is_said_in_words(self) -> None:
        found = check_kpi(KpiFacts("x", "Calls", unit="count", load=9))
        assert [finding.is_fault for finding in found] == sorted((finding.is_fault for finding in found), reverse=True)
        for finding in found:
            evidence, proposal = finding.said(lambda text: text)
            assert evidence and proposal and "%(" not in evidence + proposal


class TestQuartiles:
    def test_nothing_is_not_zero(self) -> None:
        assert quartiles([]) is None

    @given(st.lists(st.decimals(min_value=-1000, max_value=1000, places=3), min_size=1, max_size=24))
    def test_lie_in_order_within_the_values_whatever_their_order(self, values: list[Decimal]) -> None:
        found = quartiles(values)
        assert found is not None
        assert min(values) <= found.lower <= found.median <= found.upper <= max(values)
        assert found == quartiles(values[::-1])
        assert found.count == len(values)
