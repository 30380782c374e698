"""Visits of acme are typed by Bob, with Alice as his deputy; October was due on Thursday 2026-11-05.

Bob and Cleo sell in the east, which Alice leads. Today is Monday 2026-11-16, seven business days later.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client

from kpis.models import KpiNode, ManualEntry, Metric, Period, Person, Target
from kpis.services.definitions import create_metric
from kpis.services.trees import create_node
from tenants.accounts.models import User
from tenants.settings.models import CompanySettings
from tests.kpis.api.conftest import api, caller_with, signed_in
from tests.kpis.pages.conftest import World, frozen, world
from tests.remembering import remembered

__all__ = ["api", "caller_with", "frozen", "signed_in", "world"]
NOW = datetime(2026, 11, 16, 3, tzinfo=UTC)
SEPTEMBER, OCTOBER, NOVEMBER = (date(2026, month, 1) for month in (9, 10, 11))


@dataclass(frozen=True)
class Visits:
    """The node, and what is said of October."""

    node: KpiNode

    @property
    def metric(self) -> Metric:
        assert self.node.metric is not None
        return self.node.metric

    def cell(self, value: str = "", **more: str) -> dict[str, str]:
        """What the page sends for October."""
        return {"node": str(self.node.public_id), "start": "2026-10-01", "was": "open", "value": value, **more}

    def entry(self, start: date = OCTOBER) -> ManualEntry | None:
        return ManualEntry.objects.filter(metric=self.metric, period_start=start, member=None).first()


def person(name: str) -> Person:
    return Person.objects.get(external_id=name)


def ask(node: KpiNode, **fields: Any) -> None:
    """Change who is asked, and when."""
    KpiNode.objects.filter(pk=node.pk).update(**fields)


def close(start: date = OCTOBER) -> None:
    Period.objects.filter(grain="month", start_date=start).update(state="closed")


@pytest.fixture
@remembered
def visits(world: World) -> Visits:
    CompanySettings.objects.update(start_date=OCTOBER)
    for name in ("bob", "alice", "dave"):
        User.objects.filter(username=name).update(email=f"{name}@acme.example")
    metric = create_metric(
        code="visits",
        name="訪問数",
        unit="count",
        accumulation="sum",
        spec={"kind": "manual"},
        actor=None,
        now=NOW,
    )
    node = create_node(
        tree=world.tree,
        parent=world.factor,
        level="kpi",
        metric=metric,
        responsible=person("bob"),
        deputy=person("alice"),
        actor=None,
        now=NOW,
    )
    Target.objects.create(node=node, period_start=OCTOBER, initial_value=40, value=40)
    return Visits(node)


@pytest.fixture
def at() -> Iterator[Callable[[date], None]]:
    """`at(day)`: it is noon of that day from now on."""
    travels: list[time_machine.travel] = []

    def go(day: date) -> None:
        travel = time_machine.travel(datetime(day.year, day.month, day.day, 3, tzinfo=UTC), tick=False)
        travel.start()
        travels.append(travel)

    yield go
    for travel in reversed(travels):
        travel.stop()


@pytest.fixture
def page(client_for: Callable[..., Client], acme: Any) -> Callable[..., str]:
    """The page as one person sees it."""

    def read(user: User, query: str = "", language: str = "en") -> str:
        response = client_for(user, acme).get(f"/inputs/{query}", headers={"accept-language": language})
        assert response.status_code == 200, response
        return response.content.decode()

    return read


@pytest.fixture
def type_in(client_for: Callable[..., Client], acme: Any) -> Callable[..., Any]:
    """`type_in(user, fields)`: what the page answers when somebody types, as htmx asks for it."""

    def send_it(user: User, fields: dict[str, str], address: str = "enter", **headers: str) -> Any:
        given = {"accept-language": "en", "hx-request": "true", **headers}
        return client_for(user, acme).post(f"/inputs/{address}/", fields, headers=given)

    return send_it
