"""Signal or noise: the natural limits of a number's own variation (individuals chart, Wheeler 2000).

Limits are the mean ± 2.66 × the mean moving range, the distance from one period to the next. What stays within them is
what this number always does; only what leaves them asks for a cause.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

LEAST_PERIODS = 8
FACTOR = Decimal("2.66")
RUN = 8


class Movement(StrEnum):
    """What the last period is, against those before it."""

    USUAL = "usual"
    ABOVE = "above"
    BELOW = "below"
    RUN_ABOVE = "run_above"
    RUN_BELOW = "run_below"

    @property
    def is_unusual(self) -> bool:
        return self is not Movement.USUAL


@dataclass(frozen=True, slots=True)
class Variation:
    """The usual variation of a number, and what its last period is against it.

    `count` is how many periods the limits rest on; the judged one is not among them.
    """

    movement: Movement
    value: Decimal
    mean: Decimal
    lower: Decimal
    upper: Decimal
    count: int


def judge_variation(values: Sequence[Decimal | None], *, floor: Decimal | None = None) -> Variation | None:
    """Judge the last of the values, oldest first, by those before it; None where fewer than eight of them are known.

    `floor` is a bound that the number cannot pass (0 for counts). A run is eight periods in a row, the last included,
    on one side of the mean.

    >>> steady = [Decimal(each) for each in (10, 12, 11, 9, 10, 11, 10, 11)]
    >>> judge_variation([*steady, Decimal(20)]).movement, judge_variation([*steady, Decimal(12)]).movement
    (<Movement.ABOVE: 'above'>, <Movement.USUAL: 'usual'>)
    >>> judge_variation(steady) is None
    True
    """
    known = [value for value in values if value is not None]
    if not values or values[-1] is None or len(known) <= LEAST_PERIODS:
        return None
    *past, last = known
    mean = sum(past, Decimal(0)) / len(past)
    ranges = [abs(after - before) for before, after in pairwise(past)]
    reach = FACTOR * sum(ranges, Decimal(0)) / len(ranges)
    lower = mean - reach if floor is None else max(mean - reach, floor)
    upper = mean + reach
    return Variation(_movement(known, last, mean, lower, upper), last, mean, lower, upper, len(past))


def _movement(known: Sequence[Decimal], last: Decimal, mean: Decimal, lower: Decimal, upper: Decimal) -> Movement:
    if last > upper:
        return Movement.ABOVE
    if last < lower:
        return Movement.BELOW
    if all(value > mean for value in known[-RUN:]):
        return Movement.RUN_ABOVE
    return Movement.RUN_BELOW if all(value < mean for value in known[-RUN:]) else Movement.USUAL
