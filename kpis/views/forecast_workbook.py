"""The deal forecast table as an Excel workbook: frozen panes, live formulas, one line per deal."""

import io
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from kpis.selectors.forecast_annex import ForecastAnnex
from kpis.selectors.forecast_table import ForecastTable
from kpis.views.forecast_lines import Lines, Value, annex_lines, deal_lines

HEAD_ROW = 3
AMOUNT, RANK, STATE, COUNTED = "F", "E", "D", "J"
BOLD, SHADE = Font(bold=True), PatternFill("solid", fgColor="EEEBE4")
MONEY, DAY, SHARE = "#,##0;△#,##0", "yyyy/mm/dd", "0%"


def forecast_workbook(
    found: ForecastTable, annex: ForecastAnnex, *, title: str, target: Decimal | None, notes: Sequence[str] = ()
) -> bytes:
    """The deals on the first sheet, then deals to check, changes and losses on their own, each in full.

    The foot is formulas over the lines: who corrects a rank or an amount sees the landing move. `notes` stand in a line
    below the title of every sheet.
    """
    workbook = Workbook()
    sheet: Worksheet = workbook.active
    sheet.title = _("Deal forecast table")
    last = _write_lines(sheet, deal_lines(found), title=title, notes=notes)
    _write_foot(sheet, found, first=HEAD_ROW + 1, last=last, target=target)
    for lines in annex_lines(annex):
        _write_lines(workbook.create_sheet(lines.name[:31]), lines, title=f"{title} · {lines.title}", notes=notes)
    stored = io.BytesIO()
    workbook.save(stored)
    return stored.getvalue()


def _write_lines(sheet: Worksheet, lines: Lines, *, title: str, notes: Sequence[str]) -> int:
    """Title, headings and lines below frozen panes; returns the number of the last line."""
    _write(sheet, "A1", title, font=Font(bold=True, size=14))
    if notes:
        _write(sheet, "A2", " · ".join(notes))
    for number, column in enumerate(lines.columns, start=1):
        _write(sheet, f"{get_column_letter(number)}{HEAD_ROW}", column.heading, font=BOLD, fill=SHADE)
        sheet.column_dimensions[get_column_letter(number)].width = column.width
    for index, row in enumerate(lines.rows, start=HEAD_ROW + 1):
        for number, value in enumerate(row, start=1):
            _write(sheet, f"{get_column_letter(number)}{index}", value, **_style(value))
    last = HEAD_ROW + max(len(lines.rows), 1)
    sheet.freeze_panes = f"C{HEAD_ROW + 1}"
    sheet.auto_filter.ref = f"A{HEAD_ROW}:{get_column_letter(len(lines.columns))}{last}"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A3
    sheet.page_setup.fitToHeight, sheet.sheet_properties.pageSetUpPr.fitToPage = 0, True
    sheet.print_title_rows = f"{HEAD_ROW}:{HEAD_ROW}"
    return last


def _style(value: Value) -> dict[str, str]:
    if isinstance(value, Decimal):
        return {"number_format": MONEY}
    return {"number_format": DAY} if isinstance(value, date) else {}


def _write_foot(sheet: Worksheet, table: ForecastTable, *, first: int, last: int, target: Decimal | None) -> None:
    """Won, then each rank added to what is surer; the weighted landing; what is left out; the target."""

    def span(column: str) -> str:
        return f"${column}${first}:${column}${last}"

    line = last + 2
    for column, heading in zip("BDEF", (_("Foot"), _("Weight"), _("In this rank"), _("Cumulative")), strict=True):
        _write(sheet, f"{column}{line}", heading, font=BOLD, fill=SHADE)
    line += 1
    won = line
    _write(sheet, f"B{line}", _("Won"))
    _formula(sheet, f"E{line}", f'=SUMIFS({span(AMOUNT)},{span(STATE)},"{_("Won")}")', MONEY)
    _formula(sheet, f"F{line}", f"=E{line}", MONEY)
    for step in table.foot.steps:
        line += 1
        _write(sheet, f"B{line}", f"+{step.rank.name}")
        _write(sheet, f"C{line}", step.rank.code)
        _write(sheet, f"D{line}", step.rank.applied, number_format=SHARE)
        conditions = f'{span(STATE)},"{_("Open deal")}",{span(RANK)},$C{line},{span(COUNTED)},1'
        _formula(sheet, f"E{line}", f"=SUMIFS({span(AMOUNT)},{conditions})", MONEY)
        _formula(sheet, f"F{line}", f"=F{line - 1}+E{line}", MONEY)
    landing = line + 1
    _write(sheet, f"B{landing}", _("Landing forecast (weighted)"), font=BOLD)
    weighted = f"+SUMPRODUCT(D{won + 1}:D{line},E{won + 1}:E{line})" if table.foot.steps else ""
    _formula(sheet, f"F{landing}", f"=E{won}{weighted}", MONEY, font=BOLD)
    _write(sheet, f"B{landing + 1}", _("Left out until checked"))
    _formula(sheet, f"F{landing + 1}", f"=SUMIFS({span(AMOUNT)},{span(COUNTED)},0)", MONEY)
    if target is not None:
        _write(sheet, f"B{landing + 2}", _("Target"))
        _write(sheet, f"F{landing + 2}", target, number_format=MONEY)
        _write(sheet, f"B{landing + 3}", _("Achievement rate"))
        _formula(sheet, f"F{landing + 3}", f'=IF(F{landing + 2}=0,"",F{landing}/F{landing + 2})', "0.0%")


def _write(sheet: Worksheet, place: str, value: str | int | Decimal | date | None, **style: Any) -> None:
    """A value as it is: what begins with = came from a source system and is a text, never a formula."""
    cell = sheet[place]
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"
        cell.alignment = Alignment(vertical="top")
    for name, each in style.items():
        setattr(cell, name, each)


def _formula(sheet: Worksheet, place: str, formula: str, number_format: str, font: Font | None = None) -> None:
    cell = sheet[place]
    cell.value, cell.number_format = formula, number_format
    if font is not None:
        cell.font = font
