"""A marketing source (ma) and a sales source (crm) of acme's, as the rules join them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from kpis.models import KpiEvent, Lead
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute

NOW = datetime(2026, 11, 16, 3, tzinfo=UTC)


def send(source: str, resource: str, *records: dict) -> None:
    result = upsert_facts(resource=resource, source=source, records=records, now=NOW)
    assert not result.rejected, result.rejected


def lead(external_id: str, day: str = "2026-11-02", **more: Any) -> None:
    send("ma", "leads", {"external_id": external_id, "created_on": day, **more})


def deal(external_id: str, day: str = "2026-11-10", **more: Any) -> None:
    send("crm", "deals", {"external_id": external_id, "created_on": day, **more})


@pytest.fixture
def counted(in_acme: object) -> Callable[..., list[str]]:
    """The leads that an axis counts, after everything that is dirty was looked at."""

    def read(axis: str = "created_on") -> list[str]:
        recompute(now=NOW)
        events = KpiEvent.objects.filter(kind=f"leads.{axis}")
        return sorted(Lead.objects.filter(pk__in=events.values("fact_id")).values_list("external_id", flat=True))

    return read
