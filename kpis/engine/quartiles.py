"""The middle half of a company's own history, the guidance where no industry figure helps."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

LEAST_MONTHS = 6


@dataclass(frozen=True, slots=True)
class Quartiles:
    """Lower quartile, median and upper quartile of `count` values, in their unit."""

    lower: Decimal
    median: Decimal
    upper: Decimal
    count: int


def quartiles(values: Sequence[Decimal]) -> Quartiles | None:
    """Quartiles by linear interpolation between the ordered values (Hyndman & Fan 1996, type 7); None for no values.

    >>> quartiles([Decimal(n) for n in (4, 1, 3, 2)])
    Quartiles(lower=Decimal('1.75'), median=Decimal('2.5'), upper=Decimal('3.25'), count=4)
    """
    if not values:
        return None
    ordered = sorted(values)
    lower, median, upper = (_at(ordered, Decimal(n) / 4) for n in (1, 2, 3))
    return Quartiles(lower, median, upper, len(ordered))


def _at(ordered: Sequence[Decimal], share: Decimal) -> Decimal:
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
