"""Proposed targets: by weight, from a date on, carried forward, for those who join and leave; nothing is stored."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.utils import timezone

from kpis.models import Period, Person, Target, Team, TeamLeader
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute

pytestmark = pytest.mark.django_db
PATH = "targets/proposals/"


@pytest.fixture
def propose(api, plan):
    def ask(code="bookings", **body):
        return api.made(PATH, {"node": plan[code], **body})

    return ask


@pytest.fixture
def set_months(api, plan):
    """Sets the same target in each month of the fiscal year 2026."""

    def make(value, code="bookings", months=range(4, 16), **place):
        rows = [
            {
                "node": plan[code],
                "period_start": f"{2026 + (month > 12)}-{(month - 1) % 12 + 1:02}-01",
                "value": value,
                **place,
            }
            for month in months
        ]
        api.made("targets/bulk/", {"records": rows})

    return make


def send(resource, *records):
    result = upsert_facts(resource=resource, source="crm", records=records, now=timezone.now())
    assert not result.rejected


def deal(number, month, amount):
    return {
        "external_id": f"d{number}",
        "created_on": "2024-01-01",
        "closed_on": f"{month}-10",
        "amount": amount,
        "outcome": "won",
        "owner": "bob",
    }


def values(answer):
    return [target["value"] for target in answer["targets"]]


class TestSpread:
    def test_evenly_with_the_remainder_in_the_last_month(self, propose):
        answer = propose(method="even", value=100)
        assert sum(values(answer)) == 100
        assert len(values(answer)) == 12
        assert answer["remainder"] == 1
        assert answer["targets"][0] == {
            "member": None,
            "period_start": "2026-04-01",
            "current": None,
            "value": 8,
            "proration": None,
            "is_changed": True,
        }

    def test_by_business_days(self, propose, in_acme):
        parts = values(propose(method="business_days", value=12_000))
        assert sum(parts) == 12_000
        assert parts[0] > parts[1]  # April has more business days than May with its holidays

    def test_in_whole_steps(self, propose):
        parts = values(propose(method="even", value=100_500, step=1000))
        assert all(part % 1000 == 0 for part in parts[:-1])
        assert sum(parts) == 100_500

    def test_a_rate_is_repeated(self, propose):
        assert set(values(propose("win_rate", method="even", value=0.2))) == {0.2}

    def test_closed_months_keep_what_they_have(self, propose, set_months, in_acme):
        set_months(10)
        Period.objects.filter(grain="month", start_date="2026-04-01").update(state="closed")
        answer = propose(method="even", value=120)
        assert answer["targets"][0]["period_start"] == "2026-05-01"
        assert values(answer) == [10] * 11

    def test_as_in_past_years(self, propose, in_acme):
        send("people", {"external_id": "bob", "name": "Bob"})
        amounts = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9]
        send("deals", *(deal(i, f"{2025 + (i > 8)}-{(i + 3) % 12 + 1:02}", amount) for i, amount in enumerate(amounts)))
        recompute(now=timezone.now())
        assert values(propose(method="seasonality", value=2000)) == [100] * 11 + [900]

    def test_without_a_whole_past_year_it_says_so(self, api, plan):
        refused = api.post(PATH, {"node": plan["bookings"], "method": "seasonality", "value": 100})
        assert (refused.status_code, refused.json()["code"]) == (409, "no_history")

    def test_nothing_is_stored(self, propose, in_acme):
        propose(method="even", value=100)
        assert not Target.objects.exists()


class TestChangesWithinTheYear:
    @pytest.fixture
    def in_november(self):
        with time_machine.travel(datetime(2026, 11, 16, 3, tzinfo=UTC), tick=False):
            yield

    def test_the_same_from_a_date_on(self, propose):
        answer = propose("win_rate", method="from_date", value=0.3, start="2027-01-01")
        assert [target["period_start"] for target in answer["targets"]] == ["2027-01-01", "2027-02-01", "2027-03-01"]
        assert set(values(answer)) == {0.3}

    def test_carries_what_is_missing_forward(self, in_november, propose, set_months, in_acme):
        set_months(100)
        send("people", {"external_id": "bob", "name": "Bob"})
        send("deals", deal(0, "2025-01", 1), *(deal(month, f"2026-{month:02}", 90) for month in range(4, 11)))
        recompute(now=timezone.now())
        answer = propose(method="carry_forward")
        assert answer["targets"][0]["period_start"] == "2026-11-01"
        assert sum(values(answer)) == 5 * 100 + 7 * 10

    def test_a_rate_is_not_carried(self, api, plan):
        refused = api.post(PATH, {"node": plan["win_rate"], "method": "carry_forward"})
        assert (refused.status_code, refused.json()["code"]) == (409, "not_a_sum")


class TestJoinersAndLeavers:
    @pytest.fixture
    def leaver(self, in_acme, set_months):
        """Leo leaves on Friday 2026-11-13, after 9 of November's 19 business days."""
        send(
            "people",
            {"external_id": "leo", "name": "Leo", "left_on": "2026-11-13"},
            {"external_id": "mia", "name": "Mia"},
        )
        set_months(1900, dimension="person", member="leo")
        set_months(100, dimension="person", member="mia", months=[11])

    def test_prorates_by_business_days(self, propose, leaver):
        answer = propose(method="prorate", dimension="person", member="leo", start="2026-11-01")
        assert values(answer) == [900, 0, 0, 0, 0]

    def test_what_is_left_stays_visible_as_not_allocated(self, propose, leaver):
        answer = propose(method="hand_over", dimension="person", member="leo", start="2026-11-01")
        rest = [target for target in answer["targets"] if target["member"] == "unassigned"]
        assert [target["value"] for target in rest] == [1000, 1900, 1900, 1900, 1900]
        assert sum(values(answer)) == 5 * 1900

    def test_or_goes_to_a_person_on_top_of_the_own(self, propose, leaver):
        answer = propose(method="hand_over", dimension="person", member="leo", receiver="mia", start="2026-11-01")
        taken = [target for target in answer["targets"] if target["member"] == "mia"]
        assert (taken[0]["current"], taken[0]["value"]) == (100, 1100)

    def test_a_company_hands_nothing_over(self, api, plan, leaver):
        answer = api.post(PATH, {"node": plan["bookings"], "method": "hand_over"})
        assert (answer.status_code, answer.json()["code"]) == (409, "no_dates")

    def test_who_stays_is_not_prorated(self, api, plan, leaver):
        body = {"node": plan["bookings"], "method": "prorate", "dimension": "person", "member": "mia"}
        assert api.post(PATH, body).json()["code"] == "no_dates"


class TestAskedAgain:
    """Leo leaves on 2026-11-13, after 9 of November's 19 business days; Mia joins on 2026-11-16 and takes over."""

    @pytest.fixture
    def ask(self, in_acme, set_months, propose):
        send(
            "people",
            {"external_id": "leo", "name": "Leo", "left_on": "2026-11-13"},
            {"external_id": "mia", "name": "Mia", "hired_on": "2026-11-16"},
        )
        set_months(1900, dimension="person", member="leo", months=[11, 12])
        set_months(380, dimension="person", member="mia", months=[11])

        def ask(method, member="leo", **body):
            return propose(method=method, dimension="person", member=member, start="2026-11-01", **body)

        return ask

    @pytest.fixture
    def save(self, api, plan):
        """Sets what was proposed, as the grid does."""

        def save(answer):
            rows = [
                {
                    "node": plan["bookings"],
                    "dimension": "person",
                    "reason": "Leo leaves.",
                    **{name: row[name] for name in ("member", "period_start", "value", "proration")},
                }
                for row in answer["targets"]
                if row["is_changed"]
            ]
            if rows:
                api.made("targets/bulk/", {"records": rows})
            return len(rows)

        return save

    def test_proposes_the_same_and_changes_nothing(self, ask, save):
        first = ask("prorate")
        assert (values(first), save(first)) == ([900, 0], 2)
        again = ask("prorate")
        assert (values(again), save(again)) == ([900, 0], 0)

    def test_nothing_is_handed_over_twice(self, ask, save, held):
        assert save(ask("hand_over", receiver="mia")) == 4
        assert held() == {"leo": 900, "mia": 380 + 1000}
        assert save(ask("hand_over", receiver="mia")) == 0
        assert save(ask("hand_over")) == 0
        assert held() == {"leo": 900, "mia": 1380}

    def test_what_was_only_prorated_is_still_to_be_handed_over(self, ask, save, held):
        save(ask("prorate"))
        save(ask("hand_over", receiver="mia"))
        assert held() == {"leo": 900, "mia": 1380}

    def test_another_last_day_counts_from_the_whole_target(self, ask, save, held):
        save(ask("hand_over", receiver="mia"))
        Person.objects.filter(external_id="leo").update(left_on="2026-11-20")  # 14 business days
        save(ask("hand_over", receiver="mia"))
        assert held() == {"leo": 1400, "mia": 380 + 500}

    def test_nobody_gives_back_what_somebody_else_took_over(self, api, plan, ask, save):
        save(ask("hand_over", receiver="mia"))
        Person.objects.filter(external_id="leo").update(left_on="2026-11-20")
        body = {"node": plan["bookings"], "method": "hand_over", "dimension": "person", "member": "leo"}
        refused = api.post(PATH, {**body, "start": "2026-11-01"})
        assert (refused.status_code, refused.json()["code"]) == (409, "not_taken")

    def test_a_target_that_was_set_since_is_a_whole_one(self, ask, save, set_months):
        save(ask("prorate"))
        set_months(3800, dimension="person", member="leo", months=[11], reason="New plan.")
        assert values(ask("prorate")) == [1800, 0]

    def test_who_joins_keeps_what_was_taken_over(self, ask, save, held):
        save(ask("prorate", member="mia"))  # 10 of 19 business days
        assert held()["mia"] == 200
        save(ask("hand_over", receiver="mia"))
        assert held()["mia"] == 1200
        assert save(ask("prorate", member="mia")) == 0

    def test_a_rate_is_left_alone(self, propose, set_months, ask):
        set_months(0.2, "win_rate", dimension="person", member="leo", months=[11])
        (target,) = propose("win_rate", method="prorate", dimension="person", member="leo")["targets"]
        assert (target["value"], target["proration"], target["is_changed"]) == (0.2, None, False)

    @pytest.fixture
    def held(self, in_acme):
        def held():
            rows = Target.objects.filter(period_start="2026-11-01").values_list("member__code", "value")
            return {code: int(value) for code, value in rows}

        return held


class TestWhoMayAsk:
    def test_a_manager_only_for_the_own_people(self, signed_in, alice, plan, in_acme):
        send("teams", {"external_id": "north", "name": "North"})
        send("people", {"external_id": "alice", "name": "Alice"}, {"external_id": "carl", "name": "Carl"})
        send("people", {"external_id": "bob", "name": "Bob", "team": "north"})
        Person.objects.filter(external_id="alice").update(user=alice)
        TeamLeader.objects.create(team=Team.objects.get(name="North"), person=Person.objects.get(name="Alice"))
        body = {"node": plan["bookings"], "method": "even", "value": 12, "dimension": "person"}
        caller = signed_in(alice)
        assert caller.post(PATH, {**body, "member": "bob"}).status_code == 200
        assert caller.post(PATH, {**body, "member": "carl"}).status_code == 403
        assert caller.post(PATH, {"node": plan["bookings"], "method": "even", "value": 12}).status_code == 403

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"method": "magic"}, "method"),
            ({"step": 0}, "step"),
            ({"dimension": "person", "member": "nobody"}, "member"),
            ({"value": "much"}, "value"),
        ],
    )
    def test_refuses_what_cannot_be(self, api, plan, change, field):
        response = api.post(PATH, {"node": plan["bookings"], "method": "even", "value": 1, **change})
        assert response.status_code == 400
        assert field in {error["field"] for error in response.json()["errors"]}
