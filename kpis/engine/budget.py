"""Target beside actual through a year: running totals, the variance, and the comparison with the year before."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from kpis.engine.targets import TargetPart, derive_longer
from kpis.engine.values import Absence

ZERO, ONE = Decimal(0), Decimal(1)


@dataclass(frozen=True, slots=True)
class BudgetPart:
    """One period of one KPI: the value with its sides and the target; None where there is none.

    `absence` says why there is no value, `cases` how many there were where those are too few.
    """

    value: Decimal | None = None
    numerator: Decimal | None = None
    denominator: Decimal | None = None
    target: Decimal | None = None
    upper: Decimal | None = None
    absence: str | None = None
    cases: Decimal | None = None

    def without(self, absence: str | None, cases: Decimal | None = None) -> "BudgetPart":
        """The same without a value, for a reason."""
        return replace(self, value=None, absence=absence or str(Absence.MISSING), cases=cases)


def cumulate(
    accumulation: str, parts: Sequence[BudgetPart], *, is_additive: bool = True, factor: Decimal = ONE
) -> tuple[BudgetPart, ...]:
    """Each period together with all before it, from the first on.

    A sum is added up; a rate or average is `factor` × Σ numerator ÷ Σ denominator (100 for NPS), never a mean of rates;
    a stock is its last level. Where a period before is not known, the running total is not either, and its absence is
    that period's. What does not add up (`is_additive`: a median, distinct customers, retention) has no running total
    beyond the first period: it does not apply.

    >>> year = [BudgetPart(Decimal(10), target=Decimal(20)), BudgetPart(Decimal(5), target=Decimal(20))]
    >>> [(str(part.value), str(part.target)) for part in cumulate("sum", year)]
    [('10', '20'), ('15', '40')]
    >>> rates = [BudgetPart(None, Decimal(1), Decimal(2)), BudgetPart(None, Decimal(2), Decimal(8))]
    >>> str(cumulate("rate", rates)[-1].value)
    '0.3'
    >>> waiting = [BudgetPart(Decimal(1)), BudgetPart(absence="maturing"), BudgetPart(Decimal(1))]
    >>> [part.absence for part in cumulate("sum", waiting)]
    [None, 'maturing', 'maturing']
    """
    return tuple(_together(accumulation, parts[: index + 1], is_additive, factor) for index in range(len(parts)))


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


def _together(accumulation: str, parts: Sequence[BudgetPart], is_additive: bool, factor: Decimal) -> BudgetPart:
    last = parts[-1]
    targets = [TargetPart(part.target) for part in parts]
    uppers = [TargetPart(part.upper) for part in parts]
    together = replace(
        last,
        target=derive_longer(accumulation, targets),
        upper=derive_longer(accumulation, uppers),
    )
    if accumulation == "stock" or len(parts) == 1:
        return together
    if not is_additive:
        return together.without(Absence.NOT_APPLICABLE)
    if accumulation == "sum":
        unknown = next((part for part in parts if part.value is None), None)
        if unknown is not None:
            return together.without(unknown.absence, unknown.cases)
        return replace(together, value=sum((part.value or ZERO for part in parts), ZERO), absence=None, cases=None)
    return _rate(together, parts, factor)


def _rate(together: BudgetPart, parts: Sequence[BudgetPart], factor: Decimal) -> BudgetPart:
    """Σ numerator ÷ Σ denominator of the periods; a period without cases adds none."""
    sides = [_sides(part) for part in parts]
    unknown = next((part for part, found in zip(parts, sides, strict=True) if found is None), None)
    if unknown is not None:
        # A value without the cases it came from, as a rate that was typed in, cannot be added up.
        return together.without(Absence.NOT_APPLICABLE if unknown.absence is None else unknown.absence, unknown.cases)
    numerator, denominator = (sum(each, ZERO) for each in zip(*(each for each in sides if each), strict=True))
    together = replace(together, numerator=numerator, denominator=denominator)
    if not denominator:
        return together.without(Absence.NO_DENOMINATOR)
    return replace(together, value=factor * numerator / denominator, absence=None, cases=None)


def _sides(part: BudgetPart) -> tuple[Decimal, Decimal] | None:
    """What a period adds to both sides of a rate; None where that is not known or may still change."""
    if part.absence == Absence.MATURING:
        return None
    if part.numerator is not None and part.denominator is not None:
        return part.numerator, part.denominator
    has_no_cases = part.absence == Absence.NO_DENOMINATOR and part.numerator is None and part.denominator is None
    return (ZERO, ZERO) if has_no_cases else None
