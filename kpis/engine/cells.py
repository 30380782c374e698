"""From stored measures to the value of a cell. Whatever cannot be told is a coded absence, never zero."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from kpis.engine import specs
from kpis.engine.formula import CompiledFormula, evaluate
from kpis.engine.specs import Simple, Term, Window
from kpis.engine.values import Absence, Value

WINDOW = ".window:"  # what follows a fact in the group of a window
EXACT = ":exact"  # the twin of a group, for measures that do not add up
# suffixes of a measure key: cases counted; cases left out for want of a rate; records whose gross profit is not known
COUNT, RATE_MISSING, WITHOUT_COST = ".n", ".r", ".c"

Measures = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Cell:
    """A value with the two sides it came from, where it has sides; `cases`: how many there were, where too few."""

    value: Value
    numerator: Value | None = None
    denominator: Value | None = None
    cases: Decimal | None = None


def block_group(term: Term) -> str:
    """The block group in which a term's measure is stored; every window has one of its own.

    >>> block_group(Simple("deals", "closed_on", "median", field="amount"))
    'deals.closed_on:revenue:exact'
    >>> block_group(Window("purchases", "orders", 12)).startswith("orders.window:")
    True
    """
    if isinstance(term, Window):
        return f"{term.fact}{WINDOW}{specs.measure_key(term)}{EXACT}"
    return specs.group(term) + ("" if specs.is_additive(term) else EXACT)


def simple_cell(term: Simple, measures: Measures, *, is_covered: bool, key: str | None = None) -> Cell:
    """The cell of a term. `is_covered`: the fact's sources have told of this period, so that no case means zero.

    Counts and sums without a case are 0 where covered, else missing; averages and medians without a case have no
    denominator. An average shows its sum and count. Gross profit of records of which one has no cost is missing: the
    sum of the others would read low (DOMAIN "Metric definitions"). `key` is the term's measure key, where the caller
    has it already.

    >>> won = Simple("deals", "closed_on", "count")
    >>> simple_cell(won, {}, is_covered=True).value, str(simple_cell(won, {}, is_covered=False).value)
    (Decimal('0'), 'missing')
    >>> few = Simple("deals", "closed_on", "count", min_count=5)
    >>> simple_cell(few, {specs.measure_key(few): Decimal(3)}, is_covered=True).cases
    Decimal('3')
    """
    key = key or specs.measure_key(term)
    value = measures.get(key)
    cases = measures.get(key + COUNT, Decimal(0)) if term.aggregate in {"sum", "average", "median"} else value
    if measures.get(key + RATE_MISSING):
        return Cell(Absence.NO_RATE)
    if measures.get(key + WITHOUT_COST):
        return Cell(Absence.MISSING)
    if not is_covered and not value and not cases:
        return Cell(Absence.MISSING)
    if term.min_count is not None and (cases or 0) < term.min_count:
        return Cell(Absence.TOO_FEW, cases=cases or Decimal(0))
    if term.aggregate == "average":
        if not cases or value is None:
            return Cell(Absence.NO_DENOMINATOR)
        return Cell(value / cases, value, cases)
    if term.aggregate == "median":
        return Cell(Absence.NO_DENOMINATOR if value is None else value)
    return Cell(Decimal(0) if value is None else value)


def ratio_cell(numerator: Cell, denominator: Cell) -> Cell:
    """One term divided by another.

    >>> ratio_cell(Cell(Decimal(3)), Cell(Decimal(4))).value
    Decimal('0.75')
    >>> str(ratio_cell(Cell(Decimal(3)), Cell(Decimal(0))).value)
    'no_denominator'
    """
    top, bottom = numerator.value, denominator.value
    for side in (numerator, denominator):
        if isinstance(side.value, Absence):
            return Cell(side.value, top, bottom, side.cases)
    assert isinstance(top, Decimal) and isinstance(bottom, Decimal)
    return Cell(Absence.NO_DENOMINATOR if bottom == 0 else top / bottom, top, bottom)


def formula_cell(formula: CompiledFormula, values: Mapping[str, Value]) -> Cell:
    """The cell of a formula from the values of the codes it names."""
    result = evaluate(formula, values)
    return Cell(result.value, result.numerator, result.denominator)


def cohort_cell(numerator: Cell, denominator: Cell, *, is_mature: bool) -> Cell:
    """A cohort's conversion; while some of it may still convert there is no value, only its two sides.

    >>> str(cohort_cell(Cell(Decimal(1)), Cell(Decimal(9)), is_mature=False).value)
    'maturing'
    """
    found = ratio_cell(numerator, denominator)
    if is_mature or isinstance(found.value, Absence):
        return found
    return Cell(Absence.MATURING, found.numerator, found.denominator)


def score_cell(survey: str, good: Cell, bad: Cell, answers: Cell) -> Cell:
    """NPS = (% of 9-10 − % of 0-6) × 100; CSAT = the two best of five ÷ all (DOMAIN "Metric definitions").

    >>> score_cell("nps", Cell(Decimal(6)), Cell(Decimal(1)), Cell(Decimal(10))).value
    Decimal('50.0')
    """
    for side in (good, bad, answers):
        if isinstance(side.value, Absence):
            return Cell(side.value, cases=side.cases)
    assert isinstance(good.value, Decimal) and isinstance(bad.value, Decimal)
    top = good.value - bad.value if survey == "nps" else good.value
    share = ratio_cell(Cell(top), answers)
    if survey == "nps" and isinstance(share.value, Decimal):
        return Cell(share.value * 100, share.numerator, share.denominator)
    return share
