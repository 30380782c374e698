"""Cells of many members at once: the rules of kpis.engine.cells and kpis.engine.status, without an object for each.

A large company asks for tens of thousands of cells in one page; what is the same for all of a column is settled once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from kpis.engine import specs
from kpis.engine.cells import COUNT, RATE_MISSING, WITHOUT_COST, Cell, ratio_cell, simple_cell
from kpis.engine.formula import CompiledFormula, evaluate_column
from kpis.engine.specs import Simple
from kpis.engine.status import ONE, Status, StatusInput, achievement, is_too_early, judge_column, share_due
from kpis.engine.status_rules import StatusRule, rule_status
from kpis.engine.values import Value

M = TypeVar("M")  # how a member is named: its id, None for the company

_PLAIN = frozenset({"count", "sum", "distinct"})


@dataclass(frozen=True, slots=True)
class Column:
    """One metric in one period for all members in order: value, numerator, denominator and cases as in `Cell`.

    What no member has is None as a whole.
    """

    value: Sequence[Value]
    numerator: Sequence[Value | None] | None = None
    denominator: Sequence[Value | None] | None = None
    cases: Sequence[Decimal | None] | None = None

    @classmethod
    def of(cls, cells: Iterable[Cell]) -> "Column":
        rows = [(each.value, each.numerator, each.denominator, each.cases) for each in cells]
        value, numerator, denominator, counts = zip(*rows, strict=True) if rows else ((), (), (), ())
        return cls(value, numerator, denominator, counts if any(each is not None for each in counts) else None)

    @classmethod
    def filled(cls, value: Value, count: int) -> "Column":
        """The same value for every member."""
        return cls([value] * count)

    def cells(self) -> list[Cell]:
        nothing = [None] * len(self.value)
        sides = (each or nothing for each in (self.numerator, self.denominator, self.cases))
        return list(map(Cell, self.value, *sides))


def simple_column(
    term: Simple, measures: Mapping[str, Mapping[M, Decimal]], members: Sequence[M], *, is_covered: bool
) -> Column:
    """`simple_cell` for every member, from the stored measures: measure key → member → number.

    >>> won = Simple("deals", "closed_on", "count")
    >>> simple_column(won, {specs.measure_key(won): {7: Decimal(2)}}, [7, 8], is_covered=True).value
    [Decimal('2'), Decimal('0')]
    """
    key = specs.measure_key(term)
    names = (key, key + COUNT, key + RATE_MISSING, key + WITHOUT_COST)
    stored = {name: measures[name] for name in names if name in measures}
    empty = simple_cell(term, {}, is_covered=is_covered, key=key)
    is_whole = key + RATE_MISSING not in stored and key + WITHOUT_COST not in stored
    if is_covered and term.aggregate in _PLAIN and term.min_count is None and is_whole:
        found = stored.get(key, {})
        return Column([found.get(member, empty.value) for member in members])
    return Column.of(
        simple_cell(term, measures_of(member, stored), is_covered=is_covered, key=key) for member in members
    )


def measures_of(member: M, measures: Mapping[str, Mapping[M, Decimal]]) -> dict[str, Decimal]:
    """What is stored for one member: measure key → number."""
    return {key: found[member] for key, found in measures.items() if member in found}


def ratio_column(numerator: Column, denominator: Column) -> Column:
    """`ratio_cell` for every member.

    >>> ratio_column(Column.of([Cell(Decimal(3))]), Column.of([Cell(Decimal(4))])).value
    (Decimal('0.75'),)
    """
    return Column.of(map(ratio_cell, numerator.cells(), denominator.cells()))


def formula_column(formula: CompiledFormula, columns: Mapping[str, Column], count: int) -> Column:
    """`formula_cell` for each of `count` members; a code without a column is missing."""
    return Column(*evaluate_column(formula, {code: column.value for code, column in columns.items()}, count))


def judged(
    period: StatusInput,
    actual: Sequence[Value],
    target: Sequence[Decimal | None],
    upper: Sequence[Decimal | None],
    rules: Sequence[StatusRule] = (),
) -> tuple[list[Decimal | None], list[Status]]:
    """Achievement and status of every member; `period` says what the cells of one node and period share.

    The node's own `rules` come first; where an open period says nothing yet, it stays without a verdict.
    """
    share = share_due(period)
    so_far = reached = _achievements(period, actual, target, upper)
    if share != ONE:
        due = [None if aim is None else aim * share for aim in target]
        high = [None if each is None else each * share for each in upper]
        so_far = _achievements(period, actual, due, high)
    usual = judge_column(period, so_far)
    if not rules or is_too_early(period):
        return reached, usual
    cells = zip(actual, reached, so_far, usual, strict=True)
    return reached, [
        rule_status(rules, state=period.state, value=value, achievement=whole, pace=pace) or status
        for value, whole, pace, status in cells
    ]


def _achievements(
    period: StatusInput,
    actual: Sequence[Value],
    target: Sequence[Decimal | None],
    upper: Sequence[Decimal | None],
) -> list[Decimal | None]:
    return [
        None if aim is None else achievement(value, aim, period.direction, high, period.formula)
        for value, aim, high in zip(actual, target, upper, strict=True)
    ]
