"""The target grid as a file that can be filled in and read back."""

import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill, Protection
from openpyxl.utils import get_column_letter

from kpis.choices import DimensionCode, TargetLine, Unit
from kpis.renderings.files import harmless, write_csv
from kpis.selectors.target_grid import GridCell, GridRow, TargetGrid
from kpis.selectors.target_import import HEADINGS

FORMATS = {Unit.PERCENT: "0.0%;△0.0%", Unit.AMOUNT: "#,##0;△#,##0", Unit.COUNT: "#,##0.##;△#,##0.##"}
HEAD = PatternFill("solid", start_color="FFE9EFF6")
LOCKED = PatternFill("solid", start_color="FFF4F1EA")


def target_csv(grid: TargetGrid, *, encoding: str) -> bytes:
    """One line per row of the grid; rates as percentages, everything else in full."""
    lines = ([*_names(grid, row), *(_csv_value(row, cell) for cell in row.cells)] for row in grid.rows)
    return write_csv([_headings(grid), *lines], encoding=encoding)


def target_workbook(grid: TargetGrid) -> bytes:
    """The grid with frozen panes; a sum of the year beside what adds up; closed periods in grey."""
    book = Workbook()
    sheet = book.active
    sheet.title = _("Targets")
    sheet.append([*_headings(grid), _("Full year")])
    for cell in sheet[1]:
        cell.font, cell.fill = Font(bold=True), HEAD
    first = len(HEADINGS) + 1
    for line, row in enumerate(grid.rows, 2):
        for number, text in enumerate(_names(grid, row), 1):
            sheet.cell(line, number, text)
        for number, cell in enumerate(row.cells, first):
            place = sheet.cell(line, number, _value(row, cell))
            place.number_format = FORMATS.get(Unit(row.unit), "#,##0.0;△#,##0.0")
            place.protection = Protection(locked=cell.is_locked)
            if cell.is_locked:
                place.fill = LOCKED
        if row.accumulation == "sum":
            begin, end = get_column_letter(first), get_column_letter(first + len(row.cells) - 1)
            total = sheet.cell(line, first + len(row.cells), f"=SUM({begin}{line}:{end}{line})")
            total.number_format = FORMATS.get(Unit(row.unit), "#,##0.0;△#,##0.0")
    sheet.freeze_panes = sheet.cell(2, first)
    for number in range(1, first + len(grid.columns) + 1):
        sheet.column_dimensions[get_column_letter(number)].width = 22 if number in {2, 5} else 13
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _headings(grid: TargetGrid) -> list[str]:
    return [*(_(word) for word in HEADINGS.values()), *(column.label for column in grid.columns)]


def _names(grid: TargetGrid, row: GridRow) -> Iterator[str]:
    member = row.member
    yield harmless(row.node.code)
    yield harmless(row.node.name)
    yield grid.query.dimension if member else str(DimensionCode.COMPANY)
    yield harmless(member.code) if member else ""
    yield harmless(member.name) if member else ""
    yield str(TargetLine(grid.query.line).label)
    yield _unit(grid, row)


def _unit(grid: TargetGrid, row: GridRow) -> str:
    """Amounts stand in the currency itself, whatever the page shows."""
    if row.unit == Unit.AMOUNT:
        return _("JPY") if grid.currency == "JPY" else grid.currency
    return "%" if row.unit == Unit.PERCENT else ""


def _value(row: GridRow, cell: GridCell) -> Any:
    if cell.value is not None and row.is_range:
        return f"{_full(cell.value)}〜{_full(cell.upper)}"
    return cell.value


def _csv_value(row: GridRow, cell: GridCell) -> Any:
    if cell.value is not None and row.unit == Unit.PERCENT and not row.is_range:
        return f"{_full(cell.value * 100)}%"
    return _value(row, cell)


def _full(value: Decimal | None) -> str:
    text = f"{value or Decimal(0):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
