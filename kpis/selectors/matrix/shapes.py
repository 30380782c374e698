"""The shapes of the read model: what is asked for and what comes out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from kpis.choices import DimensionCode
from kpis.engine.pace import Due
from kpis.models import KpiNode, KpiTree, Period

OFFICIAL = "official"


@dataclass(frozen=True, slots=True)
class MatrixQuery:
    """What is asked for. Periods are those whose start lies in [start, end); nodes come in the order of `codes`."""

    tree: KpiTree
    grain: str
    start: date
    end: date
    dimension: str = DimensionCode.COMPANY
    org: str = "then"
    codes: Sequence[str] | None = None
    line: str = OFFICIAL
    is_live: bool = False
    member_ids: Collection[int] | None = None


@dataclass(frozen=True, slots=True)
class MatrixPeriod:
    """A column group: one period with its state and its business days, elapsed ones up to and including today."""

    row: Period
    state: str
    business_days: int
    elapsed: int

    @property
    def start(self) -> date:
        return self.row.start_date

    @property
    def end(self) -> date:
        return self.row.end_date


@dataclass(frozen=True, slots=True)
class MatrixMember:
    """A member of the dimension; for the whole company all but the name is None."""

    id: int | None
    code: str | None
    name: str
    parent: str | None
    is_unassigned: bool = False

    @property
    def shown_name(self) -> str:
        """The name in the reader's language: what is not assigned has none of its own until somebody renames it."""
        return _("Unassigned") if self.is_unassigned and self.name == self.code else self.name


@dataclass(frozen=True, slots=True)
class MatrixNode:
    """A row group: the node, the number of its metric version, and how fresh its sources are.

    `as_of` is the oldest last success among the streams it reads, None where one never succeeded or none is read.
    """

    row: KpiNode
    version: int | None
    as_of: datetime | None
    is_stale: bool


Grid = list[list[list[Decimal | None]]]
Words = list[list[list[str | None]]]


@dataclass(frozen=True, slots=True)
class KpiMatrix:
    """Cells by column, each [node][member][period]; a value that is None has a code in `absence`.

    `cases` counts what an absence comes from, by (node, member, period): the cases of a cell that has too few, the
    records without a cost of a gross profit that is missing for them.
    `org`: "then" as teams were, "now" with those that they replaced.
    `due` is [node][period]: how much of a running period's sum is due by now, None where the whole target is.
    """

    tree: KpiTree
    grain: str
    currency: str
    generated_at: datetime
    periods: tuple[MatrixPeriod, ...]
    members: tuple[MatrixMember, ...]
    nodes: tuple[MatrixNode, ...]
    due: list[list[Due | None]]
    value: Grid
    numerator: Grid
    denominator: Grid
    target: Grid
    upper: Grid
    achievement: Grid
    status: Words
    absence: Words
    cases: Mapping[tuple[int, int, int], Decimal] = field(default_factory=dict)
    org: str = "then"
