"""The handover ledger, what was agreed, the rules for leads, and what people say of what these found."""

from datetime import timedelta

import pytest
from django.utils import timezone

from kpis.models import Deal, FactStream, LeadExclusion, LeadLink
from kpis.services.recompute import recompute
from tenants.context import tenant_context

pytestmark = pytest.mark.django_db

MAIL = "hana@example.co.jp"
NOVEMBER = {"from": "2026-11-01", "to": "2026-12-01"}
AGREED = {
    "mql_meaning": "60 points",
    "sql_meaning": "need and time are known",
    "response_hours": 4,
    "marketing_name": "Tanaka",
    "sales_name": "Sato",
    "agreed_on": "2026-04-01",
    "effective_from": "2026-04-01",
}
RULES = {
    "link_order": ["email"],
    "joins_same_email": True,
    "scan_count": 20,
    "scan_minutes": 10,
    "opens_at": "09:00:00",
    "closes_at": "18:00:00",
}


@pytest.fixture
def sent(api, acme):
    """Send facts of a source and wait until the numbers show them."""

    def send(source: str, resource: str, *records: dict) -> None:
        body = {"source": source, "records": list(records)}
        assert not api.made(f"facts/{resource}/bulk/", body)["rejected"]
        with tenant_context(acme):
            recompute(now=timezone.now())

    return send


class TestLedger:
    def test_lists_who_was_handed_over_and_what_became_of_it(self, api, sent) -> None:
        api.made("handover-definitions/", AGREED)
        sent("ma", "leads", {"external_id": "L1", "created_on": "2026-11-02", "lead_source": "Web"})
        stage = {"external_id": "E1", "lead": "L1", "stage": "mql", "entered_at": "2026-11-09T10:00:00+09:00"}
        sent("ma", "lead-stage-events", stage)
        call = {"external_id": "V1", "kind": "call", "happened_on": "2026-11-09", "lead": "L1"}
        sent("ma", "activities", call | {"happened_at": "2026-11-09T11:30:00+09:00"})
        (row,) = api.shown("handovers/", **NOVEMBER)["results"]
        assert row["lead"] == {"source": "ma", "external_id": "L1", "url": ""}
        assert (row["handed_over_on"], row["status"], row["lead_source"]) == ("2026-11-09", "waiting", "Web")
        assert (row["response_hours"], row["response_days"], row["in_time"]) == (1.5, 0, True)
        assert row["first_contact"]["external_id"] == "V1"
        (line,) = api.shown("handovers/summary/", **NOVEMBER)["lead_sources"]
        assert (line["handed_over"], line["in_time_rate"], line["acceptance_rate"]) == (1, 1, None)
        assert api.shown("handovers/", **NOVEMBER, status="returned")["results"] == []

    def test_tells_nobody_handed_over_from_nobody_knows(self, api, sent) -> None:
        unknown = api.shown("handovers/summary/", **NOVEMBER)
        assert unknown == {"as_of": None, "stale": False, "absence": "missing", "lead_sources": []}
        sent("ma", "leads", {"external_id": "L1", "created_on": "2026-11-02", "lead_source": "Web"})
        none = api.shown("handovers/summary/", **NOVEMBER)
        assert none["as_of"] and (none["absence"], none["lead_sources"]) == (None, [])

    def test_marks_what_a_late_source_told(self, api, sent, acme) -> None:
        sent("ma", "leads", {"external_id": "L1", "created_on": "2026-11-02", "lead_source": "Web"})
        with tenant_context(acme):
            last = timezone.now() - timedelta(days=30)
            FactStream.objects.update(last_success_at=last, expected_every=timedelta(days=1))
        found = api.shown("handovers/summary/", **NOVEMBER)
        assert (found["stale"], found["absence"]) == (True, "missing")
        assert found["as_of"].startswith(f"{timezone.localtime(last):%Y-%m-%dT%H:%M}")

    def test_asks_for_a_stretch_of_time(self, api) -> None:
        assert api.get("handovers/").status_code == 400


class TestDefinitions:
    def test_a_new_one_takes_the_place_of_the_last(self, api) -> None:
        api.made("handover-definitions/", AGREED)
        api.made("handover-definitions/", AGREED | {"effective_from": "2026-10-01", "response_hours": 2})
        found = api.shown("handover-definitions/")["results"]
        assert [each["response_hours"] for each in found] == [2, 4]

    def test_refuses_one_department_that_agrees_with_itself(self, api) -> None:
        answer = api.post("handover-definitions/", AGREED | {"sales_name": "Tanaka"})
        assert answer.status_code in {400, 409, 422}
        assert answer.json()["errors"][0]["field"] == "sales_name"


class TestJoining:
    def test_the_company_says_which_rules_hold(self, api) -> None:
        assert api.shown("lead-rules/")["link_order"] == ["converted", "external_id", "email", "domain"]
        answer = api.client.put("/api/v1/lead-rules/", RULES, "application/json")
        assert answer.status_code == 200, answer.content.decode()
        assert api.shown("lead-rules/")["link_order"] == ["email"]
        bad = api.client.put("/api/v1/lead-rules/", RULES | {"closes_at": "08:00"}, "application/json")
        assert bad.json()["errors"][0]["field"] == "closes_at"

    def test_a_link_is_taken_off(self, api, sent, acme) -> None:
        sent("ma", "leads", {"external_id": "L1", "created_on": "2026-11-02", "email_hash": MAIL})
        sent("crm", "deals", {"external_id": "D1", "created_on": "2026-11-09", "email_hash": MAIL})
        (link,) = api.shown("lead-links/")["results"]
        assert (link["lead"]["external_id"], link["deal"]["external_id"], link["rule"]) == ("L1", "D1", "email")
        api.made(f"lead-links/{link['id']}/verdict/", {"verdict": "undo"})
        with tenant_context(acme):
            recompute(now=timezone.now())
            assert Deal.objects.get().lead is None
            assert LeadLink.objects.get().undone_at is not None
        assert api.post(f"lead-links/{link['id']}/verdict/", {"verdict": "choose"}).status_code == 400

    def test_a_duplicate_is_counted_on_its_own(self, api, sent, acme) -> None:
        for name in ("L1", "L2"):
            sent("ma", "leads", {"external_id": name, "created_on": "2026-11-02", "email_hash": MAIL})
        (row,) = api.shown("lead-exclusions/")["results"]
        assert (row["lead"]["external_id"], row["same_as"]["external_id"], row["is_out"]) == ("L2", "L1", True)
        answer = api.made(f"lead-exclusions/{row['id']}/verdict/", {"verdict": "counted"})
        assert (answer["is_out"], answer["verdict"]) == (False, "counted")
        with tenant_context(acme):
            assert not LeadExclusion.objects.filter(is_out=True).exists()

    def test_is_not_for_everybody(self, signed_in, bob) -> None:
        assert signed_in(bob).get("lead-links/").status_code == 403
