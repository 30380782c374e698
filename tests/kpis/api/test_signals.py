"""Signal or noise and the lead over the KGI, asked by another system."""

import pytest

from tests.remembering import remembered

pytestmark = pytest.mark.django_db
ASKED = {"grain": "month", "period_start": "2026-10-01"}


@pytest.fixture
@remembered
def history(api, plan):
    """Bob closes 2 or 3 deals a month from January on and wins one of them; in October he closes 12."""
    records = [
        {
            "external_id": f"D{month}-{n}",
            "created_on": f"2026-{month:02}-01",
            "closed_on": f"2026-{month:02}-05",
            "outcome": "won" if n == 0 else "lost",
            "amount": 100 + month,
        }
        for month in range(1, 11)
        for n in range(12 if month == 10 else 2 + month % 2)
    ]
    api.made("facts/deals/bulk/?wait=1", {"source": "crm", "records": records})
    return plan


def test_says_whether_the_last_period_moved_as_always(api, history):
    found = api.shown(f"nodes/{history['closed_deals']}/signals/", **ASKED)["variation"]
    assert (found["period_start"], found["movement"], found["is_unusual"]) == ("2026-10-01", "above", True)
    assert (found["value"], found["count"]) == (12, 9)
    assert found["lower"] <= found["mean"] <= found["upper"] < 12
    usual = api.shown(f"nodes/{history['closed_deals']}/signals/", grain="month", period_start="2026-09-01")
    assert usual["variation"]["is_unusual"] is False


@pytest.mark.parametrize(
    ("grain", "running", "judged", "months"),
    [
        ("quarter", "2026-10-01", "2026-07-01", 3),
        ("half", "2026-10-01", "2026-04-01", 6),
        ("year", "2026-04-01", "2025-04-01", 12),
    ],
)
def test_speaks_of_longer_periods_too(api, plan, grain, running, judged, months):
    """Ten of them with one or two deals by turns, then eight deals in the last that is over; another one runs."""
    starts = [int(judged[:4]) * 12 + int(judged[5:7]) - 1 - months * back for back in range(11)]
    days = {back: f"{start // 12}-{start % 12 + 1:02}-05" for back, start in enumerate(starts)}
    records = [
        {"external_id": f"Q{back}-{n}", "created_on": day, "closed_on": day, "outcome": "lost", "amount": 1}
        for back, day in days.items()
        for n in range(8 if back == 0 else 1 + back % 2)
    ]
    api.made("facts/deals/bulk/?wait=1", {"source": "crm", "records": records})
    found = api.shown(f"nodes/{plan['closed_deals']}/signals/", grain=grain, period_start=running)["variation"]
    assert (found["period_start"], found["value"], found["movement"]) == (judged, 8, "above")
    assert found["count"] >= 8


def test_tells_how_the_kgi_goes_with_it(api, history):
    found = api.shown(f"nodes/{history['closed_deals']}/signals/", **ASKED)["connection"]
    assert found["pairs"] >= 8
    assert -1 <= found["low"] <= found["coefficient"] <= found["high"] <= 1
    assert found["confidence"] in {"high", "medium", "none"}
    assert api.shown(f"nodes/{history['bookings']}/signals/", **ASKED)["connection"] is None, "the KGI itself"


def test_too_little_history_is_null_and_a_bad_period_refused(api, plan):
    address = f"nodes/{plan['closed_deals']}/signals/"
    assert api.shown(address, **ASKED) == {"variation": None, "connection": None}
    refused = api.get(address, grain="month", period_start="2026-10-02")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "period_start")
    factor = api.made("nodes/", {"tree": plan["tree"], "level": "ksf", "parent": "bookings", "name": "New"})
    assert api.get(f"nodes/{factor['id']}/signals/", **ASKED).status_code == 404


def test_of_members_in_sight_only(api, history, signed_in, bob):
    api.made("facts/teams/bulk/?wait=1", {"source": "crm", "records": [{"external_id": "north", "name": "North"}]})
    person = {"external_id": "eve", "name": "Eve", "team": "north"}
    api.made("facts/people/bulk/?wait=1", {"source": "crm", "records": [person]})
    asked = {**ASKED, "dimension": "person", "member": "eve"}
    address = f"nodes/{history['closed_deals']}/signals/"
    assert api.get(address, **asked).status_code == 200
    assert signed_in(bob).get(address, **asked).status_code == 403
