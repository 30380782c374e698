"""Callers of acme's API: with a key, or signed in."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from integrations.services.api_keys import create_api_key
from tenants.context import tenant_context
from tests.conftest import host_of
from tests.remembering import remembered

BASE = "/api/v1/"
CLOSED = {"field": "outcome", "op": "in", "value": ["won", "lost", "no_decision"]}
WON = {"field": "outcome", "op": "in", "value": ["won"]}


def count_of(*filters: dict[str, Any]) -> dict[str, Any]:
    """The spec of a count of deals by close date."""
    return {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count", "filters": list(filters)}


SPECS = {
    "bookings": ("amount", "sum", {**count_of(WON), "aggregate": "sum", "field": "amount"}),
    "won_deals": ("count", "sum", count_of(WON)),
    "closed_deals": ("count", "sum", count_of(CLOSED)),
    "win_rate": ("percent", "rate", {"kind": "formula", "expression": "won_deals / closed_deals"}),
}


class Caller:
    """Somebody who speaks JSON with the API."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, path: str, headers: dict[str, str] | None = None, **params: Any) -> Any:
        return self.client.get(self._at(path), params, headers=headers)

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        return self.client.post(self._at(path), json.dumps(body or {}), "application/json", headers=headers)

    def patch(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        return self.client.patch(self._at(path), json.dumps(body), "application/json", headers=headers)

    def delete(self, path: str, headers: dict[str, str] | None = None) -> Any:
        return self.client.delete(self._at(path), headers=headers)

    def made(self, path: str, body: Any) -> dict[str, Any]:
        """POST that must succeed."""
        response = self.post(path, body)
        assert response.status_code in (200, 201), response.content.decode()
        return response.json()

    def shown(self, path: str, **params: Any) -> Any:
        """GET that must succeed."""
        response = self.get(path, **params)
        assert response.status_code == 200, response.content.decode()
        return response.json()

    def _at(self, path: str) -> str:
        return path if path.startswith(("/", "http")) else BASE + path


@pytest.fixture
def caller_with(acme) -> Callable[..., Caller]:
    """`caller_with("read", "write")`: another system with a key of these scopes."""

    def make(*scopes: str) -> Caller:
        with tenant_context(acme):
            _key, text = create_api_key(name="test", scopes=scopes, actor=None, now=timezone.now())
        headers = {"host": host_of(acme), "authorization": f"Api-Key {text}", "accept-language": "en"}
        return Caller(Client(headers=headers))

    return make


@pytest.fixture
def api(caller_with) -> Caller:
    return caller_with("read", "write")


@pytest.fixture
def signed_in(client_for, acme) -> Callable[..., Caller]:
    """`signed_in(bob)`: a person of acme in a browser."""

    def make(user: Any) -> Caller:
        client = client_for(user, acme)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        return Caller(client)

    return make


@pytest.fixture
@remembered
def plan(api) -> dict[str, Any]:
    """A tree with bookings, won_deals, closed_deals and win_rate; ids by code, the tree's as `tree`."""
    tree = api.made("trees/", {"name": "Plan", "fiscal_year": 2026})
    ids = {"tree": tree["id"]}
    parent = None
    for code, (unit, accumulation, spec) in SPECS.items():
        metric = {"code": code, "name": code, "unit": unit, "accumulation": accumulation, "spec": spec}
        ids[f"metric:{code}"] = api.made("metrics/", metric)["id"]
        level = "kgi" if parent is None else "kpi"
        body = {"tree": tree["id"], "parent": parent, "level": level, "metric": code, "position": len(ids)}
        node = api.made("nodes/", body)
        parent = parent or node["id"]
        ids[code] = node["id"]
    return ids
