"""Specs as the contract's JSON, and as text that is equal where the meaning is."""

import json
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar, assert_never

from kpis.engine.specs.kinds import (
    Clv,
    Conversion,
    Filter,
    FilterValue,
    Formula,
    Manual,
    Ratio,
    Repeat,
    Retention,
    Score,
    Simple,
    Snapshot,
    Spec,
    Term,
    Window,
)

Filtered = TypeVar("Filtered", bound=Simple | Window | Conversion | Retention | Repeat | Clv | Snapshot | Score)


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
        case Snapshot():
            return {"kind": "snapshot", "measure": spec.measure, "filters": _filter_data(spec.filters)}
        case Conversion():
            return {
                "kind": "conversion",
                "fact": spec.fact,
                "from": spec.start,
                "to": spec.end,
                "basis": spec.basis,
                "window_days": spec.window_days,
                "origin": list(spec.origin),
                "filters": _filter_data(spec.filters),
            }
        case Retention():
            return {
                "kind": "retention",
                "measure": spec.measure,
                "weight": spec.weight,
                "window_months": spec.window_months,
                "filters": _filter_data(spec.filters),
            }
        case Repeat():
            return {
                "kind": "repeat",
                "measure": spec.measure,
                "fact": spec.fact,
                "window_months": spec.window_months,
                "min_count": spec.min_count,
                "filters": _filter_data(spec.filters),
            }
        case Clv():
            return {
                "kind": "clv",
                "formula": spec.formula,
                "window_months": spec.window_months,
                "years": spec.years,
                "filters": _filter_data(spec.filters),
            }
        case Score():
            return {
                "kind": "score",
                "survey": spec.survey,
                "min_count": spec.min_count,
                "filters": _filter_data(spec.filters),
            }
        case _:
            assert_never(spec)


def canonical(spec: Spec) -> str:
    """Stable JSON: equal for specs that mean the same, whatever the order of filters and list values.

    >>> canonical(Manual())
    '{"kind":"manual"}'
    """
    match spec:
        case Ratio(numerator, denominator):
            spec = Ratio(ordered(numerator), ordered(denominator))
        case Simple() | Conversion() | Retention() | Repeat() | Clv() | Snapshot() | Score():
            spec = ordered(spec)
    return stable_json(to_data(spec))


def term_data(term: Term) -> dict[str, object]:
    """What a term measures, as JSON."""
    if isinstance(term, Simple):
        data = _simple_data(term)
        return data | {"reached": [term.reached.axis, term.reached.within_days]} if term.reached else data
    return {
        "subject": term.subject,
        "fact": term.fact,
        "months": term.months,
        "min_count": term.min_count,
        "filters": _filter_data(term.filters),
    }


def ordered(spec: Filtered) -> Filtered:
    """The same with filters, and the values of lists, in a fixed order."""
    filters = [
        replace(f, value=tuple(sorted(f.value, key=str))) if isinstance(f.value, tuple) else f for f in spec.filters
    ]
    return replace(spec, filters=tuple(sorted(filters, key=lambda f: (f.field, f.op, str(f.value)))))


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
        "filters": _filter_data(simple.filters),
    }


def _filter_data(filters: Iterable[Filter]) -> list[dict[str, object]]:
    return [{"field": f.field, "op": f.op, "value": _json_value(f.value)} for f in filters]


def stable_json(data: object) -> str:
    """JSON that is equal for equal data."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _json_value(value: FilterValue) -> object:
    if isinstance(value, tuple):
        return [_json_value(each) for each in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
