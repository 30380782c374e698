"""A sheet as the page shows it: every number it was understood to say, where a cell is not taken, what adds up."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kpis.engine.calendar import PeriodSpan, label
from kpis.engine.cross_tab import Check, Line, Month, Reading, Verdict, plain
from kpis.forms.sheet_start import METRIC, NEW, StartForm
from kpis.selectors.sheet_start import FACTOR, PlannedKpi, StartPlan

SHOWN = 200


@dataclass(frozen=True)
class ShownCell:
    """One cell: its number in the unit of the line (None = blank), and why it is not taken ("" = it is)."""

    value: Decimal | None
    refusal: str


@dataclass(frozen=True)
class ShownLine:
    """One line of numbers with the field that says what they are."""

    line: Line
    field: forms.BoundField
    cells: Sequence[ShownCell]


@dataclass(frozen=True)
class ShownKpi:
    """One KPI with its fields, and what would be stored; `planned` is None where it is left out or at fault."""

    name: str
    fields: Mapping[str, forms.BoundField]
    planned: PlannedKpi | None
    has_parts: bool

    @property
    def is_existing(self) -> bool:
        """Whether it is a metric that is there, which keeps its name and its ways."""
        return str(self.fields["use"].value()).startswith(METRIC)


class SheetPage:
    """What the second step shows."""

    def __init__(self, name: str, reading: Reading, form: StartForm, plan: StartPlan | None, currency: str) -> None:
        self.name, self.reading, self.form, self.plan, self.currency = name, reading, form, plan, currency
        self.months = reading.months
        self.issues = [*reading.remarks, *(plan.refused if plan else ())]

    @property
    def month_names(self) -> list[str]:
        """The heads of the columns."""
        return [_month_name(month) for month in self.months]

    @property
    def is_new_tree(self) -> bool:
        return self.form["tree"].value() == NEW

    @property
    def needs_factor(self) -> bool:
        """Whether a KPI goes below the KSF that is made for the sheet."""
        return any(kpi.fields["place"].value() == FACTOR for kpi in self.kpis) or bool(self.form["factor"].errors)

    @property
    def last_month(self) -> str:
        return self.month_names[-1]

    @property
    def kpis(self) -> list[ShownKpi]:
        planned = {kpi.key: kpi for kpi in self.plan.kpis} if self.plan else {}
        parted = {line.kpi for line in self.reading.lines if line.segment}
        whole = {line.kpi for line in self.reading.lines if not line.segment}
        return [
            ShownKpi(kpi, fields, planned.get(plain(kpi)), kpi in parted - whole)
            for kpi, fields in self.form.kpi_fields()
        ]

    @property
    def lines(self) -> list[ShownLine]:
        refusals = {issue.field: issue.translated(_) for issue in self.issues}
        return [
            ShownLine(line, self.form[f"l{index}"], self._cells(line, refusals))
            for index, line in enumerate(self.reading.lines)
        ]

    def _cells(self, line: Line, refusals: Mapping[str, str]) -> list[ShownCell]:
        cells = {cell.month: cell for cell in line.cells}
        found = [cells.get(month) for month in self.months]
        return [
            ShownCell(cell.value, refusals.get(cell.address, "")) if cell else ShownCell(None, "") for cell in found
        ]

    @property
    def unknown_segments(self) -> list[forms.BoundField]:
        """The fields of names that no team or person has, or that nobody has been chosen for yet."""
        return [field for field in self.form.segment_fields() if not field.value() or field.errors]

    @property
    def known_segments(self) -> list[forms.BoundField]:
        return [field for field in self.form.segment_fields() if field.value() and not field.errors]

    @property
    def differing(self) -> list[Check]:
        return [check for check in self.reading.checks if check.verdict is Verdict.DIFFERS][:SHOWN]

    @property
    def agreeing_count(self) -> int:
        return sum(check.verdict is not Verdict.DIFFERS for check in self.reading.checks)

    @property
    def remarks(self) -> list[tuple[str, list[str]]]:
        """Why cells are not taken, and which they are."""
        found: dict[str, list[str]] = defaultdict(list)
        for issue in self.issues:
            found[issue.translated(_)].append(issue.field)
        return list(found.items())[:SHOWN]

    @property
    def target_count(self) -> int:
        return sum(len(kpi.targets) for kpi in self.plan.kpis) if self.plan else 0

    @property
    def actual_count(self) -> int:
        return sum(len(kpi.actuals) for kpi in self.plan.kpis) if self.plan else 0

    @property
    def changed_count(self) -> int:
        """How many numbers replace others."""
        return sum(number.old is not None for number in self.plan.numbers) if self.plan else 0

    @property
    def new_kpi_count(self) -> int:
        return sum(kpi.is_new_metric for kpi in self.plan.kpis) if self.plan else 0


def _month_name(month: Month) -> str:
    """2026年4月 or Apr 2026, whatever day the company closes on."""
    first = date(month.year, month.month, 1)
    return label(PeriodSpan("month", first, first, month.year, 1, *month), get_language() or "ja")
