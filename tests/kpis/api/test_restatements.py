"""Deciding about closed numbers over the API, and opening a period again."""

from datetime import UTC, datetime

import pytest
import time_machine

CLOSED_AT, LATER = datetime(2026, 11, 9, 3, tzinfo=UTC), datetime(2026, 11, 16, 3, tzinfo=UTC)


def deal(amount):
    return {
        "external_id": "D1",
        "created_on": "2026-09-01",
        "closed_on": "2026-10-05",
        "outcome": "won",
        "amount": amount,
        "region": "east",
    }


@pytest.fixture
def october(api, plan):
    """October was closed with one deal of 100, which has become one of 130 since."""
    with time_machine.travel(CLOSED_AT, tick=False) as clock:
        api.made("facts/deals/bulk/?wait=1", {"source": "crm", "records": [deal(100)]})
        (period,) = api.shown("periods/", grain="month", **{"from": "2026-10-01", "to": "2026-11-01"})["results"]
        api.made(f"periods/{period['id']}/close/", {})
        clock.move_to(LATER)
        api.made("facts/deals/bulk/?wait=1", {"source": "crm", "records": [deal(130)]})
        yield period


def decision(verdict, **more):
    return {"period_start": "2026-10-01", "verdict": verdict, "reason": "The order was extended.", **more}


class TestDecisions:
    def test_approving_locks_the_new_number_and_keeps_the_old(self, api, plan, october):
        made = api.made("restatement-decisions/", decision("approved"))["results"]
        company = next(row for row in made if row["dimension"] == "company")
        assert (company["node"], company["old"]["value"], company["new"]["value"]) == (plan["bookings"], 100, 130)
        assert api.shown("restatements/")["results"] == []
        asked = {"tree": plan["tree"], "grain": "month", "from": "2026-10-01", "to": "2026-11-01", "nodes": "bookings"}
        assert api.shown("matrix/", **asked)["cells"]["value"] == [[[130]]]

    def test_refusing_leaves_it_and_is_said_with_the_difference(self, api, plan, october):
        api.made("restatement-decisions/", decision("refused", nodes=[plan["bookings"]]))
        (found,) = api.shown("restatements/")["results"]
        assert (found["locked"]["value"], found["live"]["value"]) == (100, 130)
        assert found["refusal"]["reason"] == "The order was extended."

    def test_lists_what_was_decided(self, api, plan, october, signed_in, dave):
        signed_in(dave).made("restatement-decisions/", decision("approved"))
        listed = api.shown("restatement-decisions/", tree=plan["tree"], node="bookings", verdict="approved")["results"]
        assert {row["actor"] for row in listed} == {str(dave.public_id)}
        assert {row["dimension"] for row in listed} >= {"company", "region"}

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"reason": ""}, "reason"),
            ({"verdict": "perhaps"}, "verdict"),
            ({"period_start": "2026-10-02"}, "period_start"),
            ({"nodes": ["00000000-0000-4000-8000-000000000000"]}, "nodes"),
        ],
    )
    def test_bad_requests_name_the_field(self, api, october, change, field):
        response = api.post("restatement-decisions/", {**decision("approved"), **change})
        assert response.status_code == 400
        assert field in {error["field"] for error in response.json()["errors"]}

    def test_nothing_to_decide_is_a_conflict(self, api, october):
        api.made("restatement-decisions/", decision("approved"))
        assert api.post("restatement-decisions/", decision("approved")).status_code == 409

    def test_only_who_closes_periods_decides(self, signed_in, alice, october):
        assert signed_in(alice).post("restatement-decisions/", decision("approved")).status_code == 403


class TestReopen:
    def test_without_a_reason_the_field_is_named(self, api, october):
        response = api.post(f"periods/{october['id']}/reopen/", {})
        assert response.status_code == 400
        assert [error["field"] for error in response.json()["errors"]] == ["reason"]
