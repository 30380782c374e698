"""The shapes of the table of target beside actual (予実表): what is asked for, its columns, rows and cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from kpis.choices import DimensionCode, Grain
from kpis.engine.budget import BudgetPart
from kpis.models import KpiNode, KpiTree, Period
from kpis.selectors.open_restatements import LateNumber

OVER, RUNNING, AHEAD = "over", "running", "ahead"


@dataclass(frozen=True)
class BudgetQuery:
    """A tree with one of its target lines; the company's KPIs, or `node` by the members of a dimension.

    `is_cumulative`: every month together with those before it, instead of months with quarters, halves and the year.
    `org`: "then" reads teams as they were, "now" counts a team that ended to the one in its place, always live.
    """

    tree: KpiTree
    line: str = "official"
    dimension: str = DimensionCode.COMPANY
    node: KpiNode | None = None
    is_cumulative: bool = False
    org: str = "then"


@dataclass(frozen=True)
class BudgetColumn:
    """One period. `phase`: over (a month that has ended), running, or ahead, where there is no actual yet.

    `is_border`: the first column ahead, so that nobody reads what is expected as an actual. `late_count` numbers of it
    changed after closing and wait for a decision.
    """

    row: Period
    label: str
    short_label: str
    state: str
    phase: str
    is_border: bool = False
    late_count: int = 0

    @property
    def grain(self) -> str:
        return self.row.grain

    @property
    def is_total(self) -> bool:
        return self.row.grain != Grain.MONTH


@dataclass(frozen=True)
class BudgetCell:
    """Target, actual and landing of one period with what follows from them; None where it cannot be said.

    `landing` is where a period that is not over is expected to end, `landing_absence` why nobody can say; both are None
    of a period that is over. Variance, achievement and year on year are the landing's where there is one, else the
    actual's. `before` is the value of the same period of the year before, `year_on_year` a ratio (of rates a
    difference). `status` is the actual's. `beyond_months` is what a longer period has beyond the sum of its months
    (negative: lacks), None where that is nothing or where months do not add up to it. `late` is what the locked number
    would be today, None where it waits for no decision.
    """

    part: BudgetPart
    variance: Decimal | None
    achievement: Decimal | None
    before: Decimal | None
    year_on_year: Decimal | None
    landing: Decimal | None = None
    landing_absence: str | None = None
    status: str = "none"
    beyond_months: Decimal | None = None
    late: LateNumber | None = None

    @property
    def value(self) -> Decimal | None:
        return self.part.value

    @property
    def absence(self) -> str | None:
        return self.part.absence

    @property
    def cases(self) -> Decimal | None:
        return self.part.cases

    @property
    def target(self) -> Decimal | None:
        return self.part.target


@dataclass(frozen=True)
class BudgetRow:
    """A KPI, or a member; a KSF is a heading without cells. `depth` below another row.

    `is_stale`: a source of the KPI is late; `as_of` is when the oldest came last.
    """

    node: KpiNode
    member_code: str | None
    name: str
    depth: int
    cells: tuple[BudgetCell, ...]
    is_stale: bool = False
    as_of: datetime | None = None

    @property
    def unit(self) -> str:
        return self.node.metric.unit if self.node.metric else ""

    @property
    def accumulation(self) -> str:
        return self.node.metric.accumulation if self.node.metric else ""

    @property
    def direction(self) -> str:
        return self.node.metric.direction if self.node.metric else "up"

    @property
    def achievement_formula(self) -> str:
        return self.node.metric.achievement_formula if self.node.metric else ""


@dataclass(frozen=True)
class BudgetTable:
    """The whole table; `lead` is the KGI (or the KPI shown) from the start of the year through the last month over."""

    query: BudgetQuery
    currency: str
    columns: tuple[BudgetColumn, ...]
    rows: tuple[BudgetRow, ...]
    lead: tuple[BudgetRow, BudgetColumn, BudgetCell] | None

    @property
    def stale(self) -> Mapping[datetime | None, Sequence[str]]:
        """When late sources came last (None = never) → the names of the KPIs that depend on them."""
        found: dict[datetime | None, dict[str, None]] = {}
        for row in self.rows:
            if row.is_stale:
                found.setdefault(row.as_of, {})[row.node.name] = None
        return {moment: list(names) for moment, names in found.items()}
