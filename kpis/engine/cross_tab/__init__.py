"""Reading the cross-tab with which a client keeps its KPIs in Excel."""

from kpis.engine.cross_tab.reading import MAX_COLUMNS, MAX_KPIS, MAX_LINES, MAX_ROWS, read_cross_tab
from kpis.engine.cross_tab.shapes import (
    DATA,
    Check,
    Context,
    CrossTabError,
    Kind,
    Line,
    Month,
    Reading,
    SheetCell,
    SheetUnit,
    Verdict,
)
from kpis.engine.cross_tab.sums import added_up
from kpis.engine.cross_tab.words import plain

__all__ = [
    "DATA",
    "MAX_COLUMNS",
    "MAX_KPIS",
    "MAX_LINES",
    "MAX_ROWS",
    "Check",
    "Context",
    "CrossTabError",
    "Kind",
    "Line",
    "Month",
    "Reading",
    "SheetCell",
    "SheetUnit",
    "Verdict",
    "added_up",
    "plain",
    "read_cross_tab",
]
