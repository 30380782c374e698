"""Company B of the demo: a real CRM export that lies outside the project and is only read where it lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

from config.demo.plans import DEAL_RATES, CompanyPlan, MetricPlan, NodePlan, TargetPlan, TreePlan, simple

NAME = "Maven Hardware"
FISCAL_YEAR = 2017
FILES = ("accounts.csv", "products.csv", "sales_teams.csv", "sales_pipeline.csv")
PROJECT = Path(__file__).resolve().parents[2]

CLOSED = ["won", "lost", "no_decision"]
METRICS = (
    MetricPlan("bookings", "受注額", "amount", "sum", simple("deals", "closed_on", "sum", "amount", outcome="won")),
    MetricPlan("won_deals", "受注件数", "count", "sum", simple("deals", "closed_on", outcome="won")),
    MetricPlan("closed_deals", "決着件数", "count", "sum", simple("deals", "closed_on", outcome=CLOSED)),
    *DEAL_RATES,
    MetricPlan("new_deals", "新規商談数", "count", "sum", simple("deals", "created_on")),
)

_SELLERS = {"field_sales": "full"}
_FACTORS = "受注額 = 決着件数 × 受注率 × 平均受注単価"
NODES = (
    NodePlan("bookings", "kgi", "受注額", responsible="Melvin Marxen", reason="2017年の受注目標（デモ用）"),
    NodePlan(
        "deal_volume", "ksf", "商談の量", "bookings", "Summer Sewald", reason="決着する商談が足りなければ届かない"
    ),
    NodePlan("new_deals", "kpi", "新規商談数", "deal_volume", "Summer Sewald", "lagged", _SELLERS, "決着の母数"),
    NodePlan("closed_deals", "kpi", "決着件数", "deal_volume", "Dustin Brinkmann", "formula", _SELLERS, _FACTORS),
    NodePlan("deal_quality", "ksf", "商談の質", "bookings", "Rocco Neubert", reason="決着の4割が失注に終わる"),
    NodePlan("win_rate", "kpi", "受注率（件数）", "deal_quality", "Rocco Neubert", "formula", _SELLERS, _FACTORS),
    NodePlan("won_deals", "kpi", "受注件数", "win_rate", "Rocco Neubert", "formula", _SELLERS, "受注率の分子"),
    NodePlan(
        "deal_cycle_days",
        "kpi",
        "平均商談期間",
        "deal_quality",
        "Celia Rouche",
        controllable_by=_SELLERS,
        reason="四半期をまたぐ商談は読みにくい",
    ),
    NodePlan("deal_value", "ksf", "商談の単価", "bookings", "Cara Losch", reason="製品により単価が100倍違う"),
    NodePlan("average_deal_size", "kpi", "平均受注単価", "deal_value", "Cara Losch", "formula", _SELLERS, _FACTORS),
)

# Invented for the demo, from March, when the export's first deals close, to December.
FIRST_MONTH = 3
INVENTED = "デモ用の仮の目標"
TARGETS: Mapping[str, tuple[str, ...]] = {
    "bookings": tuple(f"{thousands}000" for thousands in (1050, 750, 1000, 1250, 750, 1050, 1200, 800, 1000, 1150)),
    "closed_deals": ("650", "600", "780", "650", "620", "780", "640", "600", "780", "660"),
    "won_deals": ("520", "290", "430", "520", "300", "440", "510", "290", "420", "520"),
    "new_deals": ("600", "780", "800", "800", "900", "900", "900", "420", "380", "350"),
    "win_rate": ("0.63",) * 10,
    "average_deal_size": ("2400",) * 10,
    "deal_cycle_days": ("52",) * 10,
}


class MavenMissingError(Exception):
    """The directory that was asked for does not hold the export; the message names what is missing."""


def find_directory(*, asked: str | None, environment: Mapping[str, str]) -> Path | None:
    """Where the export lies: asked for, else MAVEN_CRM_DIR, else beside the project; None when it is not at hand.

    Raises MavenMissingError when a place was named but the files are not there.
    """
    named = asked or environment.get("MAVEN_CRM_DIR")
    if named:
        directory = Path(named).expanduser()
        missing = [name for name in FILES if not (directory / name).is_file()]
        if missing:
            raise MavenMissingError(f"{directory} does not hold {', '.join(missing)}: give the export's directory.")
        return directory
    beside = PROJECT.parent / "shared" / "data" / "maven_crm"
    return beside if all((beside / name).is_file() for name in FILES) else None


def company_plan() -> CompanyPlan:
    """One tree for the fiscal year 2017, in which the export's deals closed."""
    tree = TreePlan(
        name=f"{FISCAL_YEAR}年度 営業KPIツリー",
        fiscal_year=FISCAL_YEAR,
        style=None,
        nodes=NODES,
        targets=tuple(_targets()),
    )
    return CompanyPlan(metrics=METRICS, trees=(tree,))


def _targets() -> Iterator[TargetPlan]:
    for node, values in TARGETS.items():
        for month, value in enumerate(values, start=FIRST_MONTH):
            yield TargetPlan(node, date(FISCAL_YEAR, month, 1), Decimal(value), INVENTED)
