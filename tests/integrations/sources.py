"""What a consultant writes about a source that is called, and what is true there."""

from __future__ import annotations

from typing import Any

from tests.fakes.rest import RestFake

RULES: list[dict[str, Any]] = [
    {"field": "external_id", "column": "uid"},
    {"field": "name", "column": "name"},
    {"field": "created_on", "column": "created"},
    {"field": "closed_on", "column": "closed"},
    {"field": "amount", "column": "amount"},
    {"field": "outcome", "column": "stage", "values": {"受注": "won", "失注": "lost"}},
]
DEALS: dict[str, Any] = {"stream": "deals", "resource": "deals", "reads": "deals", "rules": RULES}


def fill(fake: RestFake, count: int, **values: Any) -> None:
    """Deals D001, D002, … won on 2026-10-20 for 1,000, 2,000, …"""
    for number in range(1, count + 1):
        fake.world.tick(minutes=1)
        deal = {"name": f"案件{number}", "created": "2026-10-05", "closed": "2026-10-20", "stage": "受注"}
        fake.world.put(f"D{number:03}", **{**deal, "amount": number * 1000, **values})
