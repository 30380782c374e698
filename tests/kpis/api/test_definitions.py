"""Metrics, trees and nodes through the API."""

import json

import pytest
from django.utils import timezone

from kpis.models import Person
from kpis.services.facts import upsert_facts
from tests.kpis.api.conftest import WON, count_of

pytestmark = pytest.mark.django_db


class TestMetrics:
    def test_shows_what_was_sent(self, api):
        body = {
            "code": "won_deals",
            "name": "Won deals",
            "unit": "count",
            "direction": "up",
            "accumulation": "sum",
            "spec": count_of(WON),
            "effective_from": None,
        }
        made = api.made("metrics/", body)
        shown = api.shown(f"metrics/{made['id']}/")
        assert shown == made
        assert {name: shown[name] for name in body if name != "spec"} == {
            name: value for name, value in body.items() if name != "spec"
        }
        assert shown["spec"].items() >= body["spec"].items()

    def test_achievement_where_lower_is_better_is_counted_as_chosen(self, api, plan):
        metrics = {each["code"]: each for each in api.shown("metrics/")["results"]}
        address = f"metrics/{metrics['bookings']['id']}/"
        assert metrics["bookings"]["achievement_formula"] == "difference"
        assert api.patch(address, {"spec": {"kind": "manual"}, "direction": "down"}).status_code == 200
        month = {"period_start": "2026-10-01"}
        api.made("entries/", {"metric": "bookings", **month, "value": 200})
        api.made("targets/", {"node": plan["bookings"], **month, "value": 160})
        asked = {"tree": plan["tree"], "nodes": "bookings", "grain": "month", "from": "2026-10-01", "to": "2026-11-01"}
        assert api.shown("matrix/", **asked)["cells"]["achievement"] == [[[0.75]]]
        assert api.patch(address, {"achievement_formula": "ratio"}).json()["achievement_formula"] == "ratio"
        assert api.shown("matrix/", **asked)["cells"]["achievement"] == [[[0.8]]]
        assert api.patch(address, {"achievement_formula": "mean"}).status_code == 400

    def test_a_spec_with_a_date_is_a_new_version(self, api):
        made = api.made("metrics/", {**_metric("m"), "spec": count_of(WON)})
        changed = api.patch(f"metrics/{made['id']}/", {"spec": count_of(), "effective_from": "2026-10-01"})
        assert changed.status_code == 200
        assert changed.json()["effective_from"] == "2026-10-01"
        versions = api.shown(f"metrics/{made['id']}/versions/")["results"]
        assert [(each["number"], each["effective_from"]) for each in versions] == [(1, None), (2, "2026-10-01")]

    def test_a_formula_with_an_unknown_name_says_which(self, api):
        spec = {"kind": "formula", "expression": "won_deals / nothing"}
        problem = api.post("metrics/", {**_metric("rate"), "spec": spec}).json()
        assert {error["field"] for error in problem["errors"]} == {"spec.expression"}
        assert any("nothing" in error["message"] for error in problem["errors"])

    @pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
    def test_what_cannot_be_stored_is_refused(self, api, text):
        for condition in (
            {"field": "name", "op": "eq", "value": text},
            {"field": f"attributes.{text}", "op": "eq", "value": "x"},
        ):
            refused = api.post("metrics/", {**_metric("m"), "spec": count_of(condition)})
            assert refused.status_code == 400
            assert [error["field"] for error in refused.json()["errors"]] == ["spec"]

    def test_a_taken_code_is_refused(self, api):
        api.made("metrics/", _metric("m"))
        problem = api.post("metrics/", _metric("m")).json()
        assert [(error["field"], error["code"]) for error in problem["errors"]] == [("code", "unique")]


class TestTrees:
    def test_a_draft_becomes_active_once_nothing_keeps_it(self, api, in_acme, bob):
        tree = api.made("trees/", {"name": "Plan", "fiscal_year": 2026, "style": "new_business"})
        assert (tree["status"], tree["official_line"], tree["style"]) == ("draft", "target", "new_business")
        refused = api.post(f"trees/{tree['id']}/activate/")
        assert refused.status_code == 400
        assert "no_kgi" in {error["code"] for error in refused.json()["errors"]}
        issues = api.shown(f"trees/{tree['id']}/issues/")["results"]
        assert {"field": "", "code": "no_kgi"}.items() <= issues[0].items()

        api.made("metrics/", _metric("goal"))
        api.made("metrics/", _metric("step"))
        owned = {"tree": tree["id"], "responsible": str(bob.public_id)}
        api.made("nodes/", {**owned, "level": "kgi", "metric": "goal"})
        ksf = {"level": "ksf", "code": "new", "name": "New", "parent": "goal", "reason": "it grows"}
        api.made("nodes/", {"tree": tree["id"], **ksf})
        api.made("nodes/", {**owned, "level": "kpi", "metric": "step", "parent": "new"})
        refused = api.post(f"trees/{tree['id']}/activate/").json()
        assert [(error["field"], error["code"]) for error in refused["errors"]] == [
            ("goal", "no_target"),
            ("step", "no_target"),
        ]
        for node in ("goal", "step"):
            api.made("targets/", {"tree": tree["id"], "node": node, "period_start": "2026-10-01", "value": 5})
        assert api.made(f"trees/{tree['id']}/activate/", None)["status"] == "active"
        assert [each["id"] for each in api.shown("trees/", status="active")["results"]] == [tree["id"]]


class TestNodes:
    def test_defaults_come_from_the_metric(self, api, plan):
        node = api.shown(f"nodes/{plan['win_rate']}/")
        assert (node["code"], node["name"], node["frequency"], node["link"]) == (
            "win_rate",
            "win_rate",
            "month",
            "influence",
        )
        assert (node["tree"], node["parent"], node["metric"]) == (
            plan["tree"],
            plan["bookings"],
            plan["metric:win_rate"],
        )

    def test_a_ksf_has_no_metric_and_parents_may_be_codes(self, api, plan):
        ksf = {"tree": plan["tree"], "level": "ksf", "code": "new", "name": "New", "parent": "bookings"}
        made = api.made("nodes/", {**ksf, "reason": "it grows", "controllable_by": {"marketing": "full"}})
        assert (made["parent"], made["metric"], made["controllable_by"]) == (
            plan["bookings"],
            None,
            {"marketing": "full"},
        )
        problem = api.post("nodes/", {**ksf, "code": "other", "metric": "win_rate"}).json()
        assert [error["field"] for error in problem["errors"]] == ["metric"]
        missing = api.post("nodes/", {**ksf, "code": "other", "parent": "unknown"}).json()
        assert [(error["field"], error["code"]) for error in missing["errors"]] == [("parent", "does_not_exist")]

    def test_a_ksf_without_a_code_gets_a_slug_of_its_own(self, api, plan):
        ksf = {"tree": plan["tree"], "level": "ksf", "parent": "bookings"}
        codes = [
            api.made("nodes/", {**ksf, "name": name})["code"] for name in ("More Leads!", "More leads", "質", "量")
        ]
        assert codes == ["more-leads", "more-leads-2", "ksf", "ksf-2"]
        problem = api.post("nodes/", ksf).json()
        assert [(error["field"], error["code"]) for error in problem["errors"]] == [("name", "required")]

    def test_own_rules_decide_the_status_in_the_matrix(self, api, plan):
        rule = {"status": "at_risk", "measure": "value", "op": "gte", "limit": 0}
        given = {"status_rules": [{**rule, "status": "missed"}, rule]}
        assert api.patch(f"nodes/{plan['win_rate']}/", given).status_code == 200
        record = {"external_id": "1", "created_on": "2026-10-01", "closed_on": "2026-10-05", "outcome": "won"}
        api.made("facts/deals/bulk/?wait=1", {"source": "crm", "records": [record]})
        asked = {"tree": plan["tree"], "grain": "month", "from": "2026-10-01", "to": "2026-11-01", "nodes": "win_rate"}
        assert api.shown("matrix/", **asked)["cells"]["status"] == [[["at_risk"]]]
        refused = api.patch(f"nodes/{plan['win_rate']}/", {"status_rules": [{**rule, "status": "fine"}]})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "status_rules.0.status")

    @pytest.mark.parametrize("controllable_by", [{"nobody": "full"}, {"marketing": "maybe"}, {"marketing": []}])
    def test_only_known_functions_move_a_number_fully_partially_or_not(self, api, plan, controllable_by):
        refused = api.patch(f"nodes/{plan['win_rate']}/", {"controllable_by": controllable_by})
        assert refused.status_code == 400
        assert [error["field"] for error in refused.json()["errors"]] == ["controllable_by"]

    def test_the_responsible_may_be_named_in_three_ways(self, api, plan, in_acme, bob):
        upsert_facts(resource="people", source="crm", records=[{"external_id": "P", "name": "P"}], now=timezone.now())
        person = Person.objects.get()
        address = f"nodes/{plan['win_rate']}/"
        for reference, shown in (
            ({"source": "crm", "external_id": "P"}, person.public_id),
            (str(bob.public_id), bob.public_id),
            (str(person.public_id), person.public_id),
            (None, None),
        ):
            changed = api.patch(address, {"responsible": reference})
            assert changed.status_code == 200, changed.content
            assert changed.json()["responsible"] == (str(shown) if shown else None)
        unknown = api.patch(address, {"responsible": {"source": "crm", "external_id": "nobody"}})
        assert unknown.json()["errors"][0]["code"] == "does_not_exist"

    @pytest.mark.parametrize("unstorable", ["\x00", "\ud800"])
    @pytest.mark.parametrize("shape", ["{}", {"source": "crm", "external_id": "{}"}, {"source": "{}"}])
    def test_a_reference_that_cannot_be_stored_names_nobody(self, api, plan, unstorable, shape):
        reference = json.loads(json.dumps(shape).replace("{}", json.dumps(unstorable)[1:-1]))
        refused = api.patch(f"nodes/{plan['bookings']}/", {"responsible": reference})
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["code"] == "does_not_exist"
        assert api.patch(f"nodes/{plan['bookings']}/", {"metric": f"won{unstorable}"}).status_code == 400

    def test_filters_and_removal(self, api, plan):
        assert len(api.shown("nodes/", tree=plan["tree"])["results"]) == 4
        assert [row["id"] for row in api.shown("nodes/", metric="win_rate")["results"]] == [plan["win_rate"]]
        assert api.delete(f"nodes/{plan['win_rate']}/").status_code == 204
        assert api.get(f"nodes/{plan['win_rate']}/").status_code == 404


def _metric(code: str) -> dict:
    return {"code": code, "name": code, "unit": "count", "accumulation": "sum", "spec": {"kind": "manual"}}
