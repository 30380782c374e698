"""Targets at grains other than the one they were set at, and amounts spread over periods."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from kpis.engine.spreading import spread_target


@dataclass(frozen=True, slots=True)
class TargetPart:
    """The target of one shorter period; of a rate also the planned numerator and denominator, where there are any."""

    value: Decimal | None
    numerator: Decimal | None = None
    denominator: Decimal | None = None


def derive_longer(accumulation: str, parts: Sequence[TargetPart]) -> Decimal | None:
    """The target of a longer period from its parts in order; None where the parts do not decide it.

    A flow is the sum of all its parts, a stock the last. A rate or average is Σ planned numerator ÷ Σ planned
    denominator where all parts are planned, else the constant that all parts share.

    >>> derive_longer("sum", [TargetPart(Decimal(10)), TargetPart(Decimal(20))])
    Decimal('30')
    >>> derive_longer("rate", [TargetPart(Decimal("0.5"), Decimal(5), Decimal(10)),
    ...                        TargetPart(Decimal("0.2"), Decimal(2), Decimal(10))])
    Decimal('0.35')
    >>> derive_longer("rate", [TargetPart(Decimal("0.5")), TargetPart(Decimal("0.2"))]) is None
    True
    """
    values = [part.value for part in parts if part.value is not None]
    if not parts or len(values) < len(parts):
        return None
    if accumulation == "sum":
        return sum(values, Decimal(0))
    if accumulation == "stock":
        return values[-1]
    numerators = [part.numerator for part in parts if part.numerator is not None]
    denominators = [part.denominator for part in parts if part.denominator is not None]
    planned = sum(denominators, Decimal(0))
    if len(numerators) == len(denominators) == len(parts) and planned:
        return sum(numerators, Decimal(0)) / planned
    return values[0] if len(set(values)) == 1 else None


def derive_shorter(accumulation: str, value: Decimal | None, business_days: int, total: int) -> Decimal | None:
    """The target of a week from its month's: a flow by the week's share of business days, everything else as it is.

    >>> derive_shorter("sum", Decimal(100), business_days=5, total=20)
    Decimal('25')
    >>> derive_shorter("rate", Decimal("0.2"), business_days=5, total=20)
    Decimal('0.2')
    """
    if value is None or accumulation != "sum":
        return value
    return value * business_days / total if total else None


def spread(amount: Decimal, count: int, step: Decimal = Decimal(1)) -> tuple[Decimal, ...]:
    """An amount in `count` equal parts of whole `step`s that add up to it.

    No two parts differ by more than a step; what is less than a step goes to the last part.

    >>> [str(part) for part in spread(Decimal(100), 3)]
    ['33', '33', '34']
    """
    return spread_target("sum", amount, [Decimal(1)] * count, step=step).parts if count else ()
