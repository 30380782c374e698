"""How much of a period is usually there by this business day, and where it will end at its present pace.

The share, by which open periods are judged and landings are extrapolated alike, comes from the company's own curve
within its past periods where there are enough of them, else from the business days alone. Curves are compared by the
fraction of business days that is over, so that a month with 18 of them and one with 22 lie on top of each other, and
holidays count for nothing.
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
class Due:
    """The share (0-1) of a period's sum that is usually there by now, and what that is taken from."""

    share: Decimal
    basis: Basis
    period_count: int = 0

    @property
    def is_too_early(self) -> bool:
        """By the company's own curve hardly anything is there yet, so that a single deal would decide."""
        return self.basis is Basis.CURVE and self.share < SMALLEST_SHARE


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

    No verdict (`maturing`) on the first business day
    and while less than a tenth is usually reached; an absent value stays absent.

    >>> int(pace(Decimal(30), 10, 20).value)
    60
    >>> late = [PastPeriod((Decimal(0), Decimal(10), Decimal(40)))] * 3  # three quarters come in the second half
    >>> int(pace(Decimal(30), 10, 20, late).value), str(pace(Decimal(30), 1, 20).value)
    (120, 'maturing')
    """
    due = usual_share(elapsed, total, history)
    if isinstance(actual, Absence):
        return Pace(actual, None, due.basis)
    if elapsed <= 1 or not total:
        return Pace(Absence.MATURING, None, due.basis)
    if due.share < SMALLEST_SHARE:
        return Pace(Absence.MATURING, due.share, due.basis, period_count=due.period_count)
    low, high = _band(actual, elapsed, total, history) if due.basis is Basis.CURVE else (None, None)
    return Pace(actual / due.share, due.share, due.basis, low, high, due.period_count)


def usual_share(elapsed: int, total: int, history: Sequence[PastPeriod] = ()) -> Due:
    """What is usually there after `elapsed` of `total` business days: Σ reached ÷ Σ totals of the past periods.

    Never a mean of shares. Fewer than three past periods are no curve: then the business days say it.

    >>> late = PastPeriod((Decimal(0), Decimal(10), Decimal(40)))
    >>> str(usual_share(10, 20, [late] * 3).share), str(usual_share(10, 20, [late] * 2).share)
    ('0.25', '0.5')
    """
    fraction = min(Decimal(elapsed) / total, ONE) if total else ZERO
    usable = _usable(history)
    if len(usable) < FEWEST_PERIODS:
        return Due(fraction, Basis.BUSINESS_DAYS)
    reached = sum((each.at(fraction) for each in usable), ZERO)
    return Due(reached / sum((each.total for each in usable), ZERO), Basis.CURVE, len(usable))


def _usable(history: Sequence[PastPeriod]) -> list[PastPeriod]:
    return [each for each in history if each.total > 0 and len(each.reached) > 1]


def _band(
    actual: Decimal, elapsed: int, total: int, history: Sequence[PastPeriod]
) -> tuple[Decimal | None, Decimal | None]:
    """Where `actual` would end if it grew as each past period did from here on."""
    fraction = min(Decimal(elapsed) / total, ONE)
    periods = [(each.at(fraction), each.total) for each in _usable(history)]
    ends = sorted(actual * whole / reached for reached, whole in periods if reached > 0)
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
