"""The table of target beside actual as a PDF to be printed on A3."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from reportlab.lib.units import mm
from reportlab.platypus import Flowable

from kpis.engine import formats
from kpis.renderings.budgets import ACTUAL, marks_of, measure_names, org_words, shown_numbers
from kpis.renderings.pdf import BORDER, FAINT, TOTAL_FILL, PageHead, render_pdf, table, text, usable_width
from kpis.selectors.budget_shapes import AHEAD, OVER, BudgetCell, BudgetColumn, BudgetRow, BudgetTable
from kpis.templatetags.kpi import STATE_WORDS, absence_text, language_code, unit_word

PAPER = "A3"
NAME_WIDTH, MEASURE_WIDTH = 46 * mm, 19 * mm
SIZE = 6.5


def budget_pdf(
    found: BudgetTable | None, *, company: str, as_of: str, scale: str, remarks: Sequence[str] = ()
) -> bytes:
    """One block of lines for each KPI; a number that is missing is a word; months that are ahead have no actual.

    `remarks` stand below the table.
    """
    if found is None or not found.columns:
        head = PageHead(company, _("Budget versus actual table"), "", as_of)
        return render_pdf([text(_("Nothing to compare yet"), size=10)], head, paper=PAPER)
    style = {"currency": found.currency, "scale": scale or formats.default_scale(found.currency)}
    rows: list[list[Any]] = [[_("KPI"), _("Measure"), *(_head(column) for column in found.columns)]]
    commands: list[tuple[Any, ...]] = [
        ("FONTSIZE", (0, 0), (-1, -1), SIZE),
        ("ALIGN", (2, 1), (-1, -1), "RIGHT"),
        ("ALIGN", (2, 0), (-1, 0), "CENTER"),
        ("VALIGN", (0, 1), (0, -1), "TOP"),
    ]
    for row in found.rows:
        first = len(rows)
        rows += _block(row, found, style)
        commands.append(("NOSPLIT", (0, first), (-1, len(rows) - 1)))
        commands.append(("LINEABOVE", (0, first), (-1, first), 0.8, FAINT))
        if row.cells:
            commands.append(("SPAN", (0, first), (0, len(rows) - 1)))
    commands += _of_columns(found)
    width = (usable_width(PAPER) - NAME_WIDTH - MEASURE_WIDTH) / len(found.columns)
    content: list[Flowable] = [
        table(rows, [NAME_WIDTH, MEASURE_WIDTH, *([width] * len(found.columns))], style=commands),
        *(text(remark, size=SIZE + 0.5) for remark in remarks),
    ]
    return render_pdf(content, _page_head(found, company, as_of, style), paper=PAPER)


def _page_head(found: BudgetTable, company: str, as_of: str, style: dict[str, str]) -> PageHead:
    query = found.query
    mode = _("Running total") if query.is_cumulative else _("Single months")
    part = [query.tree.name, *([query.node.name] if query.node else []), mode, *org_words(query)]
    unit = unit_word(formats.write_number(0, unit="amount", **style).unit)
    over = [column for column in found.columns if column.phase == OVER and not column.is_total]
    stamp = f"{over[-1].short_label} {STATE_WORDS[over[-1].state]}" if over and over[-1].state in STATE_WORDS else ""
    return PageHead(
        company,
        _("Budget versus actual table"),
        " · ".join([*part, _("Unit: %(unit)s") % {"unit": unit}]),
        as_of,
        stamp,
    )


def _head(column: BudgetColumn) -> str:
    stamp = STATE_WORDS.get(column.state)
    return f"{column.short_label}\n{stamp}" if stamp else column.short_label


def _of_columns(found: BudgetTable) -> list[tuple[Any, ...]]:
    """Totals shaded, and the line between what has happened and what is ahead."""
    commands: list[tuple[Any, ...]] = []
    for number, column in enumerate(found.columns, 2):
        if column.is_total:
            commands.append(("BACKGROUND", (number, 0), (number, -1), TOTAL_FILL))
        if column.is_border:
            commands.append(("LINEBEFORE", (number, 0), (number, -1), 1.2, BORDER))
        if column.phase == AHEAD:
            commands.append(("TEXTCOLOR", (number, 1), (number, -1), FAINT))
    return commands


def _block(row: BudgetRow, found: BudgetTable, style: dict[str, str]) -> list[list[Any]]:
    name = text(row.name, size=SIZE + 0.5, indent=min(row.depth, 4) * 5)
    if not row.cells:
        return [[name, "", *([""] * len(found.columns))]]
    cells = [_lines(row, column, cell, style) for column, cell in zip(found.columns, row.cells, strict=True)]
    return [
        [name if number == 0 else "", measure, *(lines[number] for lines in cells)]
        for number, measure in enumerate(measure_names())
    ]


def _lines(row: BudgetRow, column: BudgetColumn, cell: BudgetCell, style: dict[str, str]) -> list[str]:
    """Target, actual, landing, variance, achievement, last year, year on year; blank is what nobody expects there."""

    def number(value: Decimal | None, unit: str = row.unit) -> str:
        if value is None:
            return ""
        written = formats.write_number(value, unit=unit, **style, language=language_code())
        return f"{written.text}%" if written.unit == "percent" else written.text

    def difference(value: Decimal | None) -> str:
        if value is None:
            return ""
        return formats.write_difference(value, unit=row.unit, **style, language=language_code()).text

    target, actual, landing = shown_numbers(column, cell, absence_text)
    distance = cell.variance
    if isinstance(landing, Decimal):
        if distance is not None:
            distance = formats.expected_distance(distance, landing, row.unit)
        landing = formats.as_decimal(formats.expected(landing, row.unit))
    shown = [each if isinstance(each, str) else number(each) for each in (target, actual, landing)]
    if marks_of(cell):
        shown[ACTUAL] = f"※{shown[ACTUAL]}"
    is_rate = row.accumulation == "rate"
    grown = difference(cell.year_on_year) if is_rate else number(cell.year_on_year, "percent")
    return [
        *shown,
        difference(distance),
        number(cell.achievement, "percent"),
        number(cell.before),
        grown,
    ]
