"""Where a period will end at its present pace: the value so far over the share usually reached by this business day.

The share comes from the company's own curve within its past periods where there are enough of them, else from the
business days alone. Curves are compared by the fraction of business days that is over, so that a month with 18 of them
and one with 22 lie on top of each other, and holidays count for nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from kpis.engine.values import Absence, Value

FEWEST_PERIODS = 3  # fewer past periods are chance, not a curve
SMALLEST_SHARE = Decimal("0.1")  # below it a single deal would decide the landing
OUTER = Decimal("0.1")  # the band leaves out a tenth of the past periods on each side
ZERO, ONE = Decimal(0), Decimal(1)


class Basis(StrEnum):
    """What the share reached by now was taken from."""

    CURVE = "curve"
    BUSINESS_DAYS = "business_days"


@dataclass(frozen=True, slots=True)
class PastPeriod:
    """An ended period: `reached[k]` is its value by the end of business day k (0 = before the first), the last all."""

    reached: tuple[Decimal, ...]

    @property
    def total(self) -> Decimal:
        return self.reached[-1]

    def at(self, fraction: Decimal) -> Decimal:
        """The value reached when this fraction (0-1) of the business days was over, between two days in proportion.

        >>> PastPeriod((Decimal(0), Decimal(10), Decimal(40))).at(Decimal("0.75"))
        Decimal('25.00')
        """
        position = fraction * (len(self.reached) - 1)
        whole = min(int(position), len(self.reached) - 1)
        if whole == len(self.reached) - 1:
            return self.total
        return self.reached[whole] + (self.reached[whole + 1] - self.reached[whole]) * (position - whole)


@dataclass(frozen=True, slots=True)
class Pace:
    """The landing at the present pace.

    `share` is what is usually reached by now (None where nobody can say); `low` and `high` are where the period would
    end if it went on like the slowest and the fastest of `period_count` past ones, but for the outermost tenth of each
    side: None without a curve.
    """

    value: Value
    share: Decimal | None
    basis: Basis
    low: Decimal | None = None
    high: Decimal | None = None
    period_count: int = 0


def past_period(days: Sequence[tuple[bool, Decimal]]) -> PastPeriod:
    """The curve of an ended period from its days in order: whether it is a business day, and what came in on it.

    What comes in on a holiday belongs to the business day before it.

    >>> [str(value) for value in past_period([(True, Decimal(3)), (False, Decimal(1)), (True, Decimal(6))]).reached]
    ['0', '4', '10']
    """
    reached = [ZERO]
    for is_business_day, amount in days:
        if is_business_day:
            reached.append(reached[-1])
        reached[-1] += amount
    return PastPeriod(tuple(reached))


def pace(actual: Value, elapsed: int, total: int, history: Sequence[PastPeriod] = ()) -> Pace:
    """The landing of an open period: actual ÷ the share that is usually reached after `elapsed` of `total` days.

    Σ reached ÷ Σ totals of the past periods, never a mean of shares. No verdict (`maturing`) on the first business day
    and while less than a tenth is usually reached; an absent value stays absent.

    >>> int(pace(Decimal(30), 10, 20).value)
    60
    >>> late = [PastPeriod((Decimal(0), Decimal(10), Decimal(40)))] * 3  # three quarters come in the second half
    >>> int(pace(Decimal(30), 10, 20, late).value), str(pace(Decimal(30), 1, 20).value)
    (120, 'maturing')
    """
    usable = [each for each in history if each.total > 0 and len(each.reached) > 1]
    basis = Basis.CURVE if len(usable) >= FEWEST_PERIODS else Basis.BUSINESS_DAYS
    if isinstance(actual, Absence):
        return Pace(actual, None, basis)
    if elapsed <= 1 or not total:
        return Pace(Absence.MATURING, None, basis)
    fraction = min(Decimal(elapsed) / total, ONE)
    if basis is Basis.BUSINESS_DAYS:
        return Pace(actual / fraction if fraction >= SMALLEST_SHARE else Absence.MATURING, fraction, basis)
    reached = [each.at(fraction) for each in usable]
    share = sum(reached, ZERO) / sum((each.total for each in usable), ZERO)
    if share < SMALLEST_SHARE:
        return Pace(Absence.MATURING, share, basis, period_count=len(usable))
    low, high = _band(actual, [(part, each.total) for part, each in zip(reached, usable, strict=True)])
    return Pace(actual / share, share, basis, low, high, len(usable))


def _band(actual: Decimal, periods: Sequence[tuple[Decimal, Decimal]]) -> tuple[Decimal | None, Decimal | None]:
    """Where `actual` would end if it grew as each past period (reached, total) did from here on."""
    ends = sorted(actual * total / reached for reached, total in periods if reached > 0)
    if len(ends) < FEWEST_PERIODS:
        return None, None
    return quantile(ends, OUTER), quantile(ends, ONE - OUTER)


def quantile(ordered: Sequence[Decimal], fraction: Decimal) -> Decimal:
    """The value below which this fraction of the ordered values lies, between two of them in proportion.

    >>> quantile([Decimal(10), Decimal(20), Decimal(40)], Decimal("0.75"))
    Decimal('30.00')
    """
    position = fraction * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)
