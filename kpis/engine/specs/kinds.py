"""The closed kinds of metric specs, one frozen dataclass each, and what follows from a spec alone."""

import hashlib
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import assert_never

ADDITIVE_AGGREGATES = ("sum", "count", "average")
SNAPSHOT_MEASURES = (
    "open_pipeline",
    "open_deals",
    "coverage",
    "renewal_due",
    "landing_pace",
    "landing_rollup",
    "landing_call",
)

Scalar = str | bool | Decimal
FilterValue = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition; several are joined by "and". Dates are ISO strings, lists are tuples."""

    field: str
    op: str
    value: FilterValue


@dataclass(frozen=True, slots=True)
class Simple:
    """One aggregate over one fact on one of its date axes."""

    fact: str
    date: str
    aggregate: str
    field: str | None = None
    days_between: tuple[str, str] | None = None
    credit: str = "revenue"
    min_count: int | None = None
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Ratio:
    """Σ numerator ÷ Σ denominator, each on its own date axis."""

    numerator: Simple
    denominator: Simple


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression over the codes of other metrics."""

    expression: str


@dataclass(frozen=True, slots=True)
class Manual:
    """A value that a person enters."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was written down of a measure on the last day of a period (of a due set: on its first)."""

    measure: str


Spec = Simple | Ratio | Formula | Manual | Snapshot


def terms(spec: Spec) -> tuple[Simple, ...]:
    """The simple terms whose measures must be stored for a spec; none for those that count no facts.

    >>> leads = Simple("leads", "created_on", "count")
    >>> terms(Ratio(leads, leads)) == (leads, leads)
    True
    """
    match spec:
        case Simple():
            return (spec,)
        case Ratio(numerator, denominator):
            return (numerator, denominator)
        case Formula() | Manual() | Snapshot():
            return ()
        case _:
            assert_never(spec)


def to_data(spec: Spec) -> dict[str, object]:
    """The contract's JSON of a spec, defaults written out.

    >>> to_data(Formula("won_deals / closed_deals"))
    {'kind': 'formula', 'expression': 'won_deals / closed_deals'}
    """
    match spec:
        case Simple():
            return _simple_data(spec)
        case Ratio(numerator, denominator):
            return {"kind": "ratio", "numerator": _simple_data(numerator), "denominator": _simple_data(denominator)}
        case Formula(expression):
            return {"kind": "formula", "expression": expression}
        case Manual():
            return {"kind": "manual"}
        case Snapshot(measure):
            return {"kind": "snapshot", "measure": measure}
        case _:
            assert_never(spec)


def canonical(spec: Spec) -> str:
    """Stable JSON: equal for specs that mean the same, whatever the order of filters and list values.

    >>> canonical(Manual())
    '{"kind":"manual"}'
    """
    match spec:
        case Simple():
            spec = _ordered(spec)
        case Ratio(numerator, denominator):
            spec = Ratio(_ordered(numerator), _ordered(denominator))
    return json.dumps(to_data(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def measure_key(simple: Simple) -> str:
    """Under which key a term's measure is stored: a hash of everything but `min_count`, which only reading needs.

    >>> measure_key(Simple("leads", "created_on", "count", min_count=5)) == measure_key(
    ...     Simple("leads", "created_on", "count"))
    True
    """
    return hashlib.sha256(canonical(replace(simple, min_count=None)).encode()).hexdigest()[:12]


def event_kind(simple: Simple) -> str:
    """The kind of dated event that a term counts.

    >>> event_kind(Simple("deals", "closed_on", "count"))
    'deals.closed_on'
    """
    return f"{simple.fact}.{simple.date}"


def group(simple: Simple) -> str:
    """The group of measures that are stored, and become dirty, together.

    >>> group(Simple("deals", "closed_on", "count", credit="overlay"))
    'deals.closed_on:overlay'
    """
    return f"{event_kind(simple)}:{simple.credit}"


def is_additive(simple: Simple) -> bool:
    """Whether months add up to a quarter (an average stores its sum and count; median and distinct do not add up).

    >>> is_additive(Simple("deals", "closed_on", "median", field="amount"))
    False
    """
    return simple.aggregate in ADDITIVE_AGGREGATES


def _simple_data(simple: Simple) -> dict[str, object]:
    return {
        "kind": "simple",
        "fact": simple.fact,
        "date": simple.date,
        "aggregate": simple.aggregate,
        "field": simple.field,
        "days_between": list(simple.days_between) if simple.days_between else None,
        "credit": simple.credit,
        "min_count": simple.min_count,
        "filters": [{"field": f.field, "op": f.op, "value": _json_value(f.value)} for f in simple.filters],
    }


def _json_value(value: FilterValue) -> object:
    if isinstance(value, tuple):
        return [_json_value(each) for each in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _ordered(simple: Simple) -> Simple:
    """The same term with filters, and the values of lists, in a fixed order."""
    filters = [
        replace(f, value=tuple(sorted(f.value, key=str))) if isinstance(f.value, tuple) else f for f in simple.filters
    ]
    return replace(simple, filters=tuple(sorted(filters, key=lambda f: (f.field, f.op, str(f.value)))))
