"""Numbers and records as of an earlier moment, over the API."""

from datetime import UTC, datetime

import pytest
import time_machine

LOADED, MEETING, LATER, NOW = (datetime(2026, 11, day, 3, tzinfo=UTC) for day in (1, 9, 16, 20))
CELL = {"node": "won_deals", "period_start": "2026-10-01", "grain": "month", "as_of": MEETING.isoformat()}


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def moved(clock, api, plan):
    """Two won deals of October, one of which was moved to November after the meeting."""
    clock.move_to(LOADED)
    people = [{"external_id": name, "name": name.title()} for name in ("bob", "dora")]
    api.made("facts/people/bulk/", {"source": "crm", "records": people})
    deals = [deal("D1", "bob"), deal("D2", "dora", source_url="https://crm.example/D2")]
    api.made("facts/deals/bulk/?wait=1", {"source": "crm", "records": deals})
    clock.move_to(LATER)
    moved = deal("D2", "dora", closed_on="2026-11-02")
    api.made("facts/deals/bulk/?wait=1", {"source": "crm", "records": [moved]})
    clock.move_to(NOW)
    return plan


def deal(external_id, owner, **more):
    return {
        "external_id": external_id,
        "name": f"Deal {external_id}",
        "owner": owner,
        "created_on": "2026-09-01",
        "closed_on": "2026-10-05",
        "outcome": "won",
        "amount": 100,
        **more,
    }


class TestEvidence:
    def test_shows_then_and_now_with_the_cause_in_a_sentence(self, api, moved):
        found = api.shown("evidence/", tree=moved["tree"], **CELL)
        assert (found["then"]["value"], found["now"]["value"]) == (2, 1)
        assert found["causes"] == [{"happening": "changed", "name": "closed_on", "count": 1}]
        assert found["sentence"] == "Then 2 cases → now 1 case: Closed on changed in 1 record"

    def test_lists_the_record_with_what_happened_and_its_link(self, api, moved):
        (record,) = api.shown("evidence/", tree=moved["tree"], **CELL)["records"]
        assert (record["external_id"], record["url"]) == ("D2", "https://crm.example/D2")
        assert (record["before"], record["after"]) == ({"weight": 1, "measured": None}, None)
        (change,) = record["changes"]
        assert (change["action"], change["changes"]) == ("updated", {"closed_on": ["2026-10-05", "2026-11-02"]})
        assert datetime.fromisoformat(change["at"]) == LATER

    def test_a_rate_has_both_sides(self, api, moved):
        found = api.shown("evidence/", tree=moved["tree"], **{**CELL, "node": "win_rate"})
        assert found["then"] == {"value": 1, "numerator": 2, "denominator": 2, "absence": None}
        assert found["now"] == {"value": 1, "numerator": 1, "denominator": 1, "absence": None}

    def test_an_absent_number_has_its_code(self, api, moved):
        asked = {**CELL, "node": "win_rate", "period_start": "2026-11-01", "as_of": MEETING.isoformat()}
        assert api.shown("evidence/", tree=moved["tree"], **asked)["then"] == {
            "value": None,
            "numerator": 0,
            "denominator": 0,
            "absence": "no_denominator",
        }

    @pytest.mark.parametrize("moment", ["2026-10-31T00:00:00Z", "2027-01-01T00:00:00Z"])
    def test_what_is_not_known_is_refused_in_words(self, api, moved, moment):
        for path in ("evidence/", "records/"):
            response = api.get(path, tree=moved["tree"], **{**CELL, "as_of": moment})
            assert response.status_code == 400
            (error,) = response.json()["errors"]
            assert (error["field"], error["code"]) == ("as_of", "no_history")

    def test_a_reader_finds_only_records_in_sight(self, signed_in, bob, moved):
        found = signed_in(bob).shown("evidence/", tree=moved["tree"], **CELL)
        assert (found["records"], found["hidden_count"], found["causes"][0]["count"]) == ([], 1, 1)

    def test_a_typed_number_has_no_records(self, api, moved):
        metric = {"code": "visits", "name": "Visits", "unit": "count", "accumulation": "sum"}
        api.made("metrics/", {**metric, "spec": {"kind": "manual"}})
        node = {"tree": moved["tree"], "parent": moved["bookings"], "level": "kpi", "metric": "visits"}
        api.made("nodes/", node)
        response = api.get("evidence/", tree=moved["tree"], **{**CELL, "node": "visits"})
        assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "node")


class TestRecords:
    def test_lists_what_was_counted_at_the_moment(self, api, moved):
        found = api.shown("records/", tree=moved["tree"], **CELL)["results"]
        assert sorted(row["external_id"] for row in found) == ["D1", "D2"]
        now = {name: value for name, value in CELL.items() if name != "as_of"}
        assert [row["external_id"] for row in api.shown("records/", tree=moved["tree"], **now)["results"]] == ["D1"]
