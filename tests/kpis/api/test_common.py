"""What holds at every address: errors, pages, field selection, versions, repeats, limits, languages."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client

from kpis.models import Metric

pytestmark = pytest.mark.django_db

MANUAL = {"name": "Visits", "unit": "count", "accumulation": "sum", "spec": {"kind": "manual"}}


def metric(code: str) -> dict:
    return {"code": code, **MANUAL}


class TestProblems:
    def test_an_invalid_body_names_every_field(self, api):
        response = api.post("metrics/", {"code": "x", "unit": "apples"})
        assert response.status_code == 400
        assert response["Content-Type"] == "application/problem+json"
        problem = response.json()
        assert set(problem) == {"type", "title", "status", "detail", "code", "errors"}
        assert (problem["status"], problem["code"]) == (400, "invalid")
        found = {error["field"]: error["code"] for error in problem["errors"]}
        assert found == {
            "name": "required",
            "unit": "invalid_choice",
            "accumulation": "required",
            "spec": "required",
        }

    def test_what_a_service_refuses_names_the_path_within_the_spec(self, api):
        spec = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "total"}
        problem = api.post("metrics/", {**metric("x"), "spec": spec}).json()
        assert problem["code"] == "invalid_definition"
        assert [error["field"] for error in problem["errors"]] == ["spec.aggregate"]

    @pytest.mark.parametrize(
        ("path", "status", "code"),
        [
            ("metrics/00000000-0000-0000-0000-000000000000/", 404, "not_found"),
            ("metrics/%0A/", 404, "not_found"),
            ("dimensions/None/members/%00/", 404, "not_found"),
            ("metrics/7/", 404, "not_found"),
            ("changes/1/", 404, "not_found"),
            ("astrology/", 404, "not_found"),
            ("metrics/?limit=none", 400, "invalid"),
            ("metrics/?cursor=%FF", 400, "invalid"),
            ("metrics/?fields=colour", 400, "invalid"),
            ("metrics/?unit=apples", 400, "invalid"),
            ("nodes/?tree=nothing", 400, "invalid"),
            ("targets/?node=bookings", 400, "invalid"),
        ],
    )
    def test_a_bad_address_is_told_with_a_stable_code(self, api, path, status, code):
        response = api.get(path)
        assert (response.status_code, response.json()["code"]) == (status, code)

    def test_broken_json_and_other_media_types(self, api):
        broken = api.client.post("/api/v1/metrics/", "{", "application/json")
        assert (broken.status_code, broken.json()["code"]) == (400, "parse_error")
        form = api.client.post("/api/v1/metrics/", {"code": "x"})
        assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")

    @pytest.mark.parametrize("body", [{"miss": "\ud83d"}, {"\ud83d": 1, "miss": ["\ud83d"]}])
    def test_half_a_character_is_answered_without_it(self, api, body):
        answer = api.post("actions/", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")

    def test_without_a_key_it_is_401(self, acme):
        response = Client(headers={"host": "acme.localhost"}).get("/api/v1/metrics/")
        assert response.status_code == 401
        assert response.json()["code"] == "not_authenticated"

    @pytest.mark.parametrize(("language", "detail"), [("en", "faults"), ("ja", "誤り")])
    def test_messages_follow_the_callers_language(self, api, language, detail):
        response = api.post("metrics/", {}, headers={"accept-language": language})
        assert detail in response.json()["detail"]


class TestPages:
    def test_walks_forward_and_back(self, api):
        codes = [f"m{number}" for number in range(5)]
        for code in codes:
            api.made("metrics/", metric(code))
        first = api.shown("metrics/", limit=2, search="Visits")
        second = api.shown(first["next"])
        third = api.shown(second["next"])
        pages = [[row["code"] for row in page["results"]] for page in (first, second, third)]
        assert pages == [["m0", "m1"], ["m2", "m3"], ["m4"]]
        assert (first["previous"], third["next"]) == (None, None)
        assert [row["code"] for row in api.shown(third["previous"])["results"]] == ["m2", "m3"]

    def test_short_lists_have_the_shape_of_a_page(self, api, plan):
        target = {"node": plan["bookings"], "period_start": "2026-10-01", "value": 10}
        for shown in (
            api.shown("checklist/"),
            api.shown(f"trees/{plan['tree']}/issues/"),
            api.made("targets/bulk/", [target]),
        ):
            assert set(shown) == {"results", "next", "previous"}
            assert (shown["next"], shown["previous"]) == (None, None)

    def test_fields_narrow_lists_and_rows(self, api):
        made = api.made("metrics/", metric("m"))
        assert api.shown("metrics/", fields="code,unit", code="m")["results"] == [{"code": "m", "unit": "count"}]
        assert api.shown(f"metrics/{made['id']}/", fields="name") == {"name": "Visits"}


class TestVersions:
    def test_a_stale_change_is_refused_and_nothing_is_lost(self, api):
        address = f"metrics/{api.made('metrics/', metric('m'))['id']}/"
        seen = api.get(address)["ETag"]
        changed = api.patch(address, {"name": "Calls"}, headers={"if-match": seen})
        assert changed.status_code == 200
        assert changed["ETag"] != seen
        stale = api.patch(address, {"name": "Mails"}, headers={"if-match": seen})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale")
        assert api.shown(address)["name"] == "Calls"
        assert api.patch(address, {"name": "Mails"}, headers={"if-match": changed["ETag"]}).status_code == 200
        assert api.patch(address, {"name": "Any"}, headers={"if-match": "*"}).status_code == 200

    def test_a_known_version_is_not_sent_again(self, api):
        address = f"metrics/{api.made('metrics/', metric('m'))['id']}/"
        seen = api.get(address)["ETag"]
        again = api.get(address, headers={"if-none-match": seen})
        assert (again.status_code, again.content) == (304, b"")


class TestIdempotency:
    def test_the_same_call_is_done_once_and_answered_twice(self, api):
        headers = {"idempotency-key": "abc"}
        first = api.post("trees/", {"name": "Plan", "fiscal_year": 2026}, headers=headers)
        second = api.post("trees/", {"name": "Plan", "fiscal_year": 2026}, headers=headers)
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert second["Idempotent-Replayed"] == "true"
        assert len(api.shown("trees/")["results"]) == 1

    def test_another_body_with_the_key_is_refused(self, api):
        headers = {"idempotency-key": "abc"}
        api.post("trees/", {"name": "Plan", "fiscal_year": 2026}, headers=headers)
        other = api.post("trees/", {"name": "Other", "fiscal_year": 2026}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")

    def test_a_refused_call_may_be_corrected_with_the_same_key(self, api):
        headers = {"idempotency-key": "abc"}
        assert api.post("trees/", {"name": "Plan"}, headers=headers).status_code == 400
        assert api.post("trees/", {"name": "Plan", "fiscal_year": 2026}, headers=headers).status_code == 201

    def test_another_caller_has_keys_of_its_own(self, api, caller_with):
        body, headers = {"name": "Plan", "fiscal_year": 2026}, {"idempotency-key": "abc"}
        other = caller_with("read", "write")
        assert api.post("trees/", body, headers=headers).json() != other.post("trees/", body, headers=headers).json()

    def test_an_empty_key_is_a_fault(self, api):
        response = api.post("trees/", {"name": "Plan", "fiscal_year": 2026}, headers={"idempotency-key": ""})
        assert (response.status_code, response.json()["code"]) == (400, "invalid")


class TestLimits:
    def test_too_many_calls_wait(self, api, caller_with, settings):
        settings.API_CALLS_PER_MINUTE = 2
        other = caller_with("read")
        with time_machine.travel(datetime(2026, 11, 24, 9, 0, 15, tzinfo=UTC), tick=False) as clock:
            assert [api.get("metrics/").status_code for _call in range(3)] == [200, 200, 429]
            refused = api.get("metrics/")
            assert refused.json()["code"] == "throttled"
            assert refused["Retry-After"] == "45"
            assert other.get("metrics/").status_code == 200
            clock.shift(45)
            assert api.get("metrics/").status_code == 200


class TestScopes:
    def test_a_reading_key_writes_nothing(self, caller_with, in_acme):
        reader = caller_with("read")
        response = reader.post("metrics/", metric("m"))
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
        assert not Metric.objects.filter(code="m").exists()

    @pytest.mark.parametrize("person", ["alice", "bob", "vera"])
    def test_definitions_are_for_owner_and_consultant(self, signed_in, request, person):
        caller = signed_in(request.getfixturevalue(person))
        assert caller.get("metrics/").status_code == 200
        assert caller.post("metrics/", metric("m")).status_code == 403

    def test_a_key_of_another_company_is_unknown_here(self, api, globex):
        api.client.defaults["HTTP_HOST"] = "globex.localhost:8000"
        assert api.get("metrics/").status_code == 401
