"""The OpenAPI document: it builds without a warning, every answer agrees with it, and its page works offline."""

import json
import re
from typing import Any

import jsonschema
import pytest
from django.contrib.staticfiles import finders
from django.utils import timezone
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from tests.kpis.api.test_matrix import sales  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

PARAMETERS = {"grain": "month", "from": "2026-10-01", "to": "2026-11-01", "period_start": "2026-10-01", "fact": "deals"}
PATH_VALUES = {"dimension": "region"}


@pytest.fixture
def document() -> dict[str, Any]:
    GENERATOR_STATS.reset()
    generated = SchemaGenerator(urlconf="config.urls.company").get_schema(request=None, public=True)
    return json.loads(json.dumps(generated, default=str))


class TestDocument:
    def test_builds_without_a_warning_and_is_valid(self, document):
        assert not GENERATOR_STATS._warn_cache
        assert not GENERATOR_STATS._error_cache
        validate_schema(document)
        assert document["openapi"].startswith("3.1")

    def test_every_operation_says_what_it_takes_and_gives(self, document):
        for path, operations in document["paths"].items():
            assert path.startswith("/api/v1/"), path
            for method, operation in operations.items():
                assert operation.get("summary") or operation.get("description"), (method, path)
                problem = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
                assert problem == {"$ref": "#/components/schemas/Problem"}
                answers = [code for code in operation["responses"] if code.startswith("2")]
                assert answers, (method, path)

    def test_names_every_noun_of_the_contract_there_is(self, document):
        nouns = {path.split("/")[3] for path in document["paths"]}
        assert nouns >= {
            *("metrics", "trees", "nodes", "targets", "entries", "periods", "matrix", "records", "restatements"),
            *("dimensions", "changes", "checklist", "health", "facts", "misses", "actions", "meetings"),
        }


class TestAnswers:
    def test_every_documented_read_agrees(self, api, sales, document, in_acme):  # noqa: F811
        api.made("targets/", {"node": sales["bookings"], "period_start": "2026-10-01", "value": 5})
        asked = {"node": sales["bookings"], "period_start": "2026-11-01", "value": 6}
        api.made("target-requests/", {"records": [asked], "reason": "Plan"})
        manual = {"unit": "count", "accumulation": "sum", "spec": {"kind": "manual"}}
        api.made("metrics/", {"code": "visits", "name": "Visits", **manual})
        api.made("entries/", {"metric": "visits", "period_start": "2026-10-01", "value": 3})
        running = timezone.localdate().replace(day=1).isoformat()
        api.made("forecast-calls/", {"node": sales["bookings"], "period_start": running, "value": 9})
        deal = {"external_id": "D1", "created_on": "2026-09-01", "amount": 7}
        api.made("facts/deals/bulk/?wait=1", {"source": "crm", "records": [deal]})
        goal = {"tree": sales["tree"], "goal": {"metric": "bookings", "value": 9}, "average_deal_size": 3}
        api.made("back-calculations/apply/", goal)
        worked = document["paths"]["/api/v1/back-calculations/"]["post"]["responses"]["200"]["content"]
        schema = {**worked["application/json"]["schema"], "components": document["components"]}
        jsonschema.validate(api.made("back-calculations/", goal), schema)

        moment = timezone.now().isoformat()
        asked_of = {"tree": sales["tree"], "node": sales["bookings"], "metric": "win_rate", "by": "team,product"}
        values = {**PARAMETERS, **asked_of, "as_of": moment}
        seen, without_rows = set(), set()
        for path, operation in sorted(self._reads(document), key=lambda each: each[0].count("/")):
            address = self._address(api, path)
            if address is None:
                without_rows.add(path.split("/")[3])
                continue
            asked = {each["name"]: values[each["name"]] for each in self._required(operation)}
            response = api.get(address, **asked)
            assert response.status_code == 200, (address, response.content)
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            jsonschema.validate(response.json(), {**schema, "components": document["components"]})
            seen.add(path)
        assert len(seen) >= 20
        assert without_rows <= {
            "connections",
            "misses",
            "actions",
            "meetings",
            "meeting-series",
            "jobs",
            "restatement-decisions",
            "parallel-checks",
        }

    def _reads(self, document):
        return [(path, each["get"]) for path, each in document["paths"].items() if "get" in each]

    def _required(self, operation):
        return [each for each in operation.get("parameters", []) if each.get("required") and each["in"] == "query"]

    def _address(self, api, path: str) -> str | None:
        """The path with the id or code of the first row of its list; None where the list is empty."""
        while match := re.search(r"\{(\w+)\}", path):
            name = match.group(1)
            value = PATH_VALUES.get(name)
            if value is None:
                rows = api.shown(path[: match.start()])["results"]
                if not rows:
                    return None
                value = rows[0].get("id") or rows[0]["code"]
            path = path[: match.start()] + str(value) + path[match.end() :]
        return path


class TestPages:
    def test_the_document_is_served_as_json(self, signed_in, dave):
        response = signed_in(dave).get("/api/schema/", headers={"accept": "application/json"})
        assert response.status_code == 200
        assert response.json()["info"]["title"] == "Mawaru API"

    def test_swagger_ui_comes_from_local_files_under_its_own_policy(self, signed_in, dave):
        caller = signed_in(dave)
        page = caller.get("/api/docs/")
        assert page.status_code == 200
        html = page.content.decode()
        sources = re.findall(r'(?:src|href)="([^"]+)"', html)
        assert sources
        assert all(source.startswith("/") for source in sources), sources
        for source in sources:
            if source.startswith("/static/"):
                assert finders.find(source.removeprefix("/static/")), source
        policy = page["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
        assert "style-src 'self'" in policy
        assert "'unsafe-inline'" in policy.split("style-src")[1].split(";")[0]
        assert "<script>" not in html

    def test_other_pages_keep_the_strict_policy(self, signed_in, dave):
        policy = signed_in(dave).get("/api/schema/")["Content-Security-Policy"]
        assert "unsafe-inline" not in policy
