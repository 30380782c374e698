"""The head of a cross-tab: which columns are which months, which are totals, and how they are divided by kind."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from kpis.engine.cross_tab.months import (
    MonthName,
    TotalName,
    YearName,
    read_month,
    read_total,
    read_year,
    split_heading,
    year_within,
)
from kpis.engine.cross_tab.shapes import Context, CrossTabError, Kind, Month, address
from kpis.engine.cross_tab.words import kind_of, plain
from kpis.engine.issues import gettext_noop

Grid = Sequence[Sequence[str]]
_NUMBER = re.compile(r"[(△▲\-−+¥\\]*[\d,.]+[)%]?[^\d]{0,4}")
YEAR_ROWS = 4  # how far above the months a year may stand


@dataclass(frozen=True, slots=True)
class Column:
    """One column right of the labels: a month, a total (`span`), or neither; `kind` where the head says one."""

    index: int
    heading: str
    month: Month | None = None
    total: TotalName | None = None
    kind: Kind | None = None
    kind_word: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """One head with the rows below it, both counted from 0 (`end` exclusive); labels stand left of `first`."""

    top: int
    bottom: int
    end: int
    first: int
    columns: tuple[Column, ...]
    corner: tuple[str, ...]
    fiscal_years: tuple[int, ...]


def find_sections(grid: Grid, context: Context) -> tuple[Section, ...]:
    """The heads of a sheet in order. Raises CrossTabError where there is none, or where two of them disagree."""
    blocks = list(_blocks(grid))
    if not blocks:
        raise _no_months(grid)
    sections = []
    for number, (top, bottom) in enumerate(blocks):
        end = blocks[number + 1][0] if number + 1 < len(blocks) else len(grid)
        above = blocks[number - 1][1] + 1 if number else 0
        sections.append(_Head(grid, context, top, bottom, above).section(end))
    return tuple(sections)


def _no_months(grid: Grid) -> CrossTabError:
    for column in range(max(map(len, grid), default=0)):
        run = [read_month(row[column]) for row in grid if column < len(row)]
        if sum(name is not None and not name.is_doubtful for name in run) > 2:
            return CrossTabError(
                "months_down",
                gettext_noop(
                    "The months run down column %(column)s. In Excel, copy the table and paste it with “Transpose”, "
                    "so that the months run across."
                ),
                at=address(0, column),
                column=address(0, column)[:-1],
            )
    return CrossTabError(
        "no_months",
        gettext_noop(
            "No row names months. One row needs at least two headings such as 2026年4月, 4月, 2026/04 or Apr-26."
        ),
    )


def _blocks(grid: Grid) -> Iterator[tuple[int, int]]:
    """First and last row of each head: rows that name months and have no number between them."""
    start: int | None = None
    last = -1
    for index, row in enumerate(grid):
        if _names_months(row):
            if start is not None and not any(_has_number(grid[between]) for between in range(last + 1, index)):
                _refuse_contradiction(grid, last, index)
            else:
                if start is not None:
                    yield start, last
                start = index
            last = index
    if start is not None:
        yield start, last


def _names_months(row: Sequence[str]) -> bool:
    """Whether a row is a head: two months at least, nothing that is plainly a number after the first of them.

    Doubtful months (25.4) count only where three or more follow each other.
    """
    names = [(index, _month_in(cell)) for index, cell in enumerate(row) if cell.strip()]
    found = [(index, name) for index, name in names if name is not None]
    if len(found) < 2:
        return False
    first = found[0][0]
    if any(name is None and index > first and _is_number(row[index]) for index, name in names):
        return False
    sure = [name for _, name in found if not name.is_doubtful]
    return len(sure) > 1 or _follow(tuple(name for _, name in found))


def _follow(names: Sequence[MonthName]) -> bool:
    numbers = [(name.year or 0) * 12 + name.month for name in names]
    return len(numbers) > 2 and all(later - one == 1 for one, later in pairwise(numbers))


def _month_in(cell: str) -> MonthName | None:
    return read_month(split_heading(cell)[0])


def _has_number(row: Sequence[str]) -> bool:
    return any(map(_is_number, row[1:]))


def _refuse_contradiction(grid: Grid, one: int, other: int) -> None:
    """Two heads above the same numbers have to name the same months."""
    for column, (upper, lower) in enumerate(zip(grid[one], grid[other], strict=False)):
        first, second = _month_in(upper), _month_in(lower)
        if first is None or second is None:
            continue
        if first.month != second.month or (first.year and second.year and first.year != second.year):
            raise CrossTabError(
                "heads_disagree",
                gettext_noop(
                    "Rows %(one)s and %(other)s both name months, but in %(cell)s “%(lower)s” is below “%(upper)s”. "
                    "Leave one of the rows out."
                ),
                at=address(other, column),
                one=one + 1,
                other=other + 1,
                cell=address(other, column),
                upper=upper.strip(),
                lower=lower.strip(),
            )


class _Head:
    """One head while it is read. `above`: the first row that may hold its years."""

    def __init__(self, grid: Grid, context: Context, top: int, bottom: int, above: int) -> None:
        self.grid, self.context, self.above = grid, context, above
        self.top, self.bottom = top, bottom
        self.width = max(map(len, grid))
        self.names = [self._name(column) for column in range(self.width)]
        self.first = next(index for index, (month, total, _) in enumerate(self.names) if month or total)
        self.kinds_below = self._is_kind_row(bottom + 1)
        self.kinds_above = not self.kinds_below and self._is_kind_row(top - 1)

    def section(self, end: int) -> Section:
        columns = self._dated(list(self._columns()))
        self._refuse_repeated(columns)
        bottom = self.bottom + self.kinds_below
        years = sorted({self.context.fiscal_year_of(column.month) for column in columns if column.month})
        corner = tuple(
            next((text for row in range(bottom, self.top - 1, -1) if (text := self._cell(row, index).strip())), "")
            for index in range(self.first)
        )
        return Section(self.top, bottom, end, self.first, tuple(columns), corner, tuple(years))

    def _cell(self, row: int, column: int) -> str:
        return self.grid[row][column] if 0 <= row < len(self.grid) and column < len(self.grid[row]) else ""

    def _name(self, column: int) -> tuple[MonthName | None, TotalName | None, Kind | None]:
        """Month or total of a column, from the rows of the head; a month with its year before one without."""
        months: list[MonthName] = []
        totals: list[TotalName] = []
        kinds: list[Kind] = []
        for row in range(self.top, self.bottom + 1):
            text, kind = split_heading(self._cell(row, column))
            if month := read_month(text):
                months.append(month)
            elif total := read_total(text):
                totals.append(total)
            kinds += [kind] if kind else []
        best = max(months, key=lambda each: each.year is not None, default=None)
        return best, None if best else next(iter(totals), None), next(iter(kinds), None)

    def _is_kind_row(self, row: int) -> bool:
        if not self.above <= row < len(self.grid):
            return False
        cells = [cell for cell in self.grid[row][self.first :] if cell.strip()]
        return sum(kind_of(cell) is not None for cell in cells) > 1 and not any(map(_is_number, cells))

    def _columns(self) -> Iterator[tuple[Column, MonthName | None]]:
        """Every column right of the labels; a heading reaches over the blank cells that it was merged with."""
        month: MonthName | None = None
        total: TotalName | None = None
        heading, kind_over = "", ""
        for index in range(self.first, self.width):
            own_month, own_total, own_kind = self.names[index]
            written = self._heading(index)
            below = self._cell(self.bottom + 1, index) if self.kinds_below else ""
            if self.kinds_above and (over := self._cell(self.top - 1, index)).strip():
                kind_over = over
            if written or not below.strip():
                month, total, heading = own_month, own_total, written
            word = below or kind_over
            kind = own_kind or kind_of(word)
            yield Column(index, heading, None, total, kind, plain(word)), month

    def _heading(self, column: int) -> str:
        rows = range(self.top, self.bottom + 1)
        return next((text for row in rows if (text := self._cell(row, column).strip())), "")

    def _dated(self, columns: list[tuple[Column, MonthName | None]]) -> list[Column]:
        """Columns with their months, whose years are taken from the heading, the years above, or what went before."""
        years = dict(self._years())
        dated: list[Column] = []
        before: Month | None = None
        place: int | None = None
        run: str | None = None
        for column, name in columns:
            if self.kinds_above and column.kind_word != run:
                before, run = None, column.kind_word
            here = max((index for index in years if index <= column.index), default=None)
            if here != place:
                before, place = None, here
            month = self._month(name, years[here] if here is not None else None, before) if name else None
            before = month or before
            total = column.total
            if month is None and total is None and read_year(column.heading):
                total = TotalName("whole")
            dated.append(replace(column, month=month, total=total))
        return dated

    def _month(self, name: MonthName, year: YearName | None, before: Month | None) -> Month:
        if name.year is not None:
            return self.context.fiscal_month(name.year, name.month) if name.is_fiscal else Month(name.year, name.month)
        if year is not None and year.is_fiscal:
            return self.context.fiscal_month(self._number(year), name.month)
        if before is not None:
            return Month(before.year + (name.month < before.month), name.month)
        if year is not None:
            return Month(self._number(year), name.month)
        return self.context.fiscal_month(self._titled_year(), name.month)

    def _number(self, year: YearName) -> int:
        if year.year is not None:
            return year.year
        if self.context.first_term_year is None:
            raise CrossTabError(
                "unknown_term",
                gettext_noop(
                    "The sheet counts its years as term %(term)s, and the company's settings do not say when the first "
                    "term was. Write the year into the sheet, such as 2026年度."
                ),
                term=year.term,
            )
        return self.context.first_term_year + (year.term or 1) - 1

    def _years(self) -> Iterator[tuple[int, YearName]]:
        """Years that stand above months, by the column from which on they hold."""
        for row in range(self.top - 1, max(self.above, self.top - YEAR_ROWS) - 1, -1):
            found = [
                (index, year) for index in range(self.first, self.width) if (year := read_year(self._cell(row, index)))
            ]
            if found:
                yield from found
                return

    def _titled_year(self) -> int:
        """The fiscal year that a title above names, else the one that the person chose."""
        titles = [cell for row in range(self.top - 1, self.above - 1, -1) for cell in self.grid[row]]
        for cell in (*self.grid[self.top][: self.first], *titles):
            if year := (read_year(cell) or year_within(cell)):
                return self._number(year)
        return self.context.fiscal_year

    def _refuse_repeated(self, columns: Sequence[Column]) -> None:
        seen: dict[tuple[Month, Kind | None, str], Column] = {}
        for column in columns:
            if column.month is None:
                continue
            word = column.kind_word if column.kind is Kind.DERIVED or column.kind is None else ""
            key = (column.month, column.kind, word)
            earlier = seen.setdefault(key, column)
            if earlier is not column:
                raise CrossTabError(
                    "month_twice",
                    gettext_noop(
                        "Columns %(one)s and %(other)s are both %(year)s/%(month)s. Write the year above the months, "
                        "or say which of them is the target and which the actual."
                    ),
                    at=address(self.top, column.index),
                    one=address(0, earlier.index)[:-1],
                    other=address(0, column.index)[:-1],
                    year=column.month.year,
                    month=column.month.month,
                )


def _is_number(cell: str) -> bool:
    """Whether a cell is plainly a number, and not a heading that has one in it."""
    is_heading = _month_in(cell) or read_total(cell) or read_year(cell)
    return is_heading is None and bool(_NUMBER.fullmatch(plain(cell)))
