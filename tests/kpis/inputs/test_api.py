"""Input requests through the API: what waits, entering it, taking it back."""

from typing import Any

import pytest

from tests.kpis.inputs.conftest import Visits, ask, close

pytestmark = pytest.mark.django_db


def test_lists_what_waits_for_the_caller(visits: Visits, signed_in: Any, bob: Any) -> None:
    (row,) = signed_in(bob).shown("input-requests/")["results"]
    assert row == {
        "node": str(visits.node.public_id),
        "metric": str(visits.metric.public_id),
        "name": "訪問数",
        "grain": "month",
        "period_start": "2026-10-01",
        "period": row["period"],
        "dimension": "company",
        "member": None,
        "due_on": "2026-11-05",
        "late_by": 7,
        "asked": "Bob",
        "previous": None,
        "target": 40,
    }


def test_a_system_sees_what_waits_for_all(visits: Visits, api: Any, signed_in: Any, dave: Any) -> None:
    assert len(api.shown("input-requests/")["results"]) == 1
    assert signed_in(dave).shown("input-requests/")["results"] == []
    assert len(signed_in(dave).shown("input-requests/", everybody="true")["results"]) == 1


def test_enters_why_there_is_no_value_and_takes_it_back(visits: Visits, signed_in: Any, bob: Any) -> None:
    caller = signed_in(bob)
    place = {"metric": "visits", "period_start": "2026-10-01"}
    assert caller.post("entries/", place).json()["errors"][0]["field"] == "value"
    made = caller.post("entries/", {**place, "absence": "not_applicable", "note": "休止"})
    assert made.status_code == 201, made.content
    assert (made.json()["value"], made.json()["absence"]) == (None, "not_applicable")
    assert caller.shown("input-requests/")["results"] == []
    assert caller.delete(f"entries/{made.json()['id']}/").status_code == 204
    assert len(caller.shown("input-requests/")["results"]) == 1


def test_a_deputy_enters_what_others_may_not(visits: Visits, signed_in: Any, alice: Any) -> None:
    entry = {"metric": "visits", "period_start": "2026-10-01", "value": 3}
    ask(visits.node, deputy=None)
    assert signed_in(alice).post("entries/", entry).status_code == 403
    ask(visits.node, deputy=alice.person)
    assert signed_in(alice).post("entries/", entry).status_code == 201


def test_a_closed_period_keeps_its_value(visits: Visits, api: Any) -> None:
    made = api.made("entries/", {"metric": "visits", "period_start": "2026-10-01", "value": 3})
    close()
    refused = api.delete(f"entries/{made['id']}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid_entry")


def test_says_who_is_asked_and_when(visits: Visits, api: Any) -> None:
    shown = api.shown(f"nodes/{visits.node.public_id}/")
    assert (shown["entered_for"], shown["due_business_day"]) == ("company", None)
    changed = api.patch(f"nodes/{visits.node.public_id}/", {"due_business_day": 5, "deputy": None})
    assert changed.status_code == 200, changed.content
    assert changed.json()["deputy"] is None
