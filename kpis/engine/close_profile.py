"""How many months lie between the start of something and its end: the company's own profile, read both ways.

A contribution reads it forward (what was created in October, closes in October, November …), a back-calculation
backward (what is to close in March, has to be created in January). Months are the company's own, not calendar months.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

LEAST_CASES = 20
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class LagCount:
    """How much ended `months` after it began (0 = in the same month); counts follow the credit, so 0.7 is possible."""

    months: int
    count: Decimal


@dataclass(frozen=True, slots=True)
class CloseProfile:
    """Of what ended, the share that had begun so many months before.

    `shares[k]` is the share with a lag of k months; all of them add up to exactly 1. `cases` is how much was counted,
    `median_days` the median of the days from start to end (None where it was not read).
    """

    shares: tuple[Decimal, ...]
    cases: Decimal
    median_days: Decimal | None = None

    @property
    def longest(self) -> int:
        """The longest lag in months."""
        return len(self.shares) - 1

    @property
    def is_reliable(self) -> bool:
        """Whether enough cases stand behind it to speak of a habit."""
        return self.cases >= LEAST_CASES

    @property
    def most(self) -> int:
        """The lag in months that most of it has, the shortest of equal ones.

        >>> CloseProfile((Decimal("0.2"), Decimal("0.5"), Decimal("0.3")), Decimal(40)).most
        1
        """
        return self.shares.index(max(self.shares))

    def share(self, months: int) -> Decimal:
        """The share with this lag; 0 outside of the profile.

        >>> CloseProfile((Decimal("0.25"), Decimal("0.75")), Decimal(4)).share(1)
        Decimal('0.75')
        """
        return self.shares[months] if 0 <= months <= self.longest else ZERO


def close_profile(counts: Sequence[LagCount], median_days: Decimal | None = None) -> CloseProfile | None:
    """The profile of what was counted; None where nothing was. Ends before their start (faulty dates) are left out.

    The last share is what the others leave of 1, so that no rounding loses a case.

    >>> won = [LagCount(0, Decimal(3)), LagCount(2, Decimal(1)), LagCount(-1, Decimal(9))]
    >>> [str(share) for share in close_profile(won).shares]
    ['0.75', '0', '0.25']
    >>> close_profile([]) is None
    True
    """
    sound = [each for each in counts if each.months >= 0 and each.count > 0]
    cases = sum((each.count for each in sound), ZERO)
    if not cases:
        return None
    longest = max(each.months for each in sound)
    by_lag = {lag: sum((each.count for each in sound if each.months == lag), ZERO) for lag in range(longest + 1)}
    shares = [by_lag[lag] / cases for lag in range(longest)]
    return CloseProfile((*shares, 1 - sum(shares, ZERO)), cases, median_days)


def fixed_lag(months: int) -> CloseProfile:
    """The profile of what always takes so many months: nothing was counted for it.

    >>> [str(share) for share in fixed_lag(2).shares]
    ['0', '0', '1']
    """
    return CloseProfile((*[ZERO] * months, Decimal(1)), ZERO)


def spread_back(amount: Decimal, profile: CloseProfile) -> tuple[Decimal, ...]:
    """Of an amount that is to end in a month, what has to begin 0, 1, 2 … months before; adds up to the amount.

    >>> [str(part) for part in spread_back(Decimal(40), CloseProfile((Decimal("0.25"), Decimal("0.75")), Decimal(4)))]
    ['10.00', '30.00']
    """
    parts = [amount * share for share in profile.shares[:-1]]
    return (*parts, amount - sum(parts, ZERO))


def chain(first: CloseProfile, second: CloseProfile) -> CloseProfile:
    """The profile of two steps one after the other, as lead → deal and deal → won, taken as independent.

    `cases` are those of the weaker step; medians do not add up, so there is none.

    >>> half = CloseProfile((Decimal("0.5"), Decimal("0.5")), Decimal(8))
    >>> [str(share) for share in chain(half, half).shares]
    ['0.25', '0.50', '0.25']
    """
    shares = [ZERO] * (first.longest + second.longest + 1)
    for lag, share in enumerate(first.shares):
        for more, other in enumerate(second.shares):
            shares[lag + more] += share * other
    shares[-1] = 1 - sum(shares[:-1], ZERO)
    return CloseProfile(tuple(shares), min(first.cases, second.cases))


def is_shorter_than_cycle(start: date, end: date, profile: CloseProfile | None) -> bool:
    """Whether a period (end exclusive) is over before half of what began in it has ended.

    In such a period nothing may be said of a rate between a number of the start and one of the end (DOMAIN §6). Where
    the median is not known it is taken to be longer.

    >>> slow = CloseProfile((Decimal(1),), Decimal(9), median_days=Decimal(57))
    >>> is_shorter_than_cycle(date(2017, 12, 1), date(2018, 1, 1), slow)
    True
    >>> is_shorter_than_cycle(date(2017, 10, 1), date(2018, 1, 1), slow)
    False
    """
    if profile is None or profile.median_days is None:
        return True
    return (end - start).days < profile.median_days
