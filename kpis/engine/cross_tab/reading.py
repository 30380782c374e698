"""A client's cross-tab read as it is meant: months across; KPIs, people or teams and kinds of numbers down.

Totals are checks, never data. A blank is no number, never zero; what cannot be read is named by its cell and left out.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from kpis.engine.cross_tab.checks import Totals, find_checks
from kpis.engine.cross_tab.header import Column, Grid, Section, find_sections
from kpis.engine.cross_tab.labels import Label, of_title, read_labels
from kpis.engine.cross_tab.shapes import (
    DATA,
    Context,
    CrossTabError,
    Kind,
    Line,
    Month,
    Reading,
    SheetCell,
    SheetUnit,
    address,
)
from kpis.engine.cross_tab.words import BLANKS, likely_unit, plain, stated_unit
from kpis.engine.issues import Issue, gettext_noop
from kpis.engine.typed import TypedNumberError, read_number

MAX_ROWS, MAX_COLUMNS, MAX_LINES, MAX_KPIS = 1_000, 150, 300, 60
_PLAINLY_PERCENT = Decimal(2)


def read_cross_tab(grid: Grid, context: Context) -> Reading:
    """Read a sheet. Raises CrossTabError where it is no cross-tab that can be read.

    >>> reading = read_cross_tab([["KPI", "", "4月", "5月", "合計"], ["受注額（千円）", "目標", "100", "200", "300"],
    ...                           ["", "実績", "90", "", "90"]], Context(2026))
    >>> [(line.kpi, line.kind.value, [cell.value for cell in line.cells]) for line in reading.lines]
    [('受注額', 'target', [Decimal('100000'), Decimal('200000')]), ('受注額', 'actual', [Decimal('90000'), None])]
    >>> [(check.address, check.verdict.value) for check in reading.checks]
    [('E2', 'agrees'), ('E3', 'agrees')]
    """
    _refuse_size(grid)
    sections = find_sections(grid, context)
    reader = _Reader(grid, context, sections)
    return reader.reading()


def _refuse_size(grid: Grid) -> None:
    if not any(cell.strip() for row in grid for cell in row):
        raise CrossTabError("empty", gettext_noop("The sheet is empty. Copy the table with its headings and paste it."))
    rows = max(index for index, row in enumerate(grid, 1) if any(cell.strip() for cell in row))
    columns = max(index for row in grid for index, cell in enumerate(row, 1) if cell.strip())
    if columns > MAX_COLUMNS or rows > MAX_ROWS:
        raise CrossTabError(
            "too_large",
            gettext_noop(
                "The sheet has %(rows)s rows and %(columns)s columns; at most %(most_rows)s and %(most_columns)s are "
                "read. Send the part with the monthly figures only."
            ),
            rows=rows,
            columns=columns,
            most_rows=MAX_ROWS,
            most_columns=MAX_COLUMNS,
        )


class _Reader:
    def __init__(self, grid: Grid, context: Context, sections: Sequence[Section]) -> None:
        self.grid, self.context, self.sections = grid, context, sections
        self.title = of_title(grid, sections[0].top)
        self.remarks: list[Issue] = []

    def reading(self) -> Reading:
        rows = [(section, label) for section in self.sections for label in self._labels(section)]
        likely_data = [label for _, label in rows if label.kind in (None, *DATA)]
        if len(likely_data) > 2 * MAX_LINES:  # some may turn out to be checks only; so many cannot
            self._refuse_many(len(likely_data), {plain(label.kpi) for label in likely_data})
        units = self._units(rows)
        read: list[tuple[Line, Label]] = []
        totals: list[Totals] = []
        for section, label in rows:
            for line, sums in self._lines(section, label, units):
                read.append((line, label))
                totals.append(sums)
        lines = [line for line, _ in read]
        if not any(cell.value is not None for line in lines for cell in line.cells):
            raise CrossTabError(
                "no_numbers",
                gettext_noop(
                    "There are months, but no number below them. If the cells are formulas, open the file in Excel and "
                    "save it once, or copy the cells and paste them here."
                ),
            )
        checks = find_checks(read, totals, self.context)
        data = tuple(self._data(read))
        self._refuse_many(len(data), {plain(line.kpi) for line in data})
        return Reading(self.title, data, checks, tuple(self.remarks))

    def _labels(self, section: Section) -> Iterator[Label]:
        for label in read_labels(self.grid, section, self.context.names, self.title):
            if label.kpi:
                yield label
            elif any(self._text(label.row, column.index) for column in section.columns if column.month):
                self._remark(
                    address(label.row, 0),
                    "no_label",
                    gettext_noop("Row %(row)s has numbers, but nothing says of which KPI."),
                    row=label.row + 1,
                )

    def _text(self, row: int, column: int) -> str:
        cells = self.grid[row]
        return cells[column].strip() if column < len(cells) else ""

    def _remark(self, at: str, code: str, template: str, **params: object) -> None:
        self.remarks.append(Issue(at, code, template, tuple(params.items())))

    # --- units ---

    def _sheet_unit(self, section: Section) -> tuple[str, int] | None:
        """The unit that is said once for the whole table: （単位：千円） above it or beside its labels."""
        cells = [cell for row in self.grid[: section.bottom + 1] for cell in row]
        return next((unit for cell in cells if (unit := stated_unit(cell))), None)

    def _units(self, rows: Sequence[tuple[Section, Label]]) -> dict[str, SheetUnit]:
        """KPI → its unit, from what any of its rows says, else from its cells, its name and the sheet."""
        by_kpi: dict[str, list[tuple[Section, Label]]] = defaultdict(list)
        for section, label in rows:
            by_kpi[plain(label.kpi)].append((section, label))
        return {kpi: self.context.units.get(kpi) or self._unit_of(found) for kpi, found in by_kpi.items()}

    def _unit_of(self, rows: Sequence[tuple[Section, Label]]) -> SheetUnit:
        data = [(section, label) for section, label in rows if label.kind in (None, *DATA)]
        stated = next((label.unit for _, label in data if label.unit), None)
        if stated:
            return SheetUnit(*stated, is_stated=True)
        texts = [
            self._text(label.row, column.index)
            for section, label in data
            for column in section.columns
            if column.month and column.kind in (None, *DATA)
        ]
        if any(plain(text).endswith("%") for text in texts):
            likely = "percent"
        elif any(plain(text).endswith("円") or plain(text)[:1] in {"¥", "\\"} for text in texts):
            likely = "amount"
        else:
            likely = likely_unit(rows[0][1].kpi) or ""
        common = self._sheet_unit(rows[0][0])
        if common and (common[0] == likely or not likely):
            return SheetUnit(*common, is_stated=True)
        return SheetUnit(likely or "count")

    # --- one row: a line for each kind that its columns are divided by ---

    def _lines(self, section: Section, label: Label, units: dict[str, SheetUnit]) -> Iterator[tuple[Line, Totals]]:
        base = units[plain(label.kpi)]
        divided: dict[tuple[Kind | None, str], list[Column]] = defaultdict(list)
        for column in section.columns:
            word = column.kind_word if column.kind is Kind.DERIVED else ""
            if column.month or column.total:
                divided[column.kind, word].append(column)
            elif self._text(label.row, column.index) and column.kind is None and not column.heading:
                self._remark(
                    address(label.row, column.index),
                    "no_month",
                    gettext_noop("No month stands above this cell, so it was not taken."),
                )
        for (kind, word), columns in divided.items():
            if not any(column.month for column in columns):
                continue
            line = self._line(section, label, base, kind, columns)
            word = label.kind_word or word
            yield line, Totals(word, tuple(self._totals(line, label, columns)))

    def _line(self, section: Section, label: Label, unit: SheetUnit, kind: Kind | None, columns: list[Column]) -> Line:
        said = label.kind or kind
        is_chosen = plain(label.kpi) in self.context.units
        own = (
            replace(unit, scale=label.unit[1]) if label.unit and label.unit[0] == unit.unit and not is_chosen else unit
        )
        if said is Kind.DERIVED:
            own = SheetUnit("percent")
        months = [column for column in columns if column.month]
        scale = self._percent_scale(label.row, months) if own.unit == "percent" else None
        moved = self._moved(section, label)
        cells = tuple(
            SheetCell(
                address(label.row, column.index),
                column.month.moved(moved),
                self._number(label.row, column.index, own, scale, is_quiet=said not in (None, *DATA)),
            )
            for column in months
            if column.month
        )
        shown = said or Kind.ACTUAL
        key = f"{label.row + 1}.{shown.value}"
        return Line(
            key,
            label.row + 1,
            label.kpi,
            label.segment,
            shown,
            is_kind_stated=said is not None,
            is_total=label.is_total,
            is_subtotal=label.is_subtotal,
            unit=own,
            cells=cells,
        )

    def _moved(self, section: Section, label: Label) -> int:
        """How many years a row labelled by its own year (2024年度) lies from the months above it."""
        if label.year is None or label.year.year is None:
            return 0
        if len(section.fiscal_years) != 1:
            self._remark(
                address(label.row, 0),
                "year_of_row",
                gettext_noop(
                    "Row %(row)s names a year, but the months above it are of several. It was read as they say."
                ),
                row=label.row + 1,
            )
            return 0
        return label.year.year - section.fiscal_years[0]

    def _totals(self, line: Line, label: Label, columns: list[Column]) -> Iterator[tuple[Column, str, Decimal]]:
        """What the row says in its total columns."""
        for column in columns:
            if column.total is None:
                continue
            value = self._number(label.row, column.index, line.unit, None, is_quiet=True)
            if value is not None:
                yield column, address(label.row, column.index), value

    def _percent_scale(self, row: int, columns: Sequence[Column]) -> Decimal | None:
        """What plain numbers of a row in % are divided by: 100 where they are plainly percentages, 1 where fractions.

        None where they could be both (1.05 is 105 % or about 1 %): such cells are remarked on instead of guessed.
        """
        texts = [plain(self._text(row, column.index)) for column in columns]
        numbers = [
            abs(number) for text in texts if not text.endswith("%") and (number := _plain_number(text)) is not None
        ]
        largest = max(numbers, default=Decimal(0))
        if largest <= 1:
            return Decimal(1)
        return Decimal(100) if largest >= _PLAINLY_PERCENT else None

    def _number(
        self, row: int, column: int, unit: SheetUnit, percent: Decimal | None, *, is_quiet: bool
    ) -> Decimal | None:
        text = self._text(row, column)
        if plain(text) in BLANKS:
            return None
        at = address(row, column)
        if text.startswith("#"):
            if not is_quiet:
                self._remark(
                    at, "excel_error", gettext_noop("“%(text)s” is an error of Excel, so it was not taken."), text=text
                )
            return None
        try:
            number = _plain_number(plain(text)) if percent is not None else None
            if number is not None and percent is not None:
                return number / percent
            return read_number(text, unit.unit, scale=unit.scale)
        except TypedNumberError as error:
            if not is_quiet:
                self._remark(at, error.code, error.template, **error.params)
            return None

    # --- what is data in the end ---

    def _data(self, read: Sequence[tuple[Line, Label]]) -> Iterator[Line]:
        """The lines that are data and not empty. A total beside the company's own line is a check only."""
        own = {(plain(line.kpi), line.kind) for line, _ in read if not line.segment and not line.is_total}
        seen: dict[tuple[str, str, Kind, Month], SheetCell] = {}
        for line, _label in read:
            is_check = line.is_total and (plain(line.kpi), line.kind) in own
            if line.kind not in DATA or is_check:
                continue
            kept = tuple(self._once(line, seen))
            if any(cell.value is not None for cell in kept):
                yield replace(line, cells=kept)

    def _once(self, line: Line, seen: dict[tuple[str, str, Kind, Month], SheetCell]) -> Iterator[SheetCell]:
        """Cells that say nothing else than an earlier cell about the same; the first holds."""
        for cell in line.cells:
            key = (plain(line.kpi), plain(line.segment), line.kind, cell.month)
            earlier = seen.get(key)
            if earlier is None or earlier.value is None:
                seen[key] = cell
            elif cell.value is not None:
                if cell.value != earlier.value:
                    self._remark(
                        cell.address,
                        "said_twice",
                        gettext_noop("%(earlier)s says something else for the same month, and was taken instead."),
                        earlier=earlier.address,
                    )
                cell = replace(cell, value=None)
            yield cell

    def _refuse_many(self, lines: int, kpis: Collection[str]) -> None:
        if lines > MAX_LINES or len(kpis) > MAX_KPIS:
            raise CrossTabError(
                "too_many",
                gettext_noop(
                    "The sheet has %(lines)s rows of numbers for %(kpis)s KPIs; at most %(most_lines)s rows and "
                    "%(most_kpis)s KPIs are taken at a time. Send it in parts."
                ),
                lines=lines,
                kpis=len(kpis),
                most_lines=MAX_LINES,
                most_kpis=MAX_KPIS,
            )


def _plain_number(text: str) -> Decimal | None:
    """A number that carries no unit of its own; None for everything else."""
    try:
        return read_number(text, "score") if text and not text.endswith(("%", "円")) else None
    except TypedNumberError:
        return None
