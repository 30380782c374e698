"""What stands on each side of a metric: records that count there, or customers with what they did in a window."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import assert_never

from kpis.engine import specs
from kpis.engine.specs import (
    Clv,
    Conversion,
    Filter,
    Formula,
    Manual,
    Ratio,
    Repeat,
    Retention,
    Score,
    Simple,
    Snapshot,
    Spec,
    Window,
)

NUMERATOR, DENOMINATOR = "numerator", "denominator"
# The numbers that the value of a subscription is made of; it has no two sides.
VALUE_PARTS = ("mrr", "customers", "lost", "gross_profit", "revenue")
SIDES = (NUMERATOR, DENOMINATOR, *VALUE_PARTS)

_OPEN = (Filter("outcome", "eq", "open"),)


@dataclass(frozen=True, slots=True)
class Signed:
    """A term whose records count for a side (1) or against it (-1)."""

    term: Simple
    sign: int = 1


@dataclass(frozen=True, slots=True)
class Counted:
    """Records, each giving what the terms measure of it; all terms are of one fact, date and credit.

    `is_cases`: each gives itself, as below an average. `is_stock`: whatever its date, as what stands open on a day.
    `months`: those that end with the period, instead of the period itself (0).
    """

    parts: tuple[Signed, ...]
    is_cases: bool = False
    is_stock: bool = False
    months: int = 0

    @property
    def fact(self) -> str:
        return self.parts[0].term.fact

    @property
    def is_median(self) -> bool:
        return self.parts[0].term.aggregate == "median"


@dataclass(frozen=True, slots=True)
class Customers:
    """Customers of a window, each giving `part` of what it did there, times `factor`.

    Of retention: customers (1 each), lost (1 each), mrr (at the start), away (churned or reduced), net_away (the same
    less what others grew by), kept (of the start), retained (at the end). Of purchases: customers, repeaters, amount.
    Of history: new (1 each), dormant (1 each). Of margin: customers, gross_profit, revenue.
    """

    window: Window
    part: str
    factor: Decimal = Decimal(1)

    @property
    def fact(self) -> str:
        return self.window.fact


Side = Counted | Customers
Sides = Mapping[str, Side]

_RETENTION = {
    "logo_churn": ("lost", "customers"),
    "gross_churn": ("away", "mrr"),
    "net_churn": ("net_away", "mrr"),
    "grr": ("kept", "mrr"),
    "nrr": ("retained", "mrr"),
}


def sides_of(spec: Spec) -> Sides:
    """Side → what stands on it, so that what is listed there adds up to that side of the cell.

    A plain number has a numerator alone: what it counts. Empty for what is made of other metrics, typed, or written
    down without records to show for it (coverage, landings).

    >>> nps = sides_of(Score("nps"))
    >>> [part.sign for part in nps["numerator"].parts], [part.sign for part in nps["denominator"].parts]
    ([1, -1], [1])
    >>> sides_of(Retention("grr"))["numerator"].part
    'kept'
    """
    match spec:
        case Simple(aggregate="average"):
            return {NUMERATOR: counted(spec), DENOMINATOR: Counted((Signed(spec),), is_cases=True)}
        case Simple():
            return {NUMERATOR: counted(spec)}
        case Ratio(numerator, denominator):
            return _two(counted(numerator), counted(denominator))
        case Conversion():
            return _two(*map(counted, specs.conversion_sides(spec)))
        case Retention(measure="renewal_rate"):
            looks_back = spec.window_months if spec.window_months > 1 else 0
            return _two(*(replace(counted(side), months=looks_back) for side in specs.renewal_sides(spec)))
        case Score(survey):
            good, bad, answers = specs.score_sides(spec)
            answered = (Signed(good), Signed(bad, -1)) if survey == "nps" else (Signed(good),)
            return _two(Counted(answered), counted(answers))
        case Retention(measure):
            window = _window(spec)
            above, below = _RETENTION[measure]
            return _two(Customers(window, above), Customers(window, below))
        case Repeat(measure="new" | "dormant" as measure):
            return {NUMERATOR: Customers(_window(spec), measure)}
        case Repeat():
            window = _window(spec)
            return _two(Customers(window, "repeaters"), Customers(window, "customers"))
        case Clv():
            return _value_sides(spec)
        case Snapshot(measure):
            return {NUMERATOR: _narrowed(_STOCKS[measure], spec.filters)} if measure in _STOCKS else {}
        case Formula() | Manual():
            return {}
        case _:
            assert_never(spec)


def counted(term: Simple) -> Counted:
    """The records of one term."""
    return Counted((Signed(term),))


def _narrowed(side: Counted, filters: tuple[Filter, ...]) -> Counted:
    narrowed = (replace(part, term=replace(part.term, filters=(*part.term.filters, *filters))) for part in side.parts)
    return replace(side, parts=tuple(narrowed))


def has_one_value(spec: Spec) -> bool:
    """Whether what a metric lists above is its value, so that a formula can be followed through it.

    >>> deals = Simple("deals", "closed_on", "average", field="amount")
    >>> has_one_value(deals), has_one_value(Simple("deals", "closed_on", "count"))
    (False, True)
    """
    return isinstance(spec, Simple) and spec.aggregate != "average"


def _two(above: Side, below: Side) -> Sides:
    return {NUMERATOR: above, DENOMINATOR: below}


def _window(spec: Spec, number: int = 0) -> Window:
    term = specs.terms(spec)[number]
    assert isinstance(term, Window)
    return term


def _value_sides(spec: Clv) -> Sides:
    """Frequency and historic are quotients; a subscription's value is made of five numbers (VALUE_PARTS)."""
    window = _window(spec)
    match spec.formula:
        case "frequency":
            factor = Decimal(12) / spec.window_months * spec.years
            return _two(Customers(window, "amount", factor), Customers(window, "customers"))
        case "historic":
            return _two(Customers(window, "gross_profit"), Customers(window, "customers"))
        case _:
            windows = [window] * 3 + [_window(spec, 1)] * 2
            return {part: Customers(each, part) for part, each in zip(VALUE_PARTS, windows, strict=True)}


_STOCKS = {
    "open_deals": Counted((Signed(Simple("deals", "created_on", "count", filters=_OPEN)),), is_stock=True),
    "open_pipeline": Counted(
        (Signed(Simple("deals", "created_on", "sum", field="amount", filters=_OPEN)),), is_stock=True
    ),
    "renewal_due": counted(Simple("contracts", "renewal_due_on", "count")),
}
