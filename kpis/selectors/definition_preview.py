"""What a definition would say of the last months, before anybody has to save it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from kpis.choices import DimensionCode, Grain
from kpis.engine import specs
from kpis.engine.cells import Cell
from kpis.engine.values import Absence
from kpis.models import Metric, Period
from kpis.selectors.calendar import period_namer
from kpis.selectors.parts import read_cell, spec_cell

MONTHS = 4  # the running one and the three before it


@dataclass(frozen=True, slots=True)
class PreviewMonth:
    """One month by the definition as typed; `present` is what the metric says of it now (None = it has no number)."""

    label: str
    cell: Cell
    present: Cell | None

    @property
    def absence(self) -> str:
        return str(self.cell.value) if isinstance(self.cell.value, Absence) else ""

    @property
    def present_absence(self) -> str:
        return str(self.present.value) if self.present and isinstance(self.present.value, Absence) else ""


def read_preview(spec: specs.Spec, metric: Metric | None, *, today: date) -> Sequence[PreviewMonth]:
    """The company's numbers of this month and the three before; empty for what is not counted record by record."""
    months = Period.objects.filter(grain=Grain.MONTH, start_date__lte=today).select_related("fiscal_year")
    named = period_namer(short=True)
    found = []
    for period in reversed(months.order_by("-start_date")[:MONTHS]):
        cell = spec_cell(spec, period, dimension=DimensionCode.COMPANY, member=None, today=today)
        if cell is None:
            return ()
        present = metric and read_cell(metric, period, dimension=DimensionCode.COMPANY, member=None, today=today)
        found.append(PreviewMonth(named(period), cell, present or None))
    return found
