"""Improvement actions: logged with a baseline, changed with a history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from kpis.models import KpiNode
from reviews.models import Action, Meeting, Miss
from reviews.selectors.history import described_changes
from reviews.services.actions import log_action, update_action
from reviews.services.errors import ReviewError
from reviews.services.misses import answer_miss
from tests.reviews.conftest import NOW, OCTOBER, aim, type_in

DUE = date(2026, 11, 27)


class TestLogAction:
    def test_answers_its_miss_and_freezes_its_numbers(self, october_miss: Miss, alice: Any, bookings: KpiNode) -> None:
        action = log_action(
            miss=october_miss, cause="失注", action="提案書を見直す", due_on=DUE, owner_user=alice, actor=alice, now=NOW
        )
        october_miss.refresh_from_db()
        assert (october_miss.end, october_miss.answered_by) == ("improvement_action", alice)
        type_in(bookings, "990000")
        action.refresh_from_db()
        assert (action.baseline["value"][:6], action.baseline["period_start"]) == ("800000", "2026-10-01")
        assert (action.node, action.effect_metric, action.verdict) == (bookings, bookings.metric, None)

    def test_a_miss_that_was_answered_keeps_its_answer(self, october_miss: Miss) -> None:
        answer_miss(miss=october_miss, end="data_error", actor=None, now=NOW)
        log_action(miss=october_miss, cause="失注", action="見直す", due_on=DUE, actor=None, now=NOW)
        october_miss.refresh_from_db()
        assert october_miss.end == "data_error"

    def test_without_a_miss_the_baseline_is_the_latest_finished_period(
        self, bookings: KpiNode, make_action: Callable[..., Action]
    ) -> None:
        aim(bookings, "100")
        type_in(bookings, "70")
        baseline = make_action(bookings).baseline
        assert (float(baseline["value"]), float(baseline["target"]), baseline["period_start"]) == (
            70,
            100,
            "2026-10-01",
        )

    @pytest.mark.parametrize("field", ["cause", "action"])
    def test_needs_words(self, bookings: KpiNode, make_action: Callable[..., Action], field: str) -> None:
        with pytest.raises(ReviewError) as refusal:
            make_action(bookings, **{field: "  "})
        assert refusal.value.field == field

    def test_is_listed_on_the_next_agenda(
        self, bookings: KpiNode, next_meeting: Meeting, make_action: Callable[..., Action]
    ) -> None:
        action = make_action(bookings, due_on=date(2027, 3, 1))
        assert next_meeting.agenda_items.get().action == action


class TestUpdateAction:
    def test_keeps_what_it_was(self, bookings: KpiNode, make_action: Callable[..., Action], alice: Any) -> None:
        action = make_action(bookings)
        update_action(logged=action, status="done", due_on=date(2026, 12, 1), actor=alice, now=NOW)
        action.refresh_from_db()
        assert (action.status, action.finished_at) == ("done", NOW)
        change = action.history.get()
        assert change.changes == {"status": ["planned", "done"], "due_on": ["2026-11-27", "2026-12-01"]}
        assert {each.actor for each in described_changes(action)} == {"Alice"}

    def test_the_same_again_is_no_change(self, bookings: KpiNode, make_action: Callable[..., Action]) -> None:
        action = make_action(bookings)
        update_action(logged=action, cause=action.cause, due_on=action.due_on, actor=None, now=NOW)
        assert not action.history.exists()

    def test_reopening_forgets_the_end(self, bookings: KpiNode, make_action: Callable[..., Action]) -> None:
        action = update_action(logged=make_action(bookings), status="cancelled", actor=None, now=NOW)
        assert update_action(logged=action, status="in_progress", actor=None, now=NOW).finished_at is None

    def test_a_finished_action_leaves_the_agenda(
        self, bookings: KpiNode, next_meeting: Meeting, make_action: Callable[..., Action]
    ) -> None:
        update_action(logged=make_action(bookings), status="done", actor=None, now=NOW)
        assert not next_meeting.agenda_items.exists()


def test_overdue_is_unfinished_and_past(bookings: KpiNode, make_action: Callable[..., Action]) -> None:
    late = make_action(bookings, due_on=OCTOBER)
    update_action(logged=make_action(bookings, due_on=OCTOBER), status="done", actor=None, now=NOW)
    make_action(bookings)
    assert list(Action.objects.overdue(NOW.date())) == [late]
