"""Generated calls of every address of the OpenAPI document, sensible and not: what comes back agrees with the document.

No answer is a fault of the server, every refusal is a problem in words, and every success has the documented shape.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import time_machine
from django.db import transaction
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, event, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kpis.engine.resources import RESOURCES
from tests.kpis.api.conftest import SPECS, count_of
from tests.kpis.api.test_matrix import sales  # noqa: F401 - a fixture

CASES = {"test": 50, "gate": 500, "proof": 10_000}[os.environ.get("MAWARU_TIER", "test")]
METHODS = ("get", "post", "put", "patch", "delete")
NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
CALLERS = ("api", "reader", "dave", "alice", "bob", "vera", "hana", "nobody")

pytestmark = [pytest.mark.gate, pytest.mark.django_db]

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 10**20, 10**400, 0.1, -0.0, float("nan"), float("inf"), 2**31, 2**63]),
    st.sampled_from(["", " ", "\x00", "\ud800", "NaN", "-", "%", "../..", "0000-00-00", "9" * 400, "x" * 5000, "１２"]),
    st.text(max_size=12),
    st.sampled_from([[], {}, [[]], [None], {"": None}, {"a": {"b": [1]}}, [1] * 50]),
)
DAYS = st.sampled_from(
    ["2026-10-01", "2026-11-01", "2026-09-01", "2026-04-01", "2027-04-01", "2026-10-15", "0001-01-01", "9999-12-31"]
)
FORMULAS = ["won_deals / closed_deals", "unheard_of + 1", "1 / 0", "win_rate", "(((", "bookings ** 9", "if(1, 2, 3)"]
SPEC = st.one_of(
    st.sampled_from([spec for _unit, _accumulation, spec in SPECS.values()]),
    st.sampled_from(FORMULAS).map(lambda text: {"kind": "formula", "expression": text}),
    st.just({"kind": "manual"}),
    st.just({"kind": "ratio", "numerator": count_of(), "denominator": count_of()}),
    st.dictionaries(st.sampled_from(["kind", "fact", "date", "aggregate", "filters", "field"]), JUNK, max_size=4),
)


class World:
    """A company in which there is one of most things, and how its addresses and fields are filled with them."""

    def __init__(self, document: dict[str, Any], ids: dict[str, list[str]], *, is_wild: bool = True) -> None:
        self.document = document
        self.is_wild = is_wild
        self.ids = ids
        everything = [each for known in ids.values() for each in known]
        self.known = {
            "tree": ids["trees"],
            "node": [*ids["nodes"], "bookings", "win_rate"],
            "nodes": ["bookings", "bookings,win_rate", "unheard_of", *ids["nodes"]],
            "parent": ids["nodes"],
            "metric": [*ids["metrics"], "bookings", "visits", "won_deals"],
            "action": ids["actions"],
            "item": ["1", *everything],
            "member": ["bob", "north", "east", "carl", "nobody"],
            "code": ["bookings", "visits", "fresh", "region", "person"],
            "expression": FORMULAS,
            "fields": ["id", "code,name", "colour", ","],
            "cursor": ["", "cD0x", "%FF"],
            "source": ["crm", "erp", "x" * 61],
        }
        self.operations = [
            (method, path, operation)
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if method in METHODS
            for _ in range(1 if method == "get" else 2)  # writing has more to go wrong
        ]

    @cached_property
    def tame(self) -> "World":
        """The same world, in which everybody keeps to the document."""
        return World(self.document, self.ids, is_wild=False)

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return schema

    def value(self, name: str, schema: dict[str, Any]) -> st.SearchStrategy:
        """What the document allows, or something that exists where the name says which; in the wild also anything."""
        good = self.good(name, self.resolved(schema))
        if self.known.get(name):
            known = st.sampled_from(self.known[name])
            good = known | good if self.is_wild else known
        return st.one_of(good, good, good, good, JUNK) if self.is_wild else good

    def good(self, name: str, schema: dict[str, Any]) -> st.SearchStrategy:
        if name == "spec":
            return SPEC
        for key in ("oneOf", "anyOf", "allOf"):
            if key in schema:
                return st.one_of([self.good(name, self.resolved(each)) for each in schema[key]])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        kinds = schema.get("type", "anything")
        return st.one_of([self.of_kind(name, kind, schema) for kind in (kinds if isinstance(kinds, list) else [kinds])])

    def of_kind(self, name: str, kind: str, schema: dict[str, Any]) -> st.SearchStrategy:
        match kind, schema.get("format"):
            case "object", _:
                return self.of_object(schema)
            case "array", _:
                return st.lists(self.value(name, schema.get("items", {})), max_size=3)
            case "boolean", _:
                return st.booleans()
            case "integer" | "number", _:
                return st.integers(schema.get("minimum", -5), schema.get("maximum", 3000))
            case "null", _:
                return st.none()
            case "string", "date":
                return DAYS
            case "string", "date-time":
                return DAYS.map(lambda day: f"{day}T09:00:00+09:00")
            case "string", "uuid":
                return st.sampled_from([each for known in self.ids.values() for each in known]) | st.uuids().map(str)
            case "string", "decimal":
                return st.decimals(-10, 10**6, places=2).map(str)
            case "string", _:
                return st.sampled_from(["fresh", "2026-10-01", "目標", "reason"]) | st.text(max_size=20)
        return JUNK

    def of_object(self, schema: dict[str, Any]) -> st.SearchStrategy:
        properties = {
            name: self.value(name, each)
            for name, each in schema.get("properties", {}).items()
            if not self.resolved(each).get("readOnly")
        }
        required = {name: properties[name] for name in schema.get("required", []) if name in properties}
        optional = {name: each for name, each in properties.items() if name not in required}
        whole = st.fixed_dictionaries(required, optional=optional)
        if not self.is_wild:
            return whole
        return whole | st.dictionaries(st.sampled_from([*properties, "unheard_of"]), JUNK, max_size=3)

    def records(self, resource: str) -> st.SearchStrategy:
        fields = RESOURCES[resource].fields if resource in RESOURCES else {}
        ids = st.sampled_from(["D1", "D2", "bob", "north", "fresh"])
        some = st.sampled_from(["bob", "D1", "won", "lead", "Web", 100, "0.7", "true", "JPY", "sql"])
        values = {name: st.one_of(some, DAYS, JUNK) for name in [*fields, "attributes", "deleted", "unheard_of"]}
        record = st.fixed_dictionaries({"external_id": st.one_of(ids, ids, JUNK)}, optional=values)
        return st.lists(record | JUNK, max_size=4)


@dataclass(frozen=True)
class Case:
    """One call: who, how, where, with which parameters and which body."""

    caller: str
    method: str
    path: str
    address: str
    query: dict[str, str]
    body: Any


@st.composite
def cases(draw: st.DrawFn, world: World) -> Case:
    world = draw(st.sampled_from([world, world.tame]))
    method, path, operation = draw(st.sampled_from(world.operations))
    resource = draw(st.sampled_from([*RESOURCES, "unicorns"])) if "{resource}" in path else ""
    body = None
    for schema in (each["schema"] for each in operation.get("requestBody", {}).get("content", {}).values()):
        body = draw(world.value("body", schema))
    if resource and isinstance(body, dict):
        body["records"] = draw(world.records(resource))
    return Case(
        caller=draw(st.sampled_from([*CALLERS, *["api"] * 12])),
        method=method,
        path=path,
        address=draw(addresses(world, path, resource)),
        query={
            each["name"]: sendable(draw(world.value(each["name"], each["schema"])))
            for each in operation.get("parameters", [])
            if each["in"] == "query" and (each.get("required") or draw(st.integers(0, 3)) == 0)
        },
        body=body,
    )


@st.composite
def addresses(draw: st.DrawFn, world: World, path: str, resource: str) -> str:
    """The path with things that exist in the places of its parameters, or with anything."""
    parts = path.strip("/").split("/")
    filled = []
    for before, part in zip(["", *parts], parts, strict=False):
        known = [resource] if part == "{resource}" else world.ids.get(before, [])
        if not part.startswith("{"):
            filled.append(part)
        elif known and draw(st.integers(0, 9)):
            filled.append(draw(st.sampled_from(known)))
        else:
            filled.append(sendable(draw(JUNK)) or "-")
    return "/" + "".join(f"{quote(part, safe='')}/" for part in filled)


def sendable(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def world(api, sales, in_acme, drain_outbox) -> World:  # noqa: F811
    generated = SchemaGenerator(urlconf="config.urls.company").get_schema(request=None, public=True)
    document = json.loads(json.dumps(generated, default=str))
    manual = {"unit": "count", "accumulation": "sum", "spec": {"kind": "manual"}}
    api.made("metrics/", {"code": "visits", "name": "Visits", **manual})
    api.made("entries/", {"metric": "visits", "period_start": "2026-10-01", "value": 3})
    api.made("targets/", {"node": sales["bookings"], "period_start": "2026-10-01", "value": 500})
    api.made("meeting-series/", {"name": "Weekly", "interval": "weekly", "weekday": 0, "starts_at": "09:00"})
    (period,) = api.shown("periods/", grain="month", **{"from": "2026-10-01", "to": "2026-11-01"})["results"]
    api.made(f"periods/{period['id']}/provisional/", {})
    drain_outbox()
    action = {"node": sales["bookings"], "cause": "skill", "action": "call", "due_on": "2026-12-01"}
    api.made("actions/", {**action, "owner": {"source": "crm", "external_id": "bob"}})
    nouns = ("trees", "nodes", "metrics", "targets", "entries", "periods", "misses", "actions", "meetings")
    ids = {
        noun: [str(row["id"]) for row in api.shown(f"{noun}/", limit=3)["results"]]
        for noun in (*nouns, "meeting-series", "connections")
    }
    return World(document, {**ids, "dimensions": ["region", "team", "person"], "members": ["east", "north", "bob"]})


@pytest.fixture
def callers(request: pytest.FixtureRequest, settings, api, caller_with, signed_in) -> dict[str, Any]:
    people = {name: signed_in(request.getfixturevalue(name)) for name in ("dave", "alice", "bob", "vera", "hana")}
    settings.API_CALLS_PER_MINUTE = 10**6
    return {"api": api, "reader": caller_with("read"), "nobody": signed_in(None), **people}


@hypothesis(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_answers_agree_with_the_document(world: World, callers: dict[str, Any], data: st.DataObject) -> None:
    case = data.draw(cases(world))
    with transaction.atomic():
        response = send(callers[case.caller].client, case)
        check(world, case, response)
        transaction.set_rollback(True)


def send(client: Client, case: Case) -> Any:
    """An error of the server is raised as it is."""
    address = f"{case.address}?{urlencode(case.query)}"
    if case.method == "get":
        return client.get(address)
    return client.generic(case.method.upper(), address, json.dumps(case.body), "application/json")


def check(world: World, case: Case, response: Any) -> None:
    status, kind = response.status_code, response.get("Content-Type", "").partition(";")[0]
    event(f"{status // 100}xx of {case.method}")
    if status >= 400:
        assert kind == "application/problem+json", (status, response.content)
        assert response.json()["status"] == status
        assert response.json()["detail"]
        agree(world, {"$ref": "#/components/schemas/Problem"}, response.json())
        return
    answers = world.document["paths"][case.path][case.method]["responses"]
    assert str(status) in answers, f"{status} is not documented"
    content = answers[str(status)].get("content")
    if content is None:
        assert response.content == b""
    elif "fields" not in case.query:  # which leaves out what the document requires
        agree(world, content[kind]["schema"], response.json())


def agree(world: World, schema: dict[str, Any], answer: object) -> None:
    Draft202012Validator({**schema, "components": world.document["components"]}).validate(answer)
