"""Misses: recorded at 速報, confirmed at 確定, withdrawn when met, answered once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from kpis.models import DimensionMember, KpiNode
from reviews.models import Meeting, Miss
from reviews.selectors.misses import open_cases
from reviews.services.errors import AlreadyAnsweredError, ReasonRequiredError, ReviewError
from reviews.services.misses import RecordedMisses, answer_miss, record_misses
from reviews.tasks import record_late_misses
from tenants.context import current_company
from tenants.models import Company
from tenants.outbox.models import Event
from tenants.outbox.services import emit
from tests.reviews.conftest import NOW, OCTOBER, SEPTEMBER, aim, finish, type_in

AUGUST = date(2026, 8, 1)


class TestRecordMisses:
    def test_opens_a_miss_with_the_numbers_of_the_moment(self, october_miss: Miss) -> None:
        assert (october_miss.value, october_miss.target) == (800_000, 1_000_000)
        assert october_miss.achievement == Decimal("0.8")
        assert october_miss.amount_at_stake == 200_000
        assert (october_miss.asked, october_miss.status, october_miss.confirmed_at) == (True, "open", None)

    def test_does_nothing_in_an_open_period(self, bookings: KpiNode) -> None:
        aim(bookings, "1000000")
        type_in(bookings, "800000")
        assert record_misses(period=finish(state="open"), now=NOW) == RecordedMisses()

    def test_a_met_target_is_no_miss(self, bookings: KpiNode) -> None:
        aim(bookings, "1000000")
        type_in(bookings, "1000000")
        record_misses(period=finish(), now=NOW)
        assert not Miss.objects.exists()

    def test_a_second_run_changes_nothing(self, october_miss: Miss) -> None:
        assert record_misses(period=finish(), now=NOW) == RecordedMisses()

    def test_closing_confirms_it_with_the_closed_numbers(self, october_miss: Miss, bookings: KpiNode) -> None:
        type_in(bookings, "850000")
        assert record_misses(period=finish(state="closed"), now=NOW).refreshed_count == 1
        october_miss.refresh_from_db()
        assert (october_miss.value, october_miss.provisional_value) == (850_000, 800_000)
        assert october_miss.confirmed_at == NOW

    def test_closing_with_the_same_numbers_confirms_it_too(self, october_miss: Miss) -> None:
        record_misses(period=finish(state="closed"), now=NOW)
        october_miss.refresh_from_db()
        assert (october_miss.confirmed_at, october_miss.is_changed_at_closing) == (NOW, False)

    def test_withdraws_what_closing_shows_as_met(self, october_miss: Miss, bookings: KpiNode) -> None:
        type_in(bookings, "1200000")
        assert record_misses(period=finish(state="closed"), now=NOW).withdrawn_count == 1
        assert not Miss.objects.standing().exists()

    def test_a_withdrawn_miss_stands_again_when_it_is_missed_again(self, october_miss: Miss, bookings: KpiNode) -> None:
        type_in(bookings, "1200000")
        record_misses(period=finish(), now=NOW)
        type_in(bookings, "700000")
        record_misses(period=finish(), now=NOW)
        assert Miss.objects.standing().get().value == 700_000

    def test_what_comes_after_the_period_became_provisional_is_recorded_too(self, bookings: KpiNode) -> None:
        record_misses(period=finish(), now=NOW)
        type_in(bookings, "800000")
        aim(bookings, "1000000")
        record_late_misses(company_id=str(current_company().pk))
        miss = Miss.objects.get()
        type_in(bookings, "700000")
        record_late_misses(company_id=str(current_company().pk))
        miss.refresh_from_db()
        assert miss.value == 800_000, "it keeps the numbers of its moment"

    def test_periods_before_the_start_date_are_recorded_and_not_asked(self, bookings: KpiNode) -> None:
        aim(bookings, "100", SEPTEMBER)
        type_in(bookings, "50", SEPTEMBER)
        record_misses(period=finish(SEPTEMBER), now=NOW)
        assert Miss.objects.get().asked is False
        assert not Event.objects.filter(topic="miss.opened").exists()

    def test_consecutive_periods_are_one_case_in_whichever_order_they_come(self, bookings: KpiNode) -> None:
        for month in (AUGUST, SEPTEMBER, OCTOBER):
            aim(bookings, "100", month)
            type_in(bookings, "50", month)
        for month in (OCTOBER, AUGUST, SEPTEMBER):
            record_misses(period=finish(month), now=NOW)
        first = Miss.objects.get(period_start=AUGUST)
        assert first.case is None
        assert set(Miss.objects.exclude(pk=first.pk).values_list("case", flat=True)) == {first.pk}

    def test_a_segment_with_a_target_of_its_own_is_missed_by_itself(self, bookings: KpiNode, organisation: Any) -> None:
        east = DimensionMember.objects.get(dimension__code="team", code="east")
        where = {"dimension": "team", "member": east}
        aim(bookings, "100")
        aim(bookings, "60", **where)
        type_in(bookings, "120")
        type_in(bookings, "30", **where)
        record_misses(period=finish(), now=NOW)
        miss = Miss.objects.get()
        assert (miss.dimension, miss.member, miss.value) == ("team", east, 30)

    def test_lower_is_better_misses_above_the_target(self, bookings: KpiNode) -> None:
        bookings.metric.direction = "down"
        bookings.metric.save()
        aim(bookings, "100")
        type_in(bookings, "130")
        record_misses(period=finish(), now=NOW)
        assert Miss.objects.get().amount_at_stake == 30

    def test_a_draft_tree_misses_nothing(self, bookings: KpiNode) -> None:
        aim(bookings, "100")
        type_in(bookings, "50")
        bookings.tree.status = "draft"
        bookings.tree.save()
        record_misses(period=finish(), now=NOW)
        assert not Miss.objects.exists()

    def test_a_closed_period_reaches_it_through_the_outbox(
        self, bookings: KpiNode, acme: Company, drain_outbox: Callable[[], int]
    ) -> None:
        aim(bookings, "100")
        type_in(bookings, "50")
        emit(topic="period.closed", company_id=acme.pk, object_id=finish(state="closed").pk)
        drain_outbox()
        assert Miss.objects.get().confirmed_at is not None


class TestOpenCases:
    def test_lists_the_latest_miss_of_a_case_largest_amount_first(self, bookings: KpiNode, win_rate: KpiNode) -> None:
        for month in (OCTOBER, date(2026, 11, 1)):
            aim(bookings, "100", month)
            type_in(bookings, "50", month)
        aim(win_rate, "0.3")
        type_in(win_rate, "0.1")
        for month in (OCTOBER, date(2026, 11, 1)):
            record_misses(period=finish(month), now=NOW)
        cases = [(miss.node.code, miss.period_start.month, miss.period_count) for miss in open_cases()]
        assert cases == [("bookings", 11, 2), ("win_rate", 10, 1)]


class TestAnswerMiss:
    def test_ends_it_with_who_when_and_why(self, october_miss: Miss, alice: Any) -> None:
        answer_miss(miss=october_miss, end="accepted", reason="季節要因", actor=alice, now=NOW)
        october_miss.refresh_from_db()
        answer = (october_miss.status, october_miss.end, october_miss.end_reason, october_miss.answered_by)
        assert answer == ("answered", "accepted", "季節要因", alice)

    def test_accepting_needs_a_reason(self, october_miss: Miss, alice: Any) -> None:
        with pytest.raises(ReasonRequiredError):
            answer_miss(miss=october_miss, end="accepted", reason=" ", actor=alice, now=NOW)

    def test_an_improvement_action_has_to_be_logged_first(self, october_miss: Miss, alice: Any) -> None:
        with pytest.raises(ReviewError):
            answer_miss(miss=october_miss, end="improvement_action", actor=alice, now=NOW)

    def test_the_first_answer_stays(self, october_miss: Miss, alice: Any) -> None:
        answer_miss(miss=october_miss, end="data_error", actor=alice, now=NOW)
        with pytest.raises(AlreadyAnsweredError):
            answer_miss(miss=october_miss, end="information", actor=alice, now=NOW)
        october_miss.refresh_from_db()
        assert october_miss.end == "data_error"

    def test_answers_the_older_misses_of_the_case_with_it(self, bookings: KpiNode, alice: Any) -> None:
        for month in (OCTOBER, date(2026, 11, 1)):
            aim(bookings, "100", month)
            type_in(bookings, "50", month)
            record_misses(period=finish(month), now=NOW)
        answer_miss(miss=Miss.objects.get(period_start__month=11), end="target_change", actor=alice, now=NOW)
        assert set(Miss.objects.values_list("end", flat=True)) == {"target_change"}

    def test_takes_it_off_the_next_agenda(self, october_miss: Miss, next_meeting: Meeting, alice: Any) -> None:
        assert next_meeting.agenda_items.get().miss == october_miss
        answer_miss(miss=october_miss, end="kpi_review", actor=alice, now=NOW)
        assert not next_meeting.agenda_items.exists()
