"""Misses, improvement actions and meetings over REST, in the shapes of the contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from integrations.services.api_keys import create_api_key
from kpis.models import KpiNode, KpiTree
from reviews.models import Action, Meeting, MeetingSeries, Miss
from tenants.models import Company
from tests.conftest import host_of
from tests.kpis.api.conftest import Caller
from tests.reviews.conftest import NOW

LOGGED = {"cause": "失注が増えた", "action": "提案書を見直す", "due_on": "2026-11-27"}


def with_key(acme: Company, *scopes: str) -> Caller:
    _key, secret = create_api_key(name="-".join(scopes), scopes=scopes, actor=None, now=NOW)
    return Caller(Client(headers={"host": host_of(acme), "authorization": f"Api-Key {secret}"}))


@pytest.fixture
def writer(in_acme: Company) -> Caller:
    return with_key(in_acme, "read", "write")


@pytest.fixture
def reader(in_acme: Company) -> Caller:
    return with_key(in_acme, "read")


@pytest.fixture
def as_bob(client_for: Callable[..., Client], bob: Any, acme: Company) -> Caller:
    return Caller(client_for(bob, acme))


class TestMisses:
    def test_have_the_shape_of_the_contract(self, october_miss: Miss, bookings: KpiNode, reader: Caller) -> None:
        (miss,) = reader.get("misses/").json()["results"]
        contract = {
            "id": str(october_miss.public_id),
            "node": str(bookings.public_id),
            "dimension": "company",
            "member": None,
            "period_start": "2026-10-01",
            "grain": "month",
            "target": 1_000_000,
            "value": 800_000,
            "asked": True,
            "status": "open",
            "end": None,
        }
        assert {name: miss[name] for name in contract} == contract

    def test_are_found_by_the_nodes_code_in_its_tree(
        self, october_miss: Miss, bookings: KpiNode, tree: KpiTree, reader: Caller
    ) -> None:
        found = [
            len(reader.get("misses/", node=node, tree=str(tree.public_id)).json()["results"])
            for node in ("bookings", "win_rate", str(bookings.public_id))
        ]
        assert found == [1, 0, 1]

    def test_a_code_without_a_tree_is_a_fault(self, october_miss: Miss, reader: Caller) -> None:
        answer = reader.get("misses/", node="bookings")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "node")

    def test_are_answered_once(self, october_miss: Miss, writer: Caller) -> None:
        address = f"misses/{october_miss.public_id}/answer/"
        refused = writer.post(address, {"end": "accepted"})
        assert (refused.status_code, refused.json()["code"]) == (400, "reason_required")
        assert writer.post(address, {"end": "accepted", "reason": "季節要因"}).json()["end"] == "accepted"
        again = writer.post(address, {"end": "information"})
        assert (again.status_code, again.json()["code"]) == (409, "already_answered")

    def test_a_reading_key_answers_nothing(self, october_miss: Miss, reader: Caller) -> None:
        answer = reader.post(f"misses/{october_miss.public_id}/answer/", {"end": "information"})
        assert answer.status_code == 403

    def test_a_member_answers_nothing(self, october_miss: Miss, as_bob: Caller) -> None:
        assert len(as_bob.get("misses/").json()["results"]) == 1
        assert as_bob.post(f"misses/{october_miss.public_id}/answer/", {"end": "information"}).status_code == 403


class TestNodes:
    def test_a_kpi_with_actions_is_not_removed(
        self, bookings: KpiNode, make_action: Callable[..., Action], writer: Caller
    ) -> None:
        node = make_action(bookings).node
        answer = writer.delete(f"nodes/{node.public_id}/", headers={"accept-language": "en"})
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_tree")
        assert node.name in answer.json()["detail"]
        assert KpiNode.objects.filter(pk=node.pk).exists()


class TestActions:
    def test_is_logged_about_a_miss(self, october_miss: Miss, bookings: KpiNode, writer: Caller) -> None:
        sent = {
            **LOGGED,
            "miss": str(october_miss.public_id),
            "expected_effect": {"metric": "bookings", "amount": 250000.5, "lag_days": 30},
        }
        answer = writer.post("actions/", sent)
        assert answer.status_code == 201, answer.content
        action = answer.json()
        assert (action["miss"], action["node"]) == (str(october_miss.public_id), str(bookings.public_id))
        assert action["expected_effect"]["amount"] == 250000.5
        assert action["expected_effect"]["metric"] == str(bookings.metric.public_id)
        assert (action["baseline"]["value"], action["verdict"], action["status"]) == (800_000, None, "planned")
        october_miss.refresh_from_db()
        assert october_miss.end == "improvement_action"

    def test_is_logged_about_a_node_by_code(self, bookings: KpiNode, tree: KpiTree, writer: Caller) -> None:
        answer = writer.post("actions/", {**LOGGED, "node": "bookings", "tree": str(tree.public_id)})
        assert (answer.status_code, answer.json()["miss"]) == (201, None)

    def test_no_expected_effect_may_be_said_with_null(self, bookings: KpiNode, writer: Caller) -> None:
        answer = writer.post("actions/", {**LOGGED, "node": str(bookings.public_id), "expected_effect": None})
        assert answer.status_code == 201, answer.content
        changed = writer.patch(f"actions/{answer.json()['id']}/", {"expected_effect": {"amount": 5}})
        assert changed.json()["expected_effect"]["amount"] == 5
        cleared = writer.patch(f"actions/{answer.json()['id']}/", {"expected_effect": None})
        assert cleared.json()["expected_effect"]["amount"] is None

    def test_names_its_owner_by_source_and_external_id(
        self, bookings: KpiNode, organisation: Any, writer: Caller
    ) -> None:
        owner = {"source": "hr", "external_id": "bob"}
        answer = writer.post("actions/", {**LOGGED, "node": str(bookings.public_id), "owner": owner})
        assert answer.json()["owner"] == str(organisation["bob"].public_id)

    def test_needs_a_miss_or_a_node(self, tree: KpiTree, writer: Caller) -> None:
        answer = writer.post("actions/", LOGGED)
        assert [error["field"] for error in answer.json()["errors"]] == ["node"]

    def test_is_changed_with_if_match(
        self, bookings: KpiNode, make_action: Callable[..., Action], writer: Caller
    ) -> None:
        address = f"actions/{make_action(bookings).public_id}/"
        etag = writer.get(address).headers["ETag"]
        changed = writer.patch(address, {"status": "in_progress"}, headers={"if-match": etag})
        assert changed.json()["status"] == "in_progress"
        assert writer.patch(address, {"status": "done"}, headers={"if-match": etag}).status_code == 412

    def test_a_member_logs_own_ones_only(self, bookings: KpiNode, organisation: Any, as_bob: Caller) -> None:
        sent = {**LOGGED, "node": str(bookings.public_id)}
        own = as_bob.post("actions/", {**sent, "owner": str(organisation["bob"].public_id)})
        others = as_bob.post("actions/", {**sent, "owner": str(organisation["emi"].public_id)})
        assert (own.status_code, others.status_code) == (201, 403)

    def test_a_member_sees_own_ones_only(
        self, bookings: KpiNode, organisation: Any, make_action: Callable[..., Action], as_bob: Caller
    ) -> None:
        own = make_action(bookings, owner=organisation["bob"])
        make_action(bookings, owner=organisation["emi"])
        assert [row["id"] for row in as_bob.get("actions/").json()["results"]] == [str(own.public_id)]

    def test_filters(
        self, bookings: KpiNode, win_rate: KpiNode, make_action: Callable[..., Action], reader: Caller
    ) -> None:
        make_action(bookings)
        late = make_action(win_rate, due_on=NOW.date().replace(day=1))
        assert [row["id"] for row in reader.get("actions/", overdue="true").json()["results"]] == [str(late.public_id)]
        assert len(reader.get("actions/", node=str(bookings.public_id)).json()["results"]) == 1


class TestMeetings:
    def test_the_whole_meeting(
        self, october_miss: Miss, weekly: MeetingSeries, next_meeting: Meeting, writer: Caller
    ) -> None:
        (meeting,) = writer.get("meetings/").json()["results"]
        assert {name: meeting[name] for name in ("series", "status", "minutes")} == {
            "series": str(weekly.public_id),
            "status": "planned",
            "minutes": "",
        }
        address = f"meetings/{meeting['id']}/"
        assert writer.post(f"{address}open/").json()["status"] == "open"
        (item,) = writer.get(f"{address}agenda/").json()["results"]
        assert (item["kind"], item["object"], item["amount_at_stake"]) == ("miss", str(october_miss.public_id), 200_000)
        assert (item["frozen"]["value"], item["frozen"]["target"]) == (800_000, 1_000_000)
        decision = {"agenda_item": item["id"], "kind": "target_change", "text": "下期で見直す", "action": None}
        answer = writer.post(f"{address}decisions/", decision)
        assert answer.status_code == 201, answer.content
        assert {name: answer.json()[name] for name in decision} == decision
        saved = writer.client.put(f"/api/v1/{address}minutes/", {"text": "以上"}, content_type="application/json")
        assert saved.json()["text"] == "以上"
        assert writer.post(f"{address}close/").json()["status"] == "closed"
        assert writer.get(address).json()["minutes"] == "以上"
        assert writer.post(f"{address}close/").status_code == 409

    def test_undecided_points_go_to_the_next_meeting(
        self, october_miss: Miss, next_meeting: Meeting, writer: Caller
    ) -> None:
        writer.post(f"meetings/{next_meeting.public_id}/open/")
        writer.post(f"meetings/{next_meeting.public_id}/close/")
        (following,) = writer.get("meetings/", status="planned").json()["results"]
        (item,) = writer.get(f"meetings/{following['id']}/agenda/").json()["results"]
        assert (item["kind"], item["object"]) == ("carried", str(october_miss.public_id))

    def test_a_series_begins_and_meets(self, tree: KpiTree, writer: Caller) -> None:
        sent = {"name": "月次", "interval": "monthly", "weekday": 1, "week_of_month": 2, "starts_at": "13:00"}
        series = writer.post("meeting-series/", sent).json()["id"]
        assert len(writer.get("meetings/", series=series).json()["results"]) == 1
        extra = writer.post("meetings/", {"series": series, "scheduled_at": "2026-12-01T10:00:00+09:00"})
        assert extra.status_code == 201
        moved = writer.patch(f"meetings/{extra.json()['id']}/", {"scheduled_at": "2026-12-02T10:00:00+09:00"})
        assert moved.json()["scheduled_at"].startswith("2026-12-02T10:00")

    def test_a_kpi_is_put_on_the_agenda(self, bookings: KpiNode, next_meeting: Meeting, writer: Caller) -> None:
        answer = writer.post(f"meetings/{next_meeting.public_id}/agenda/", {"node": str(bookings.public_id)})
        assert (answer.json()["kind"], answer.json()["object"]) == ("kpi", str(bookings.public_id))

    def test_members_see_no_meetings(self, next_meeting: Meeting, as_bob: Caller) -> None:
        assert as_bob.get("meetings/").status_code == 403

    def test_a_reading_key_opens_nothing(self, next_meeting: Meeting, reader: Caller) -> None:
        assert reader.get(f"meetings/{next_meeting.public_id}/agenda/").status_code == 200
        assert reader.post(f"meetings/{next_meeting.public_id}/open/").status_code == 403
