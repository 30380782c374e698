"""Dimensions, changes, health and checklist through the API."""

from datetime import timedelta

import pytest
from django.utils import timezone

from kpis.models import FactStream
from kpis.selectors.sources import read_sources

pytestmark = pytest.mark.django_db

DEAL = {"external_id": "D1", "created_on": "2026-09-01", "amount": 100, "region": "kanto / 東"}


def send(api, *records):
    api.made("facts/deals/bulk/?wait=1", {"source": "crm", "records": records})


class TestDimensions:
    def test_lists_and_renames(self, api):
        rows = {row["code"]: row for row in api.shown("dimensions/")["results"]}
        assert {"team", "person", "region", "seg5"} <= set(rows)
        assert rows["region"]["name"] == "Region"
        assert api.patch("dimensions/region/", {"name": "Area"}).json()["name"] == "Area"

    def test_a_member_gets_a_name_and_keeps_its_code(self, api):
        send(api, DEAL)
        members = api.shown("dimensions/region/members/", is_active=True)["results"]
        assert {row["code"] for row in members} == {"kanto / 東", "unassigned"}
        address = "dimensions/region/members/kanto / 東/"
        changed = api.patch(address, {"name": "Kanto"})
        assert changed.status_code == 200
        assert changed.json() == {**api.shown(address), "name": "Kanto", "code": "kanto / 東"}

    def test_a_persons_name_is_changed_where_it_comes_from(self, api):
        api.made("facts/people/bulk/", {"source": "crm", "records": [{"external_id": "P", "name": "Paul"}]})
        refused = api.patch("dimensions/person/members/P/", {"name": "Peter"})
        assert (refused.status_code, refused.json()["code"]) == (409, "mirrored_name")

    @pytest.mark.parametrize("path", ["dimensions/planet/", "dimensions/planet/members/"])
    def test_an_unknown_one_is_not_found(self, api, path):
        assert api.get(path).status_code == 404

    def test_names_are_for_owner_and_consultant(self, signed_in, alice):
        assert signed_in(alice).patch("dimensions/region/", {"name": "Area"}).status_code == 403


class TestChanges:
    def test_tells_what_changed_since(self, api):
        send(api, DEAL)
        before = timezone.now()
        send(api, {**DEAL, "amount": 250})
        send(api, {**DEAL, "deleted": True})
        rows = api.shown("changes/", since=before.isoformat())["results"]
        assert [(row["resource"], row["external_id"], row["action"]) for row in rows] == [
            ("deals", "D1", "updated"),
            ("deals", "D1", "deleted"),
        ]
        assert rows[0]["changes"]["amount"] == [100, 250]
        later = (timezone.now() + timedelta(minutes=1)).isoformat()
        assert api.shown("changes/", since=later)["results"] == []
        assert len(api.shown("changes/", resource="deals", limit=1)["results"]) == 1

    @pytest.mark.parametrize("person", ["alice", "bob", "vera", "hana"])
    def test_is_for_those_who_read_everybodys_rows(self, signed_in, request, person):
        assert signed_in(request.getfixturevalue(person)).get("changes/").status_code == 403


class TestHealth:
    def test_a_stream_that_did_not_come_is_late(self, api, in_acme):
        send(api, DEAL)
        assert api.shown("health/")["status"] == "ok"
        FactStream.objects.update(
            expected_every=timedelta(hours=1), last_success_at=timezone.now() - timedelta(hours=2)
        )
        shown = api.shown("health/")
        assert shown["status"] == "late"
        assert [(row["resource"], row["is_late"]) for row in shown["streams"]] == [("deals", True)]

    def test_one_of_every_five_minutes_is_not_late_while_it_is_being_read(self, api, in_acme):
        send(api, DEAL)
        for minutes, status in ((7, "ok"), (21, "late")):
            FactStream.objects.update(
                expected_every=timedelta(minutes=5), last_success_at=timezone.now() - timedelta(minutes=minutes)
            )
            assert api.shown("health/")["status"] == status
            assert [each.is_stale for each in read_sources(now=timezone.now())] == [status == "late"]


class TestChecklist:
    def test_shows_each_item_with_its_state(self, api):
        for item in api.shown("checklist/")["results"]:
            assert item["status"] in ("not_started", "in_progress", "done", "regressed", "expired")
            assert item["title"]

    def test_is_for_owner_and_consultant(self, signed_in, alice, dave):
        assert signed_in(dave).get("checklist/").status_code == 200
        assert signed_in(alice).get("checklist/").status_code == 403
