"""The table of target beside actual as the workbook that people know, and as CSV."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from kpis.choices import AchievementFormula, Grain
from kpis.renderings.files import harmless, write_csv
from kpis.selectors.budget_shapes import AHEAD, OVER, BudgetCell, BudgetColumn, BudgetQuery, BudgetRow, BudgetTable
from kpis.selectors.budget_table import ROUNDING

FIRST_ROW, FIRST_COLUMN = 4, 3
SCALES = {"one": "", "thousand": ",", "million": ",,"}
PERCENT = "0.0%;△0.0%"
POINTS = '0.0"pt";△0.0"pt"'
TARGET, ACTUAL, LANDING, BEFORE = 0, 1, 2, 5  # lines of a KPI
BOLD = Font(bold=True)
HEAD = PatternFill("solid", start_color="FFE9EFF6")
TOTAL = PatternFill("solid", start_color="FFF4F1EA")
PLANNED = Font(italic=True, color="FF6B727A")
THIN, BORDER = Side(style="thin", color="FFCDC6B8"), Side(style="medium", color="FF1F4E79")


Word = Callable[[str | None, Decimal | None], str]  # the word of an absence, and its cases where those are too few


def measure_names() -> list[str]:
    """The lines of each KPI, in order."""
    return [
        _("Target"),
        _("Actual"),
        _("Landing forecast"),
        _("Variance"),
        _("Achievement rate"),
        _("Same period last year"),
        _("Year on year"),
    ]


def org_words(query: BudgetQuery) -> list[str]:
    """What the head of a file says of the organisation; nothing where teams are read as they were."""
    return [_("Organisation now")] if query.org == "now" else []


def shown_numbers(column: BudgetColumn, cell: BudgetCell, word: Word) -> list[Decimal | str | None]:
    """Target, actual and landing: a number, the word of its absence, or None where nobody expects one.

    Months that are ahead have no actual, months that are over no landing.
    """
    actual: Decimal | str | None = None
    if column.phase != AHEAD:
        actual = word(cell.absence, cell.cases) if cell.value is None else cell.value
    landing = word(cell.landing_absence, None) if cell.landing_absence else cell.landing
    return [_("No target") if cell.target is None else cell.target, actual, landing]


def marks_of(cell: BudgetCell) -> list[str]:
    """Why somebody should read on below the table before using this actual."""
    marks = []
    if cell.beyond_months is not None:
        marks.append(_("The months do not add up to it; see below the table."))
    if cell.late is not None:
        marks.append(_("Changed after closing; see below the table."))
    return marks


def budget_csv(table: BudgetTable | None, *, encoding: str, word: Word, remarks: Sequence[str] = ()) -> bytes:
    """One line per KPI and measure; numbers in full, rates as fractions, absences as words. `remarks` stand below."""
    if table is None:
        return write_csv([], encoding=encoding)
    head = [
        " · ".join([_("KPI"), *org_words(table.query)]),
        _("Code"),
        _("Unit"),
        _("Measure"),
        *(column.label for column in table.columns),
    ]
    return write_csv([head, *_csv_lines(table, word), *([remark] for remark in remarks)], encoding=encoding)


def _csv_lines(table: BudgetTable, word: Word) -> Iterator[list[Any]]:
    for row in table.rows:
        measures = [
            (*shown_numbers(column, cell, word), cell.variance, cell.achievement, cell.before, cell.year_on_year)
            for column, cell in zip(table.columns, row.cells, strict=False)
        ]
        head = [row.name, row.member_code or row.node.code, row.unit]
        for name, values in zip(measure_names(), zip(*measures, strict=True), strict=False):
            yield [*head, name, *values]
        beyond = [cell.beyond_months for cell in row.cells]
        if any(each is not None for each in beyond):
            yield [*head, _("Difference to the sum of the months"), *beyond]


def budget_workbook(table: BudgetTable | None, *, word: Word, scale: str = "one", remarks: Sequence[str] = ()) -> bytes:
    """A sheet with frozen panes and live formulas, A3 landscape on one page width.

    Variance, achievement and year on year are formulas everywhere, over the landing where there is one. Quarters,
    halves and the year of what adds up are sums of the months, their landing of actual and expected ones; of rates, and
    wherever the months do not add up to it, they are what the system counted. `remarks` stand below and say why.
    """
    book = Workbook()
    sheet = book.active
    sheet.title = _("Budget versus actual table")[:31]
    if table is not None:
        _BudgetSheet(sheet, table, scale, word).write(remarks)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@dataclass(frozen=True, slots=True)
class _Month:
    """The column of a month, and of one row its target, actual and landing as they are shown there."""

    letter: str
    phase: str
    numbers: Sequence[Decimal | str | None]


class _BudgetSheet:
    """Writes one table into one sheet."""

    def __init__(self, sheet: Worksheet, table: BudgetTable, scale: str, word: Word) -> None:
        self.sheet = sheet
        self.word = word
        self.table = table
        self.scale = SCALES.get(scale, "")

    def write(self, remarks: Sequence[str]) -> None:
        self.head()
        line = FIRST_ROW
        for row in self.table.rows:
            line = self.block(row, line)
        self.frame(line - 1)
        for number, remark in enumerate(remarks, line + 1):
            self.sheet.cell(number, 1, harmless(remark))

    def head(self) -> None:
        sheet, query = self.sheet, self.table.query
        sheet["A1"] = harmless(query.tree.name)
        sheet["A1"].font = Font(bold=True, size=14)
        mode = _("Running total") if query.is_cumulative else _("Single months")
        sheet["A2"] = " · ".join([mode, *org_words(query), self.table.currency])
        for number, column in enumerate(self.table.columns, FIRST_COLUMN):
            cell = sheet.cell(FIRST_ROW - 1, number, column.label)
            cell.font, cell.fill = BOLD, TOTAL if column.is_total else HEAD
            cell.alignment = Alignment(horizontal="center", wrap_text=True)
        for number, name in enumerate([_("KPI"), _("Measure")], 1):
            cell = sheet.cell(FIRST_ROW - 1, number, name)
            cell.font, cell.fill = BOLD, HEAD

    def block(self, row: BudgetRow, line: int) -> int:
        """The lines of one KPI; returns the first line after them."""
        name = self.sheet.cell(line, 1, harmless(row.name))
        name.font = BOLD
        name.alignment = Alignment(indent=min(row.depth, 4), vertical="top", wrap_text=True)
        if not row.cells:
            return line + 1
        for offset, measure in enumerate(measure_names()):
            self.sheet.cell(line + offset, 2, measure)
        for index, (column, cell) in enumerate(zip(self.table.columns, row.cells, strict=True)):
            self.cell(row, line, index, column, cell)
        return line + len(measure_names())

    def cell(self, row: BudgetRow, line: int, index: int, column: BudgetColumn, cell: BudgetCell) -> None:
        letter = get_column_letter(FIRST_COLUMN + index)
        is_judged_as_expected = cell.landing is not None or column.phase == AHEAD
        target, judged = f"{letter}{line + TARGET}", f"{letter}{line + (LANDING if is_judged_as_expected else ACTUAL)}"
        is_rate, before = row.accumulation == "rate", f"{letter}{line + BEFORE}"
        months = self.months_of(row, column) if row.accumulation == "sum" and column.is_total else []
        shown = shown_numbers(column, cell, self.word)
        contents: Sequence[tuple[Any, str]] = (
            *((self.summed(each, months, line, number), self.format(row.unit)) for number, each in enumerate(shown)),
            (_variance(row, target, judged, cell), POINTS if row.unit == "percent" else self.format(row.unit)),
            (_achievement(row, target, judged, cell), PERCENT),
            (cell.before, self.format(row.unit)),
            (_year_on_year(judged, before, is_rate), POINTS if is_rate and row.unit == "percent" else PERCENT),
        )
        for offset, (content, style) in enumerate(contents):
            place = self.sheet.cell(line + offset, FIRST_COLUMN + index, content)
            place.number_format = style
            if offset < len(shown) and isinstance(shown[offset], str):
                place.alignment = Alignment(horizontal="right")
            if column.is_total:
                place.fill = TOTAL
            if offset == ACTUAL and (marks := marks_of(cell)):
                place.comment = Comment("\n".join(marks), "Mawaru")
            if column.phase == AHEAD or offset == LANDING:
                place.font = PLANNED

    def months_of(self, row: BudgetRow, column: BudgetColumn) -> list[_Month]:
        """The months in a longer period."""
        span = column.row
        return [
            _Month(get_column_letter(FIRST_COLUMN + number), each.phase, shown_numbers(each, cell, self.word))
            for number, (each, cell) in enumerate(zip(self.table.columns, row.cells, strict=True))
            if each.grain == Grain.MONTH and span.start_date <= each.row.start_date < span.end_date
        ]

    def summed(self, shown: Decimal | str | None, months: Sequence[_Month], line: int, measure: int) -> Any:
        """A formula over the months, where it gives what is shown. A landing takes over what has ended."""
        if not isinstance(shown, Decimal) or not months:
            return shown
        lines = [ACTUAL if measure == LANDING and month.phase == OVER else measure for month in months]
        parts = [month.numbers[each] for month, each in zip(months, lines, strict=True)]
        if abs(sum(each for each in parts if isinstance(each, Decimal)) - shown) > ROUNDING:
            return shown
        places = (f"{month.letter}{line + each}" for month, each in zip(months, lines, strict=True))
        return f"=SUM({','.join(places)})"

    def format(self, unit: str) -> str:
        if unit == "percent":
            return PERCENT
        if unit in {"amount", "count"}:
            comma = self.scale if unit == "amount" else ""
            return f"#,##0{comma};△#,##0{comma}"
        return "#,##0.0;△#,##0.0"

    def frame(self, last: int) -> None:
        """Frozen panes, widths, the border before what is ahead, and the page it is printed on."""
        sheet, width = self.sheet, FIRST_COLUMN + len(self.table.columns) - 1
        sheet.freeze_panes = sheet.cell(FIRST_ROW, FIRST_COLUMN)
        sheet.column_dimensions["A"].width = 26
        sheet.column_dimensions["B"].width = 14
        for number in range(FIRST_COLUMN, width + 1):
            sheet.column_dimensions[get_column_letter(number)].width = 12
        for number, column in enumerate(self.table.columns, FIRST_COLUMN):
            for line in range(FIRST_ROW - 1, last + 1):
                left = BORDER if column.is_border else THIN
                sheet.cell(line, number).border = Border(left=left, bottom=THIN)
        sheet.page_setup.orientation = "landscape"
        sheet.page_setup.paperSize = sheet.PAPERSIZE_A3
        sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
        sheet.sheet_properties.pageSetUpPr.fitToPage = True
        sheet.print_title_rows, sheet.print_title_cols = f"{FIRST_ROW - 1}:{FIRST_ROW - 1}", "A:B"


def _variance(row: BudgetRow, target: str, judged: str, cell: BudgetCell) -> Any:
    if row.direction == "range":
        return None if cell.variance is None else cell.variance * (100 if row.unit == "percent" else 1)
    difference = f"({judged}-{target})*100" if row.unit == "percent" else f"{judged}-{target}"
    return f'=IF(AND(ISNUMBER({judged}),ISNUMBER({target})),{difference},"")'


def _achievement(row: BudgetRow, target: str, judged: str, cell: BudgetCell) -> Any:
    """As `kpis.engine.status.achievement` counts it; of a range the value itself."""
    if row.direction == "range":
        return cell.achievement
    gain = f"({judged}-{target})/ABS({target})"
    reached = f"1+{gain}" if row.direction == "up" else f"MAX(1-{gain},0)"
    if row.direction == "down" and row.achievement_formula == AchievementFormula.RATIO:
        reached = f"IF(AND({judged}>0,{target}>0),{target}/{judged},{reached})"
    return f'=IF(AND(ISNUMBER({judged}),ISNUMBER({target})),IF({target}=0,"",{reached}),"")'


def _year_on_year(judged: str, before: str, is_rate: bool) -> str:
    difference = f"({judged}-{before})*100"
    compared = difference if is_rate else f'IF({before}<=0,"",{judged}/{before})'
    return f'=IF(AND(ISNUMBER({judged}),ISNUMBER({before})),{compared},"")'
