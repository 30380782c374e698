"""What a cross-tab says once it is read: lines of numbers, what its totals prove, and what could not be read."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from kpis.engine.issues import Issue


class Month(NamedTuple):
    """The calendar month by which a period is known (11月度 of a company that closes on the 20th is its month 11)."""

    year: int
    month: int

    def moved(self, years: int) -> "Month":
        """The same month of another year."""
        return Month(self.year + years, self.month)


class Kind(StrEnum):
    """What the numbers of a line are; the last three are never data."""

    BUDGET = "budget"
    TARGET = "target"
    STRETCH = "stretch"
    ACTUAL = "actual"
    PREVIOUS_YEAR = "previous_year"
    FORECAST = "forecast"
    CUMULATIVE = "cumulative"
    DERIVED = "derived"


DATA = (Kind.BUDGET, Kind.TARGET, Kind.STRETCH, Kind.ACTUAL, Kind.PREVIOUS_YEAR)


class Verdict(StrEnum):
    """What came of comparing a total with its parts; `rounded`: equal but for the last digit shown."""

    AGREES = "agrees"
    ROUNDED = "rounded"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class SheetUnit:
    """The unit of a metric, what an amount of 1 stands for, and whether the sheet says so or it is only likely."""

    unit: str
    scale: int = 1
    is_stated: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What a sheet takes for granted: the fiscal year it is of where it names none, and how the company counts.

    `names` are those of teams and people, as `words.plain` writes them; `units` says of a KPI (by its plain name) what
    its numbers are, against what the sheet makes likely.
    """

    fiscal_year: int
    start_month: int = 4
    first_term_year: int | None = None
    names: Collection[str] = frozenset()
    units: Mapping[str, SheetUnit] = field(default_factory=dict)

    def fiscal_month(self, fiscal_year: int, month: int) -> Month:
        """A month of a fiscal year.

        >>> Context(2026).fiscal_month(2026, 1)
        Month(year=2027, month=1)
        """
        return Month(fiscal_year + (month < self.start_month), month)

    def fiscal_year_of(self, month: Month) -> int:
        """The fiscal year in which a month lies."""
        return month.year - (month.month < self.start_month)


@dataclass(frozen=True, slots=True)
class SheetCell:
    """One cell of data; None where it is blank or could not be read."""

    address: str
    month: Month
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Line:
    """Numbers of one KPI, of one person or team ("" = the whole company), and of one kind, month by month.

    `key` names it within the sheet, `row` counts as the sheet does. `is_total`: the sheet adds it up from the lines
    above, so that it is the company's number and a check of them; `is_subtotal`: of a team from its people. Amounts are
    whole units, rates fractions.
    """

    key: str
    row: int
    kpi: str
    segment: str
    kind: Kind
    is_kind_stated: bool
    is_total: bool
    is_subtotal: bool
    unit: SheetUnit
    cells: tuple[SheetCell, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A number that the sheet computes, beside what its parts give. `how`: sum, last, average or achievement."""

    address: str
    kpi: str
    segment: str
    heading: str
    how: str
    stated: Decimal
    computed: Decimal
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Reading:
    """A whole sheet; a remark's field is the address of the cell that was not taken."""

    title: str
    lines: tuple[Line, ...]
    checks: tuple[Check, ...]
    remarks: tuple[Issue, ...]

    @property
    def kpis(self) -> tuple[str, ...]:
        """The KPIs by name, in the order of the sheet."""
        return tuple(dict.fromkeys(line.kpi for line in self.lines))

    @property
    def segments(self) -> tuple[str, ...]:
        """The people and teams by name, in the order of the sheet."""
        return tuple(dict.fromkeys(line.segment for line in self.lines if line.segment))

    @property
    def months(self) -> tuple[Month, ...]:
        """Every month of the sheet, in order."""
        return tuple(sorted({cell.month for line in self.lines for cell in line.cells}))


class CrossTabError(ValueError):
    """A sheet that cannot be read as a cross-tab at all; the issue says what to change, its field where."""

    def __init__(self, code: str, template: str, *, at: str = "", **params: object) -> None:
        self.issue = Issue(at, code, template, tuple(params.items()))
        super().__init__(self.issue.message)


def address(row: int, column: int) -> str:
    """A cell as Excel calls it, from row and column counted from 0.

    >>> address(6, 2), address(0, 27)
    ('C7', 'AB1')
    """
    letters, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row + 1}"
