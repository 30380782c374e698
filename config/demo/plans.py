"""What a demo company measures, as plain data: the demo command hands it to the services."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal


@dataclass(frozen=True)
class MetricPlan:
    """One metric; `spec` as the API takes it."""

    code: str
    name: str
    unit: str
    accumulation: str
    spec: Mapping[str, object]
    direction: str = "up"


@dataclass(frozen=True)
class NodePlan:
    """A place in the tree; its code is its metric's code, or a slug of its own for a KSF.

    `responsible` is a person's external id in the company's source.
    """

    code: str
    level: str
    name: str
    parent: str | None = None
    responsible: str | None = None
    link: str = "influence"
    controllable_by: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""

    @property
    def metric(self) -> str | None:
        return None if self.level == "ksf" else self.code


@dataclass(frozen=True)
class TargetPlan:
    """One monthly target of a node; the reason says where the number comes from."""

    node: str
    period_start: date
    value: Decimal
    reason: str


@dataclass(frozen=True)
class EntryPlan:
    """One value of a manual metric, as a person typed it."""

    metric: str
    period_start: date
    value: Decimal
    note: str


@dataclass(frozen=True)
class TreePlan:
    """One tree of one fiscal year; `changes` are targets set again in the middle of the year."""

    name: str
    fiscal_year: int
    style: str | None
    nodes: tuple[NodePlan, ...]
    targets: tuple[TargetPlan, ...]
    changes: tuple[TargetPlan, ...] = ()


@dataclass(frozen=True)
class CompanyPlan:
    """Everything a demo company measures; the last tree is that of the running year, `phases` are its steps."""

    metrics: tuple[MetricPlan, ...]
    trees: tuple[TreePlan, ...]
    entries: tuple[EntryPlan, ...] = ()
    phases: tuple[str, ...] = ()


def simple(fact: str, on: str, aggregate: str = "count", measured: str | None = None, **equal: object) -> dict:
    """A spec of kind simple; `equal` are filters, a list standing for one of several values."""
    spec: dict[str, object] = {"kind": "simple", "fact": fact, "date": on, "aggregate": aggregate}
    if measured:
        spec["field"] = measured
    spec["filters"] = [
        {"field": name, "op": "in" if isinstance(value, list) else "eq", "value": value}
        for name, value in equal.items()
    ]
    return spec


# What every company reads from its deals; needs bookings, won_deals and closed_deals.
DEAL_RATES = (
    MetricPlan(
        "win_rate", "受注率（件数）", "percent", "rate", {"kind": "formula", "expression": "won_deals / closed_deals"}
    ),
    MetricPlan(
        "average_deal_size",
        "平均受注単価",
        "amount",
        "average",
        {"kind": "formula", "expression": "bookings / won_deals"},
    ),
    MetricPlan(
        "deal_cycle_days",
        "平均商談期間",
        "days",
        "average",
        {**simple("deals", "closed_on", "average", outcome="won"), "days_between": ["created_on", "closed_on"]},
        direction="down",
    ),
)
