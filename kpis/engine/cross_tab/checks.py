"""What a sheet adds up itself, beside what its parts give: a total that differs is named with its cell."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from kpis.engine.cross_tab.header import Column
from kpis.engine.cross_tab.labels import Label
from kpis.engine.cross_tab.months import TotalName
from kpis.engine.cross_tab.shapes import DATA, Check, Context, Kind, Line, Month, Verdict
from kpis.engine.cross_tab.words import ACHIEVEMENTS, plain

SUM, LAST, AVERAGE, ACHIEVEMENT = "sum", "last", "average", "achievement"
_HALF = Decimal("0.5")
Numbers = Sequence[Decimal]
Way = tuple[str, Numbers]
_COMPUTE: Mapping[str, Callable[[Numbers], Decimal]] = {
    SUM: lambda numbers: sum(numbers, Decimal(0)),
    LAST: lambda numbers: numbers[-1],
    AVERAGE: lambda numbers: sum(numbers, Decimal(0)) / len(numbers),
}


@dataclass(frozen=True, slots=True)
class Totals:
    """What one line says in the columns that add up: column, address, value. `word`: what said the line's kind."""

    word: str
    stated: tuple[tuple[Column, str, Decimal], ...]


def find_checks(read: Sequence[tuple[Line, Label]], totals: Sequence[Totals], context: Context) -> tuple[Check, ...]:
    """Every total that can be compared with its parts, in the order of the sheet.

    A rate's total is no sum of its months, so it is compared with nothing. A blank part adds nothing to its total, so
    that one which was forgotten or could not be read shows as a difference.
    """
    across = [check for (line, _), each in zip(read, totals, strict=True) for check in _across(line, each, context)]
    beside: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line, _ in read:
        beside[plain(line.kpi), plain(line.segment)].append(line)
    achieved = [
        check
        for (line, _), each in zip(read, totals, strict=True)
        if line.kind is Kind.DERIVED and each.word in ACHIEVEMENTS
        for check in _achievements(line, beside[plain(line.kpi), plain(line.segment)])
    ]
    return (*across, *_down(read), *achieved)


def _across(line: Line, totals: Totals, context: Context) -> Iterator[Check]:
    """Totals at the side: quarters, halves, years, and whatever stands between the months."""
    if line.kind not in DATA or line.unit.unit == "percent":
        return
    columns = dict(zip((_column_of(cell.address) for cell in line.cells), line.cells, strict=True))
    before = 0
    for column, at, stated in totals.stated:
        if column.total is None:
            continue
        here = column.index + 1
        left = [cell.value for place, cell in columns.items() if place < here]
        since = [cell.value for place, cell in columns.items() if before < place < here]
        parts = _spanned(line, column.total, context) or [since, left, [cell.value for cell in line.cells]]
        ways = [way for numbers in parts for way in _ways([each for each in numbers if each is not None], column.total)]
        before = here
        yield from _compared(line, at, column.heading, stated, ways)


def _spanned(line: Line, total: TotalName, context: Context) -> list[list[Decimal | None]]:
    """The months of a quarter or half, of the year that the line is mostly of."""
    length = {"quarter": 3, "half": 6}.get(total.span)
    if length is None or not line.cells:
        return []
    first = (total.number - 1) * length
    years = sorted({context.fiscal_year_of(cell.month) for cell in line.cells})
    return [
        [
            cell.value
            for cell in line.cells
            if context.fiscal_year_of(cell.month) == year and first <= _place(cell.month, context) < first + length
        ]
        for year in years
    ]


def _place(month: Month, context: Context) -> int:
    return (month.month - context.start_month) % 12


def _ways(numbers: Numbers, total: TotalName) -> list[Way]:
    if not numbers:
        return []
    hows = (AVERAGE,) if total.span == "average" else (SUM, LAST, AVERAGE)
    return [(how, numbers) for how in hows]


def _compared(line: Line, at: str, heading: str, stated: Decimal, ways: Sequence[Way]) -> Iterator[Check]:
    """The first way that gives what is stated, else the first of all, which then differs."""
    results = [(how, _COMPUTE[how](numbers), len(numbers)) for how, numbers in ways]
    judged = [(how, value, _judge(line, stated, value, count)) for how, value, count in results]
    for wanted in (Verdict.AGREES, Verdict.ROUNDED, Verdict.DIFFERS):
        found = next((each for each in judged if each[2] is wanted), None)
        if found:
            yield Check(at, line.kpi, line.segment, heading, found[0], stated, found[1], wanted)
            return


def _judge(line: Line, stated: Decimal, computed: Decimal, count: int) -> Verdict:
    """Counts have to agree; what is shown in thousands may be off by half a step for each part."""
    if stated == computed:
        return Verdict.AGREES
    step = _step([stated, *(cell.value for cell in line.cells if cell.value is not None)], line.unit.scale)
    is_rounded = line.unit.unit != "count" and abs(stated - computed) <= step * _HALF * (count + 1)
    return Verdict.ROUNDED if is_rounded else Verdict.DIFFERS


def _step(numbers: Numbers, scale: int) -> Decimal:
    """The last digit that a line shows, in units."""
    exponents = [int((number / scale).normalize().as_tuple().exponent) for number in numbers if number]
    return Decimal(scale).scaleb(min(0, *exponents)) if exponents else Decimal(scale)


def _down(read: Sequence[tuple[Line, Label]]) -> Iterator[Check]:
    """Totals at the foot: the company's line beside those of its people and teams, a team's beside its people's."""
    parts: dict[tuple[str, Kind], list[tuple[Line, Label]]] = defaultdict(list)
    yield from _subtotals(read)
    for line, label in read:
        if line.segment:
            parts[plain(line.kpi), line.kind].append((line, label))
    for line, _ in read:
        if line.is_total and line.kind in DATA and line.unit.unit != "percent":
            yield from _footed(line, parts[plain(line.kpi), line.kind])


def _subtotals(read: Sequence[tuple[Line, Label]]) -> Iterator[Check]:
    """A team's line beside the people above it, up to the team before. Where teams stand above theirs, nothing."""
    since: dict[tuple[str, Kind], list[tuple[Line, Label]]] = defaultdict(list)
    upside_down: set[tuple[str, Kind]] = set()
    for line, label in read:
        key = (plain(line.kpi), line.kind)
        if not label.is_subtotal:
            since[key] += [(line, label)] if line.segment else []
            continue
        if not since[key]:
            upside_down.add(key)
        if key not in upside_down and line.kind in DATA and line.unit.unit != "percent":
            yield from _footed(line, since[key])
        since[key] = []


def _footed(total: Line, parts: Sequence[tuple[Line, Label]]) -> Iterator[Check]:
    groups = [
        [line for line, label in parts if not label.is_subtotal],
        [line for line, label in parts if label.is_subtotal],
    ]
    for cell in total.cells:
        if cell.value is None:
            continue
        found = [[value for line in group if (value := _at(line, cell.month)) is not None] for group in groups]
        ways = [(SUM, numbers) for numbers in found if numbers]
        yield from _compared(total, cell.address, "", cell.value, ways)


def _at(line: Line, month: Month) -> Decimal | None:
    return next((cell.value for cell in line.cells if cell.month == month), None)


def _achievements(line: Line, same: Sequence[Line]) -> Iterator[Check]:
    """Achievement rates beside actual ÷ target of the same KPI and person, compared at the digits that are shown."""
    actuals = [each for each in same if each.kind is Kind.ACTUAL]
    targets = [each for each in same if each.kind in (Kind.BUDGET, Kind.TARGET)]
    if len(actuals) != 1 or len(targets) != 1:
        return
    for cell in line.cells:
        actual, target = _at(actuals[0], cell.month), _at(targets[0], cell.month)
        if cell.value is None or actual is None or not target:
            continue
        computed = actual / target
        shown = abs(int(cell.value.as_tuple().exponent))
        is_equal = abs(cell.value - computed) <= Decimal(1).scaleb(-max(shown, 2)) * _HALF
        verdict = Verdict.AGREES if is_equal else Verdict.DIFFERS
        yield Check(cell.address, line.kpi, line.segment, "", ACHIEVEMENT, cell.value, computed, verdict)


def _column_of(at: str) -> int:
    number = 0
    for letter in at.rstrip("0123456789"):
        number = number * 26 + ord(letter) - 64
    return number
