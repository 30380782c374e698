"""Whole units out of fractions, so that what is shown adds up to what is shown."""

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

ONE = Decimal(1)


def apportion(parts: Sequence[Decimal], step: Decimal = ONE) -> tuple[Decimal, ...]:
    """The parts in whole `step`s that add up to their sum in whole steps (largest remainder).

    Every part is rounded down; the steps that are left go to those that lost most. No part moves by a step or more.

    >>> [str(part) for part in apportion([Decimal("1.4"), Decimal("1.4"), Decimal("-0.8")])]
    ['2', '1', '-1']
    >>> [str(part) for part in apportion([Decimal("0.333"), Decimal("0.667")], Decimal("0.01"))]
    ['0.33', '0.67']
    """
    exact = [part / step for part in parts]
    whole = [part.to_integral_value(ROUND_FLOOR) for part in exact]
    left = int(sum(exact, Decimal(0)).to_integral_value(ROUND_HALF_UP) - sum(whole, Decimal(0)))
    by_loss = sorted(range(len(parts)), key=lambda index: (whole[index] - exact[index], index))
    for index in by_loss[:left]:
        whole[index] += 1
    return tuple(part * step for part in whole)
