"""Does a number run ahead of another? Pearson's correlation at each lag, with the interval it may lie in.

A statistic over few periods, told with its n and never as a cause; plain floats are exact enough for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import atanh, sqrt, tanh
from statistics import NormalDist, StatisticsError, correlation

LEAST_PAIRS = 8
LONGEST_LAG = 6
ALPHA = 0.05
HIGH = 0.5  # the interval's weaker end; half of the KGI's variation would be 0.71


class Confidence(StrEnum):
    """How sure the connection is: its interval stays beyond 0.5, beyond 0, or holds 0."""

    HIGH = "high"
    MEDIUM = "medium"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Connection:
    """How the KGI goes with a KPI of `lag` periods before; `pairs` are the periods compared.

    `low` and `high` bound the coefficient with 95 % (Fisher), widened for having tried `lags_tried` lags (Bonferroni).
    """

    lag: int
    coefficient: float
    low: float
    high: float
    pairs: int
    lags_tried: int
    confidence: Confidence


def find_connection(
    driver: Sequence[Decimal | None], goal: Sequence[Decimal | None], *, longest: int = LONGEST_LAG
) -> Connection | None:
    """The lag at which the goal goes most closely with the driver; both by period, oldest first, of the same periods.

    None where no lag has eight pairs that vary.

    >>> steps = [Decimal(each) for each in (3, 5, 2, 8, 6, 9, 4, 7, 1, 5, 6, 2)]
    >>> found = find_connection(steps, [None, None, *steps[:-2]])
    >>> found.lag, round(found.coefficient, 3), found.pairs, str(found.confidence)
    (2, 1.0, 10, 'high')
    """
    tried = [(lag, pairs) for lag in range(longest + 1) if len(pairs := _pairs(driver, goal, lag)) >= LEAST_PAIRS]
    told = [(lag, len(pairs), r) for lag, pairs in tried if (r := _coefficient(pairs)) is not None]
    if not told:
        return None
    lag, count, coefficient = max(told, key=lambda each: abs(each[2]))
    low, high = _interval(coefficient, count, len(told))
    return Connection(lag, coefficient, low, high, count, len(told), _confidence(low, high))


def _pairs(driver: Sequence[Decimal | None], goal: Sequence[Decimal | None], lag: int) -> list[tuple[float, float]]:
    later = goal[lag:]
    return [
        (float(first), float(second))
        for first, second in zip(driver, later, strict=False)
        if first is not None and second is not None
    ]


def _coefficient(pairs: Sequence[tuple[float, float]]) -> float | None:
    try:
        return correlation([first for first, _second in pairs], [second for _first, second in pairs])
    except StatisticsError:  # one of the two never moves
        return None


def _interval(coefficient: float, pairs: int, lags: int) -> tuple[float, float]:
    reach = NormalDist().inv_cdf(1 - ALPHA / 2 / lags) / sqrt(pairs - 3)
    middle = atanh(max(-0.999999, min(0.999999, coefficient)))
    return tanh(middle - reach), tanh(middle + reach)


def _confidence(low: float, high: float) -> Confidence:
    if low <= 0 <= high:
        return Confidence.NONE
    return Confidence.HIGH if min(abs(low), abs(high)) >= HIGH else Confidence.MEDIUM
