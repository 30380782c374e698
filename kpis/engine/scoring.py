"""Which view of the landing has been right: forecasts made during ended periods against what the periods came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

FEWEST_PERIODS = 2  # right once is luck
ZERO = Decimal(0)


class Method(StrEnum):
    """The three views of a landing, in the order in which one is shown while none has proved itself."""

    ROLLUP = "rollup"
    PACE = "pace"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one view said on one day about the period that starts on `period_start`."""

    method: Method
    period_start: date
    day: date
    value: Decimal


@dataclass(frozen=True, slots=True)
class Score:
    """How right a view has been over `period_count` ended periods.

    `bias` is (forecast − actual) ÷ actual, above 0 where it promised too much; `error` the same without its sign. Both
    are Σ ÷ Σ over the periods, None where those came to nothing.
    """

    method: Method
    period_count: int
    bias: Decimal | None
    error: Decimal | None


def score_methods(forecasts: Sequence[Forecast], actuals: Mapping[date, Decimal]) -> Mapping[Method, Score]:
    """The score of each view that spoke about any period of `actuals` (period start → what it came to).

    Within a period only those days count on which every view that ever spoke about it did: a call made in the last
    week is not compared with a pace of the first. The days of a period weigh the same, periods by what they came to.

    >>> november, day = date(2026, 11, 1), date(2026, 11, 16)
    >>> made = [Forecast(Method.PACE, november, day, Decimal(90)), Forecast(Method.CALL, november, day, Decimal(105))]
    >>> scores = score_methods(made, {november: Decimal(100)})
    >>> str(scores[Method.PACE].bias), str(scores[Method.CALL].error)
    ('-0.1', '0.05')
    """
    differences: dict[Method, list[tuple[Decimal, Decimal, Decimal]]] = {}
    for start, actual in actuals.items():
        for method, values in _comparable(forecasts, start).items():
            gaps = [value - actual for value in values]
            bias = sum(gaps, ZERO) / len(gaps)
            error = sum((abs(gap) for gap in gaps), ZERO) / len(gaps)
            differences.setdefault(method, []).append((bias, error, abs(actual)))
    return {method: _score(method, found) for method, found in differences.items()}


def best_method(scores: Mapping[Method, Score]) -> Method | None:
    """The view with the smallest error over at least two periods; None while no view has that many.

    >>> pace, call = (Score(method, 2, None, Decimal(error)) for method, error in ((Method.PACE, "0.2"),
    ...               (Method.CALL, "0.1")))
    >>> str(best_method({Method.PACE: pace, Method.CALL: call}))
    'call'
    """
    proved = [(each.error, each) for each in scores.values() if each.error is not None]
    proved = [(error, each) for error, each in proved if each.period_count >= FEWEST_PERIODS]
    if not proved:
        return None
    return min(proved, key=lambda pair: (pair[0], list(Method).index(pair[1].method)))[1].method


def _comparable(forecasts: Sequence[Forecast], start: date) -> dict[Method, list[Decimal]]:
    """Method → its values on the days that all methods of this period share."""
    by_method: dict[Method, dict[date, Decimal]] = {}
    for each in forecasts:
        if each.period_start == start:
            by_method.setdefault(each.method, {})[each.day] = each.value
    days = set.intersection(*(set(values) for values in by_method.values())) if by_method else set()
    return {method: [values[day] for day in sorted(days)] for method, values in by_method.items() if days}


def _score(method: Method, found: Sequence[tuple[Decimal, Decimal, Decimal]]) -> Score:
    size = sum((actual for _bias, _error, actual in found), ZERO)
    if not size:
        return Score(method, len(found), None, None)
    bias = sum((bias for bias, _error, _actual in found), ZERO) / size
    return Score(method, len(found), bias, sum((error for _bias, error, _actual in found), ZERO) / size)
