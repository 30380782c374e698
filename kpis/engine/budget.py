"""Target beside actual through a year: running totals, the variance, and the comparison with the year before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from kpis.engine.targets import TargetPart, derive_longer

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class BudgetPart:
    """One period of one KPI: the value with its sides and the target; None where there is none."""

    value: Decimal | None = None
    numerator: Decimal | None = None
    denominator: Decimal | None = None
    target: Decimal | None = None
    upper: Decimal | None = None


def cumulate(accumulation: str, parts: Sequence[BudgetPart]) -> tuple[BudgetPart, ...]:
    """Each period together with all before it, from the first on.

    A sum is added up; a rate or average is Σ numerator ÷ Σ denominator, never a mean of rates; a stock is its last
    level. Where a period before is not known, the running total is not either.

    >>> year = [BudgetPart(Decimal(10), target=Decimal(20)), BudgetPart(Decimal(5), target=Decimal(20))]
    >>> [(str(part.value), str(part.target)) for part in cumulate("sum", year)]
    [('10', '20'), ('15', '40')]
    >>> rates = [BudgetPart(None, Decimal(1), Decimal(2)), BudgetPart(None, Decimal(2), Decimal(8))]
    >>> str(cumulate("rate", rates)[-1].value)
    '0.3'
    """
    return tuple(_together(accumulation, parts[: index + 1]) for index in range(len(parts)))


def variance(part: BudgetPart, direction: str = "up") -> Decimal | None:
    """Value − target; of a range the distance to the nearest bound, 0 inside. None without a value or a target.

    >>> str(variance(BudgetPart(Decimal(90), target=Decimal(100))))
    '-10'
    >>> str(variance(BudgetPart(Decimal(7), target=Decimal(5), upper=Decimal(10)), "range"))
    '0'
    """
    if part.value is None or part.target is None:
        return None
    if direction != "range" or part.value < part.target:
        return part.value - part.target
    return ZERO if part.upper is None else max(part.value - part.upper, ZERO)


def year_on_year(value: Decimal | None, before: Decimal | None, accumulation: str) -> Decimal | None:
    """The value against the same period of the year before: a rate as a difference, everything else as a ratio.

    None without both, and where the year before had nothing above zero that a ratio could stand on.

    >>> str(year_on_year(Decimal(110), Decimal(100), "sum")), str(year_on_year(Decimal("0.2"), Decimal("0.25"), "rate"))
    ('1.1', '-0.05')
    """
    if value is None or before is None:
        return None
    if accumulation == "rate":
        return value - before
    return value / before if before > 0 else None


def _together(accumulation: str, parts: Sequence[BudgetPart]) -> BudgetPart:
    last = parts[-1]
    targets = [TargetPart(part.target) for part in parts]
    uppers = [TargetPart(part.upper) for part in parts]
    numerator, denominator = _total([part.numerator for part in parts]), _total([part.denominator for part in parts])
    together = replace(
        last,
        numerator=numerator,
        denominator=denominator,
        target=derive_longer(accumulation, targets),
        upper=derive_longer(accumulation, uppers),
    )
    if accumulation == "sum":
        return replace(together, value=_total([part.value for part in parts]))
    if accumulation == "stock":
        return replace(together, numerator=last.numerator, denominator=last.denominator)
    if len(parts) == 1:
        return together
    known = numerator is not None and denominator
    return replace(together, value=numerator / denominator if known else None)  # type: ignore[operator]


def _total(values: Sequence[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return sum(known, ZERO) if len(known) == len(values) else None
