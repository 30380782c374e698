"""Another program that holds a key: how journeys send records, and define what is measured of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.journeys.demo import Demo

WON = {"field": "outcome", "op": "eq", "value": "won"}
CLOSED = {"field": "outcome", "op": "in", "value": ["won", "lost", "no_decision"]}


@dataclass
class Tool:
    """A program that holds a key; it calls the loopback address and names the company in the Host header."""

    http: httpx.Client
    tree: str = ""

    def get(self, path: str, **asked: str) -> Any:
        return self.answer(self.http.get(path, params=asked))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self.answer(self.http.post(path, json=body))

    @staticmethod
    def answer(response: httpx.Response) -> Any:
        assert response.is_success, f"{response.status_code}: {response.text}"
        return response.json()


@contextmanager
def tool_with(demo: Demo, slug: str, key: str) -> Iterator[Tool]:
    headers = {"Host": f"{slug}.localhost:{demo.port}", "Authorization": f"Api-Key {key}".strip()}
    with httpx.Client(base_url=f"http://127.0.0.1:{demo.port}/api/v1/", headers=headers, timeout=70) as http:
        yield Tool(http)


def deal(external_id: str, amount: int, outcome: str = "won", **more: Any) -> dict[str, Any]:
    dates = {"created_on": "2026-09-01", "closed_on": "2026-10-05"}
    return {"external_id": external_id, "amount": amount, "outcome": outcome, **dates, **more}


def counted(filters: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "count", "filters": filters, **more}


@contextmanager
def new_tool(demo: Demo, slug: str) -> Iterator[Tool]:
    """A tool with a key of its own that may read and write."""
    made = demo.manage("create_api_key", slug, "--name", "journey", "--scope", "read", "--scope", "write")
    assert made.returncode == 0, made.stderr
    (key,) = made.stdout.split()
    with tool_with(demo, slug, key) as tool:
        yield tool


def plant_tree(tool: Tool, fiscal_year: int) -> str:
    """A tree that can be put in force: bookings from won deals, with a person and a target for each; its id."""
    specs = {"bookings": counted([WON], aggregate="sum", field="amount"), "won_deals": counted([WON])}
    for code, spec in specs.items():
        unit = "amount" if code == "bookings" else "count"
        metric = {"code": code, "name": code, "unit": unit, "direction": "up", "accumulation": "sum"}
        tool.post("metrics/", {**metric, "spec": spec})
    tool.post("facts/people/bulk/", {"source": "crm", "records": [{"external_id": "E001", "name": "佐藤"}]})
    tree: str = tool.post("trees/", {"name": "今期", "fiscal_year": fiscal_year})["id"]
    above = None
    for level, name, code in (
        ("kgi", "受注額", "bookings"),
        ("ksf", "受注を増やす", None),
        ("kpi", "受注件数", "won_deals"),
    ):
        node = {"tree": tree, "parent": above, "level": level, "name": name}
        node["responsible"] = {"source": "crm", "external_id": "E001"}
        above = tool.post("nodes/", node | ({"metric": code} if code else {}))["id"]
        if code:
            tool.post("targets/", {"node": above, "period_start": f"{fiscal_year + 1}-03-01", "value": 1})
    return tree
