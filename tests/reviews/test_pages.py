"""The pages: who sees what, the short form, the meeting from opening to closing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.test import Client

from kpis.models import DimensionMember, KpiNode
from reviews.models import Action, Meeting, MeetingSeries, Miss
from reviews.services.meetings import open_meeting
from reviews.services.misses import record_misses
from tenants.models import Company
from tests.reviews.conftest import NOW, aim, finish, type_in

FORM = {"cause": "失注が増えた", "action": "提案書を見直す", "owner": "", "due_on": "2026-11-27"}


@pytest.fixture
def as_alice(client_for: Callable[..., Client], alice: Any, acme: Company) -> Client:
    return client_for(alice, acme)


@pytest.fixture
def as_bob(client_for: Callable[..., Client], bob: Any, acme: Company) -> Client:
    return client_for(bob, acme)


def text(response: Any) -> str:
    return re.sub(r"<[^>]+>", "", response.content.decode())


@pytest.fixture
def emis_miss(bookings: KpiNode, organisation: Any) -> Miss:
    """Emi of the west team missed her own target."""
    where = {"dimension": "person", "member": DimensionMember.objects.get(dimension__code="person", code="emi")}
    aim(bookings, "100", **where)
    type_in(bookings, "10", **where)
    record_misses(period=finish(), now=NOW)
    return Miss.objects.get(dimension="person")


class TestMissList:
    def test_shows_open_cases_with_target_and_actual(self, october_miss: Miss, as_alice: Client) -> None:
        shown = text(as_alice.get("/misses/"))
        assert "受注額" in shown
        assert "2026年10月" in shown
        assert "80.0%" in shown

    def test_says_what_it_is_for_when_empty(self, tree: Any, as_alice: Client) -> None:
        assert as_alice.get("/misses/").status_code == 200

    def test_a_manager_does_not_see_persons_of_other_teams(self, emis_miss: Miss, as_alice: Client) -> None:
        assert "Emi" not in text(as_alice.get("/misses/"))
        assert as_alice.get(f"/misses/{emis_miss.public_id}/").status_code == 404

    def test_an_owner_sees_all(
        self, emis_miss: Miss, client_for: Callable[..., Client], dave: Any, acme: Company
    ) -> None:
        assert "Emi" in text(client_for(dave, acme).get("/misses/"))

    def test_hr_has_no_business_here(
        self, october_miss: Miss, client_for: Callable[..., Client], hana: Any, acme: Company
    ) -> None:
        assert client_for(hana, acme).get("/misses/").status_code == 403

    def test_asks_to_sign_in(self, client_for: Callable[..., Client], acme: Company) -> None:
        assert client_for(None, acme).get("/misses/").status_code == 302


class TestMissPage:
    def test_fills_in_what_is_known(
        self, october_miss: Miss, next_meeting: Meeting, organisation: Any, as_alice: Client
    ) -> None:
        page = as_alice.get(f"/misses/{october_miss.public_id}/").content.decode()
        assert 'value="2026-11-30"' in page
        assert re.search(r"<option[^>]* selected>Alice</option>", page)

    def test_logs_the_action_in_one_form(self, october_miss: Miss, as_alice: Client, alice: Any) -> None:
        answer = as_alice.post(f"/misses/{october_miss.public_id}/", FORM | {"effect_amount": "200000"})
        assert answer.headers["Location"] == "/misses/"
        action = Action.objects.get()
        assert (action.miss, action.owner_user, action.effect_amount) == (october_miss, alice, 200_000)
        assert "改善アクション" in text(as_alice.get(f"/misses/{october_miss.public_id}/"))

    def test_loses_nothing_on_a_fault(self, october_miss: Miss, as_alice: Client) -> None:
        answer = as_alice.post(f"/misses/{october_miss.public_id}/", FORM | {"due_on": "2026-11-01"})
        assert answer.status_code == 422
        assert "提案書を見直す" in answer.content.decode()
        assert not Action.objects.exists()

    def test_points_of_a_rate_are_typed_as_points(self, win_rate: KpiNode, as_alice: Client) -> None:
        aim(win_rate, "0.3")
        type_in(win_rate, "0.2")
        record_misses(period=finish(), now=NOW)
        as_alice.post(f"/misses/{Miss.objects.get().public_id}/", FORM | {"effect_amount": "5"})
        assert float(Action.objects.get().effect_amount) == 0.05

    def test_says_in_which_unit_the_effect_is_typed(
        self, october_miss: Miss, win_rate: KpiNode, as_alice: Client
    ) -> None:
        money = as_alice.get(f"/misses/{october_miss.public_id}/").content.decode()
        assert re.search(r'name="effect_amount"[^>]*>\s*<span class="unit">円</span>', money)
        rate = as_alice.get(f"/actions/new/?node={win_rate.public_id}").content.decode()
        assert re.search(r'name="effect_amount"[^>]*>\s*<span class="unit">pt</span>', rate)

    def test_offers_what_surveys_name_and_says_so(self, win_rate: KpiNode, as_alice: Client) -> None:
        aim(win_rate, "0.3")
        type_in(win_rate, "0.2")
        record_misses(period=finish(), now=NOW)
        shown = text(as_alice.get(f"/misses/{Miss.objects.get().public_id}/"))
        assert "36.3%" in shown

    def test_in_the_sheet_the_page_below_is_refreshed(self, october_miss: Miss, as_alice: Client) -> None:
        address = f"/misses/{october_miss.public_id}/"
        sheet = as_alice.get(address, headers={"hx-request": "true"}).content.decode()
        assert "<html" not in sheet
        answer = as_alice.post(address, FORM, headers={"hx-request": "true"})
        assert answer.headers["HX-Refresh"] == "true"

    def test_save_and_next_goes_on_to_the_next_case(
        self, october_miss: Miss, win_rate: KpiNode, as_alice: Client
    ) -> None:
        aim(win_rate, "0.3")
        type_in(win_rate, "0.2")
        record_misses(period=finish(), now=NOW)
        following = Miss.objects.get(node=win_rate)
        answer = as_alice.post(f"/misses/{october_miss.public_id}/", FORM | {"next": "1"})
        assert answer.headers["Location"] == f"/misses/{following.public_id}/"

    def test_another_answer(self, october_miss: Miss, as_alice: Client) -> None:
        address = f"/misses/{october_miss.public_id}/answer/"
        assert as_alice.post(address, {"end": "accepted", "reason": ""}).status_code == 422
        assert as_alice.post(address, {"end": "accepted", "reason": "季節要因"}).status_code == 302
        october_miss.refresh_from_db()
        assert october_miss.end == "accepted"

    def test_a_member_reads_the_companys_miss_and_cannot_answer(self, october_miss: Miss, as_bob: Client) -> None:
        address = f"/misses/{october_miss.public_id}/"
        assert "<textarea" not in as_bob.get(address).content.decode()
        as_bob.post(address, FORM)
        assert not Action.objects.exists()
        assert as_bob.post(f"{address}answer/", {"end": "information"}).status_code == 404


class TestActions:
    def test_a_member_sees_and_changes_only_own_ones(
        self, bookings: KpiNode, organisation: Any, make_action: Callable[..., Action], as_bob: Client
    ) -> None:
        own = make_action(bookings, owner=organisation["bob"], action="電話する")
        other = make_action(bookings, owner=organisation["emi"], action="訪問する")
        shown = text(as_bob.get("/actions/?view=all"))
        assert ("電話する" in shown, "訪問する" in shown) == (True, False)
        assert as_bob.get(f"/actions/{other.public_id}/").status_code == 404
        as_bob.post(f"/actions/{own.public_id}/", FORM | {"owner": organisation["bob"].pk, "status": "done"})
        own.refresh_from_db()
        assert own.status == "done"

    def test_a_manager_sees_the_team(
        self, bookings: KpiNode, organisation: Any, make_action: Callable[..., Action], as_alice: Client
    ) -> None:
        make_action(bookings, owner=organisation["bob"], action="電話する")
        make_action(bookings, owner=organisation["emi"], action="訪問する")
        shown = text(as_alice.get("/actions/"))
        assert ("電話する" in shown, "訪問する" in shown) == (True, False)

    @pytest.mark.parametrize(("view", "found"), [("mine", "電話"), ("overdue", "訪問"), ("open", "電話")])
    def test_views(
        self,
        bookings: KpiNode,
        alice: Any,
        make_action: Callable[..., Action],
        as_alice: Client,
        view: str,
        found: str,
    ) -> None:
        make_action(bookings, owner_user=alice, action="電話")
        make_action(bookings, actor=alice, action="訪問", due_on=date(2026, 11, 1))
        assert found in text(as_alice.get(f"/actions/?view={view}"))

    def test_one_without_a_miss(self, bookings: KpiNode, as_alice: Client) -> None:
        assert "受注額" in text(as_alice.get("/actions/new/"))
        assert as_alice.post(f"/actions/new/?node={bookings.public_id}", FORM).status_code == 302
        assert Action.objects.get().node == bookings

    def test_a_change_is_told(
        self, bookings: KpiNode, alice: Any, make_action: Callable[..., Action], as_alice: Client
    ) -> None:
        action = make_action(bookings, actor=alice)
        as_alice.post(f"/actions/{action.public_id}/", FORM | {"status": "in_progress"})
        shown = text(as_alice.get(f"/actions/{action.public_id}/"))
        assert "進行中" in shown


class TestPanels:
    def test_today_names_misses_actions_and_the_next_meeting(
        self,
        october_miss: Miss,
        win_rate: KpiNode,
        alice: Any,
        make_action: Callable[..., Action],
        next_meeting: Meeting,
        as_alice: Client,
    ) -> None:
        make_action(win_rate, owner_user=alice, action="価格表を作る")
        shown = as_alice.get("/").content.decode()
        assert f"/misses/{october_miss.public_id}/" in shown
        assert "価格表を作る" in shown
        assert f"/meetings/{next_meeting.public_id}/" in shown

    def test_today_asks_a_member_for_nothing_that_is_not_his(
        self, october_miss: Miss, next_meeting: Meeting, as_bob: Client
    ) -> None:
        shown = as_bob.get("/").content.decode()
        assert f"/misses/{october_miss.public_id}/" not in shown
        assert f"/meetings/{next_meeting.public_id}/" not in shown

    def test_today_asks_nothing_of_who_only_reads(
        self, october_miss: Miss, client_for: Callable[..., Client], vera: Any, acme: Company, as_alice: Client
    ) -> None:
        assert "panel-reviews" in as_alice.get("/").content.decode()
        assert "panel-reviews" not in client_for(vera, acme).get("/").content.decode()

    def test_a_kpi_shows_its_misses_and_actions(
        self, october_miss: Miss, bookings: KpiNode, alice: Any, make_action: Callable[..., Action], as_alice: Client
    ) -> None:
        make_action(bookings, owner_user=alice, action="価格表を作る")
        shown = as_alice.get(f"/kpis/{bookings.public_id}/").content.decode()
        assert f"/misses/{october_miss.public_id}/" in shown
        assert "価格表を作る" in shown
        assert f"/actions/new/?node={bookings.public_id}" in shown


class TestMeetings:
    def test_a_series_is_planned_in_one_form(self, tree: Any, as_alice: Client) -> None:
        sent = {"name": "週次", "interval": "weekly", "weekday": "0", "week_of_month": "1", "starts_at": "10:00"}
        answer = as_alice.post("/meetings/series/new/", sent | {"is_active": "on"})
        assert answer.headers["Location"] == f"/meetings/{Meeting.objects.get().public_id}/"
        assert "週次" in text(as_alice.get("/meetings/"))

    def test_a_new_series_has_a_name_and_a_time_already(self, tree: Any, as_alice: Client) -> None:
        page = as_alice.get("/meetings/series/new/").content.decode()
        assert 'value="レビュー会議"' in page
        assert 'value="10:00"' in page

    def test_an_item_says_how_much_money_is_at_stake(
        self, october_miss: Miss, next_meeting: Meeting, as_alice: Client
    ) -> None:
        address = f"/meetings/{next_meeting.public_id}/"
        shown = text(as_alice.get(address))
        assert "不足額 200,000円" in shown
        assert "受注額 2026年10月未達" in shown
        assert "不足額 200,000円" in text(as_alice.get(f"{address}print/"))

    def test_members_do_not_run_meetings(self, next_meeting: Meeting, as_bob: Client) -> None:
        assert as_bob.get("/meetings/").status_code == 403
        assert as_bob.post(f"/meetings/{next_meeting.public_id}/open/").status_code == 403

    def test_from_opening_to_closing(self, october_miss: Miss, next_meeting: Meeting, as_alice: Client) -> None:
        address = f"/meetings/{next_meeting.public_id}/"
        assert "受注額" in text(as_alice.get(address))
        as_alice.post(f"{address}open/")
        item = next_meeting.agenda_items.get()
        logged = as_alice.post(f"/actions/new/?item={item.public_id}", FORM)
        assert logged.headers["Location"] == address
        assert item.decisions.get().action == Action.objects.get()
        saved = as_alice.post(
            f"{address}minutes/", {"minutes": "提案書を直す", "version": "0"}, headers={"hx-request": "true"}
        )
        assert 'value="1"' in saved.content.decode()
        as_alice.post(f"{address}close/")
        next_meeting.refresh_from_db()
        assert (next_meeting.status, next_meeting.minutes) == ("closed", "提案書を直す")
        printed = text(as_alice.get(f"{address}print/"))
        assert "提案書を直す" in printed
        assert "改善アクション" in printed

    def test_a_decision_with_a_fault_keeps_the_words(
        self, october_miss: Miss, next_meeting: Meeting, as_alice: Client
    ) -> None:
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        item = next_meeting.agenda_items.get()
        address = f"/meetings/{next_meeting.public_id}/items/{item.public_id}/"
        answer = as_alice.post(address, {"kind": "improvement_action", "text": "やってみる"})
        assert answer.status_code == 422
        assert "やってみる" in answer.content.decode()

    def test_a_kpi_is_added_by_hand(self, bookings: KpiNode, next_meeting: Meeting, as_alice: Client) -> None:
        as_alice.post(f"/meetings/{next_meeting.public_id}/kpis/", {"node": bookings.pk})
        assert next_meeting.agenda_items.get().kind == "kpi"

    def test_a_meeting_is_moved(self, next_meeting: Meeting, as_alice: Client) -> None:
        as_alice.post(f"/meetings/{next_meeting.public_id}/schedule/", {"scheduled_at": "2026-12-01T15:00"})
        next_meeting.refresh_from_db()
        assert next_meeting.scheduled_at.isoformat() == "2026-12-01T06:00:00+00:00"

    def test_other_companies_see_nothing(
        self, next_meeting: Meeting, client_for: Callable[..., Client], mallory: Any, globex: Company
    ) -> None:
        assert client_for(mallory, globex).get(f"/meetings/{next_meeting.public_id}/").status_code == 404


class TestSeriesPage:
    def test_changes_a_series(self, weekly: MeetingSeries, as_alice: Client) -> None:
        sent = {"name": "営業会議", "interval": "weekly", "weekday": "4", "week_of_month": "1", "starts_at": "10:00"}
        as_alice.post(f"/meetings/series/{weekly.public_id}/", sent | {"is_active": "on"})
        weekly.refresh_from_db()
        assert (weekly.name, weekly.weekday) == ("営業会議", 4)
