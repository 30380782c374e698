"""A year of a company that wins two of ten deals, as back-calculations read it. Today is Monday 2026-11-16."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from kpis.engine.templates import NEW_BUSINESS, Template
from kpis.models import KpiTree
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute
from kpis.services.templates import instantiate_template

NOW = datetime(2026, 11, 16, 3, tzinfo=UTC)
TODAY = date(2026, 11, 16)
MONTHS = [date(2025, 11, 1), date(2025, 12, 1), *(date(2026, month, 1) for month in range(1, 11))]


def grow_tree(template: Template = NEW_BUSINESS, **changes: Any) -> KpiTree:
    """A shipped tree of fiscal year 2026, without targets unless numbers are typed."""
    typed = {"kgi_amount": None, "rates": {}, "size": None, **changes}
    return instantiate_template(template=template, fiscal_year=2026, language="ja", actor=None, now=NOW, **typed)


def send(resource: str, records: list[dict[str, Any]]) -> None:
    result = upsert_facts(resource=resource, source="crm", records=records, now=NOW)
    assert not result.rejected, result.rejected


def live_a_year() -> None:
    """Each month 10 deals of a million end, 2 won (3 from August on), 60 days after they began; half came from leads.

    Each month 20 leads come in, 10 become MQLs after 10 days, 2 of these opportunities 5 days later.
    """
    deals, leads = [], []
    for month in MONTHS:
        won = 3 if month >= date(2026, 8, 1) else 2
        for place in range(10):
            closed = month + timedelta(days=place * 2)
            deals.append(
                {
                    "external_id": f"D{month:%y%m}{place}",
                    "created_on": (closed - timedelta(days=60)).isoformat(),
                    "closed_on": closed.isoformat(),
                    "outcome": "won" if place < won else "lost",
                    "amount": 1_000_000,
                    "origin": "lead" if place % 2 else "existing",
                }
            )
        leads += [_lead(month, place) for place in range(20)]
    send("deals", deals)
    send("leads", leads)
    recompute(now=NOW)


def _lead(month: date, place: int) -> dict[str, Any]:
    created = month + timedelta(days=place % 10)
    lead = {"external_id": f"L{month:%y%m}{place}", "created_on": created.isoformat()}
    if place < 10:
        lead["mql_on"] = (created + timedelta(days=10)).isoformat()
    if place < 2:
        lead["sql_on"] = (created + timedelta(days=15)).isoformat()
    return lead
