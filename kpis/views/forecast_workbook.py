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

from kpis.selectors.forecast_table import ForecastTable, TableRow
from kpis.templatetags.forecast import faults_text

HEAD_ROW = 3
AMOUNT, RANK, STATE, COUNTED = "F", "E", "D", "J"
WIDTHS = (28, 36, 14, 10, 8, 16, 14, 8, 14, 8, 36)
BOLD, SHADE = Font(bold=True), PatternFill("solid", fgColor="EEEBE4")
MONEY, DAY, SHARE = "#,##0;△#,##0", "yyyy/mm/dd", "0%"


def forecast_workbook(table: ForecastTable, *, title: str, target: Decimal | None) -> bytes:
    """The workbook. Its foot is formulas over the lines: who corrects a rank or an amount sees the landing move."""
    workbook = Workbook()
    sheet: Worksheet = workbook.active
    sheet.title = _("Deal forecast table")
    _write(sheet, "A1", title, font=Font(bold=True, size=14))
    for column, (heading, width) in enumerate(zip(_headings(), WIDTHS, strict=True), start=1):
        _write(sheet, f"{get_column_letter(column)}{HEAD_ROW}", heading, font=BOLD, fill=SHADE)
        sheet.column_dimensions[get_column_letter(column)].width = width
    rows = [row for group in table.groups for row in group.rows]
    for index, row in enumerate(rows, start=HEAD_ROW + 1):
        _write_row(sheet, index, row)
    last = HEAD_ROW + max(len(rows), 1)
    sheet.freeze_panes = f"C{HEAD_ROW + 1}"
    sheet.auto_filter.ref = f"A{HEAD_ROW}:{get_column_letter(len(WIDTHS))}{last}"
    _write_foot(sheet, table, first=HEAD_ROW + 1, last=last, target=target)
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", sheet.PAPERSIZE_A3
    sheet.page_setup.fitToHeight, sheet.sheet_properties.pageSetUpPr.fitToPage = 0, True
    sheet.print_title_rows = f"{HEAD_ROW}:{HEAD_ROW}"
    stored = io.BytesIO()
    workbook.save(stored)
    return stored.getvalue()


def _headings() -> Sequence[str]:
    return (
        _("Account"),
        _("Deal name"),
        _("Person in charge"),
        _("Status"),
        _("Confidence"),
        _("Amount"),
        _("Expected close"),
        _("Times postponed"),
        _("Last activity"),
        _("Counted"),
        _("To be checked"),
    )


def _write_row(sheet: Worksheet, index: int, row: TableRow) -> None:
    texts = {"A": row.account, "B": str(row.deal), "C": row.owner, "D": _("Won") if row.is_won else _("Open deal")}
    texts |= {"E": row.rank, "K": faults_text(row.faults)}
    for column, text in texts.items():
        _write(sheet, f"{column}{index}", text)
    _write(sheet, f"{AMOUNT}{index}", row.worth, number_format=MONEY)
    _write(sheet, f"G{index}", row.day, number_format=DAY)
    _write(sheet, f"H{index}", row.deal.postponed_count)
    _write(sheet, f"I{index}", row.deal.last_activity_on, number_format=DAY)
    _write(sheet, f"{COUNTED}{index}", 0 if row.faults else 1)


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
