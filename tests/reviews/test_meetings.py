"""Meetings: planned by a series, opened with frozen numbers, decided, closed, carried over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time, timedelta
from typing import Any

import pytest
from django.utils import timezone

from kpis.models import CalendarDay, KpiNode, KpiTree
from reviews.models import Action, Meeting, MeetingSeries, Miss
from reviews.registry import check_meetings, read_health
from reviews.selectors.meetings import agenda_of, goals_of
from reviews.services.errors import MinutesConflictError, ReasonRequiredError, ReviewError, WrongStateError
from reviews.services.meetings import add_kpi, close_meeting, open_meeting, record_decision, save_minutes
from reviews.services.misses import record_misses
from reviews.services.schedule import plan_meeting, reschedule_meeting, save_series
from tenants.console.models import CompanyHealth
from tenants.context import tenant_context
from tenants.models import Company
from tests.reviews.conftest import NOW, OCTOBER, aim, finish, type_in


def local(meeting: Meeting) -> str:
    return timezone.localtime(meeting.scheduled_at).strftime("%Y-%m-%d %H:%M")


def hold(meeting: Meeting) -> None:
    """Open and close it without a decision."""
    open_meeting(meeting=meeting, actor=None, now=NOW)
    close_meeting(meeting=meeting, actor=None, now=NOW)


class TestSeries:
    def test_has_a_next_meeting_at_once(self, next_meeting: Meeting) -> None:
        assert (local(next_meeting), next_meeting.status) == ("2026-11-30 10:00", "planned")

    def test_a_meeting_on_a_holiday_moves_to_the_next_business_day(self, weekly: MeetingSeries) -> None:
        CalendarDay.objects.filter(day=date(2026, 11, 26)).update(is_business_day=False)
        thursday = save_series(name="木曜レビュー", weekday=3, starts_at=time(9), now=NOW)
        assert local(thursday.meetings.get()) == "2026-11-27 09:00"

    def test_today_counts_while_the_hour_lies_ahead(self, in_acme: Any) -> None:
        later = save_series(name="夕方", weekday=2, starts_at=time(17), now=NOW)
        earlier = save_series(name="朝", weekday=2, starts_at=time(8), now=NOW)
        assert local(later.meetings.get()) == "2026-11-25 17:00"
        assert local(earlier.meetings.get()) == "2026-12-02 08:00"

    def test_a_monthly_series_meets_on_its_weekday(self, in_acme: Any) -> None:
        monthly = save_series(name="月次", interval="monthly", weekday=1, week_of_month=2, starts_at=time(13), now=NOW)
        assert local(monthly.meetings.get()) == "2026-12-08 13:00"

    def test_a_new_rhythm_moves_the_planned_meeting(self, weekly: MeetingSeries, next_meeting: Meeting) -> None:
        save_series(series=weekly, weekday=4, now=NOW)
        next_meeting.refresh_from_db()
        assert local(next_meeting) == "2026-11-27 10:00"

    def test_a_new_name_leaves_a_moved_meeting_where_it_is(self, weekly: MeetingSeries, next_meeting: Meeting) -> None:
        reschedule_meeting(meeting=next_meeting, scheduled_at=NOW + timedelta(days=2))
        save_series(series=weekly, name="営業会議", now=NOW)
        next_meeting.refresh_from_db()
        assert next_meeting.scheduled_at == NOW + timedelta(days=2)

    def test_an_inactive_series_plans_nothing(self, weekly: MeetingSeries) -> None:
        save_series(series=weekly, is_active=False, now=NOW)
        assert not weekly.meetings.exists()

    def test_a_name_is_used_once(self, weekly: MeetingSeries) -> None:
        with pytest.raises(ReviewError):
            save_series(name=weekly.name, starts_at=time(9), now=NOW)


class TestOpenMeeting:
    def test_freezes_the_numbers_and_shows_later_ones_beside(
        self, october_miss: Miss, next_meeting: Meeting, bookings: KpiNode, alice: Any
    ) -> None:
        open_meeting(meeting=next_meeting, actor=alice, now=NOW)
        type_in(bookings, "990000")
        (row,) = agenda_of(next_meeting, now=NOW)
        assert row.figure is not None
        assert row.figure.then is not None
        assert (row.figure.then.value, row.figure.now.value, row.figure.is_restated) == (800_000, 990_000, True)

    def test_what_was_locked_with_fewer_digits_is_no_other_number(
        self, october_miss: Miss, bookings: KpiNode, next_meeting: Meeting
    ) -> None:
        type_in(bookings, "800000.33333333")
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        item = next_meeting.agenda_items.get()
        item.frozen["value"] = "800000.333333333333333"
        item.save()
        (row,) = agenda_of(next_meeting, now=NOW)
        assert row.figure is not None
        assert not row.figure.is_restated

    def test_freezes_the_goal_of_the_running_period(self, bookings: KpiNode, next_meeting: Meeting) -> None:
        november = date(2026, 11, 1)
        aim(bookings, "100", november)
        type_in(bookings, "40", november)
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        type_in(bookings, "60", november)
        last, running = goals_of(Meeting.objects.get(pk=next_meeting.pk), now=NOW)
        assert (last.period, running.period) == ("2026年10月", "2026年11月")
        assert (running.shown.value, running.now.value) == (40, 60)

    def test_a_tree_of_another_year_is_no_goal(self, bookings: KpiNode, next_meeting: Meeting) -> None:
        KpiTree.objects.update(fiscal_year=2025)
        assert open_meeting(meeting=next_meeting, actor=None, now=NOW).frozen == []

    def test_plans_the_one_after(self, weekly: MeetingSeries, next_meeting: Meeting) -> None:
        open_meeting(meeting=next_meeting, actor=None, now=next_meeting.scheduled_at)
        assert [local(meeting) for meeting in weekly.meetings.filter(status="planned")] == ["2026-12-07 10:00"]

    def test_opens_once(self, next_meeting: Meeting) -> None:
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        with pytest.raises(WrongStateError):
            open_meeting(meeting=next_meeting, actor=None, now=NOW)

    def test_one_meeting_of_a_series_is_in_session(self, weekly: MeetingSeries, next_meeting: Meeting) -> None:
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        with pytest.raises(WrongStateError):
            open_meeting(meeting=weekly.meetings.get(status="planned"), actor=None, now=NOW)

    def test_the_agenda_stays_as_it_was(
        self, next_meeting: Meeting, bookings: KpiNode, make_action: Callable[..., Action]
    ) -> None:
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        make_action(bookings)
        assert not next_meeting.agenda_items.exists()


class TestRecordDecision:
    def test_answers_the_miss(self, october_miss: Miss, next_meeting: Meeting, alice: Any) -> None:
        open_meeting(meeting=next_meeting, actor=alice, now=NOW)
        item = next_meeting.agenda_items.get()
        record_decision(item=item, kind="target_change", text="下期で見直す", actor=alice, now=NOW)
        october_miss.refresh_from_db()
        assert (october_miss.end, october_miss.end_reason) == ("target_change", "下期で見直す")

    def test_needs_an_open_meeting(self, october_miss: Miss, next_meeting: Meeting) -> None:
        with pytest.raises(WrongStateError):
            record_decision(item=next_meeting.agenda_items.get(), kind="information", actor=None, now=NOW)

    def test_accepting_needs_words(self, october_miss: Miss, next_meeting: Meeting) -> None:
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        with pytest.raises(ReasonRequiredError):
            record_decision(item=next_meeting.agenda_items.get(), kind="accepted", actor=None, now=NOW)

    def test_an_improvement_action_is_named(
        self, october_miss: Miss, next_meeting: Meeting, bookings: KpiNode, make_action: Callable[..., Action]
    ) -> None:
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        item = next_meeting.agenda_items.get()
        with pytest.raises(ReviewError):
            record_decision(item=item, kind="improvement_action", actor=None, now=NOW)
        action = make_action(bookings)
        record_decision(item=item, kind="improvement_action", action=action, actor=None, now=NOW)
        october_miss.refresh_from_db()
        action.refresh_from_db()
        assert (october_miss.end, action.miss) == ("improvement_action", october_miss)


class TestMinutes:
    def test_are_saved_while_the_meeting_lasts(self, next_meeting: Meeting) -> None:
        assert save_minutes(meeting=next_meeting, text="開始", now=NOW).minutes == "開始"

    def test_nobodys_words_are_overwritten(self, next_meeting: Meeting) -> None:
        save_minutes(meeting=next_meeting, text="Aliceの記録", base_version=0, now=NOW)
        with pytest.raises(MinutesConflictError):
            save_minutes(meeting=next_meeting, text="Bobの記録", base_version=0, now=NOW)
        next_meeting.refresh_from_db()
        assert next_meeting.minutes == "Aliceの記録"

    def test_are_fixed_when_the_meeting_is_closed(self, next_meeting: Meeting) -> None:
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        close_meeting(meeting=next_meeting, actor=None, now=NOW)
        with pytest.raises(WrongStateError):
            save_minutes(meeting=next_meeting, text="後から", now=NOW)


class TestCloseMeeting:
    def test_carries_what_was_not_decided(
        self, october_miss: Miss, bookings: KpiNode, next_meeting: Meeting, make_action: Callable[..., Action]
    ) -> None:
        action = make_action(bookings)
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        decided = next_meeting.agenda_items.get(action=action)
        record_decision(item=decided, kind="information", actor=None, now=NOW)
        close_meeting(meeting=next_meeting, actor=None, now=NOW)
        following = Meeting.objects.get(status="planned")
        carried = following.agenda_items.get(kind="carried")
        assert (carried.miss, carried.carried_from.meeting) == (october_miss, next_meeting)
        assert following.agenda_items.filter(miss=october_miss).count() == 1

    def test_what_was_answered_in_the_meantime_is_not_carried(self, bookings: KpiNode, next_meeting: Meeting) -> None:
        add_kpi(meeting=next_meeting, node=bookings, now=NOW)
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        record_decision(item=next_meeting.agenda_items.get(), kind="kpi_review", actor=None, now=NOW)
        close_meeting(meeting=next_meeting, actor=None, now=NOW)
        assert not Meeting.objects.get(status="planned").agenda_items.exists()

    def test_needs_a_meeting_in_session(self, next_meeting: Meeting) -> None:
        with pytest.raises(WrongStateError):
            close_meeting(meeting=next_meeting, actor=None, now=NOW)


class TestAgenda:
    def test_misses_by_money_then_actions(
        self, october_miss: Miss, bookings: KpiNode, next_meeting: Meeting, make_action: Callable[..., Action]
    ) -> None:
        make_action(bookings)
        add_kpi(meeting=next_meeting, node=bookings, now=NOW)
        make_action(bookings, action="価格表を作る", due_on=OCTOBER)
        assert [(item.kind, item.title) for item in next_meeting.agenda_items.all()] == [
            ("miss", "受注額"),
            ("action", "価格表を作る"),
            ("action", "提案書を見直す"),
            ("kpi", "受注額"),
        ]

    def test_money_at_stake_comes_before_what_was_carried_over_without(
        self, win_rate: KpiNode, bookings: KpiNode, next_meeting: Meeting
    ) -> None:
        aim(win_rate, "0.3")
        type_in(win_rate, "0.2")
        record_misses(period=finish(), now=NOW)
        hold(next_meeting)
        aim(bookings, "1000000")
        type_in(bookings, "800000")
        record_misses(period=finish(), now=NOW)
        items = Meeting.objects.get(status="planned").agenda_items.all()
        assert [(item.kind, item.title) for item in items] == [("miss", "受注額"), ("carried", "受注率")]

    def test_a_miss_that_was_carried_over_keeps_its_amount_up_to_date(
        self, october_miss: Miss, bookings: KpiNode, next_meeting: Meeting
    ) -> None:
        hold(next_meeting)
        type_in(bookings, "900000")
        record_misses(period=finish(), now=NOW)
        carried = Meeting.objects.get(status="planned").agenda_items.get()
        assert (carried.kind, carried.amount_at_stake) == ("carried", 100_000)

    def test_an_old_action_that_is_not_due_waits(
        self, weekly: MeetingSeries, bookings: KpiNode, next_meeting: Meeting, make_action: Callable[..., Action]
    ) -> None:
        action = make_action(bookings, due_on=date(2027, 3, 1))
        held = NOW + timedelta(hours=1)
        open_meeting(meeting=next_meeting, actor=None, now=held)
        record_decision(item=next_meeting.agenda_items.get(), kind="information", actor=None, now=held)
        close_meeting(meeting=next_meeting, actor=None, now=held)
        following = weekly.meetings.get(status="planned")
        assert not following.agenda_items.filter(action=action).exists()


class TestChecklist:
    def test_nothing_planned(self, in_acme: Any) -> None:
        assert check_meetings(NOW.date()).status == "not_started"

    def test_done_after_two_meetings_in_time_with_decisions_and_regressed_by_lapse(
        self, weekly: MeetingSeries, bookings: KpiNode
    ) -> None:
        assert check_meetings(NOW.date()).status == "in_progress"
        for week in range(2):
            meeting = weekly.meetings.get(status="planned")
            moment = NOW + timedelta(days=7 * week)
            add_kpi(meeting=meeting, node=bookings, now=moment)
            open_meeting(meeting=meeting, actor=None, now=moment)
            record_decision(item=meeting.agenda_items.get(), kind="information", actor=None, now=moment)
            close_meeting(meeting=meeting, actor=None, now=moment)
        assert check_meetings(date(2026, 12, 2)).status == "done"
        assert check_meetings(date(2027, 1, 15)).status == "regressed"


class TestConsole:
    """What the console's summary row knows of meetings as soon as they are planned, moved or given up."""

    @pytest.fixture
    def shown(self, console: Company, acme: Company, drain_outbox: Callable[[], int]) -> Callable[[], Any]:
        def read() -> Any:
            drain_outbox()
            with tenant_context(console):
                row = CompanyHealth.objects.filter(company_id=acme.id).first()
            return row and row.next_meeting_at

        return read

    def test_shows_the_next_meeting_once_it_is_planned(self, next_meeting: Meeting, shown: Callable[[], Any]) -> None:
        assert shown() == next_meeting.scheduled_at

    def test_follows_a_meeting_that_is_moved(self, next_meeting: Meeting, shown: Callable[[], Any]) -> None:
        reschedule_meeting(meeting=next_meeting, scheduled_at=NOW + timedelta(days=2))
        assert shown() == NOW + timedelta(days=2)

    def test_shows_the_new_rhythm(self, weekly: MeetingSeries, shown: Callable[[], Any]) -> None:
        shown()
        save_series(series=weekly, weekday=4, now=NOW)
        assert timezone.localtime(shown()).date() == date(2026, 11, 27)

    def test_shows_none_of_a_series_that_is_given_up(self, weekly: MeetingSeries, shown: Callable[[], Any]) -> None:
        assert shown() is not None
        save_series(series=weekly, is_active=False, now=NOW)
        assert shown() is None

    def test_shows_an_extra_meeting(self, weekly: MeetingSeries, shown: Callable[[], Any]) -> None:
        shown()
        plan_meeting(series=weekly, scheduled_at=NOW + timedelta(hours=2))
        assert shown() == NOW + timedelta(hours=2)


def test_health_names_misses_and_meetings(october_miss: Miss, next_meeting: Meeting) -> None:
    assert read_health(NOW) == {
        "unanswered_miss_count": 1,
        "last_meeting_at": None,
        "next_meeting_at": next_meeting.scheduled_at,
    }
