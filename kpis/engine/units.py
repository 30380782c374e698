"""Whether the parts of a formula fit together: yen plus percent means nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from kpis.engine.formula import Binary, Call, Choice, Expression, Name, Negative, Number

FRACTION = "fraction"
_FAMILIES = {"percent": FRACTION, "ratio": FRACTION}


@dataclass(frozen=True, slots=True)
class UnitClash:
    """Two parts that are added, compared or chosen between, with their units as metrics name them."""

    left: str
    right: str


def unit_clashes(expression: Expression, units: Mapping[str, str]) -> tuple[UnitClash, ...]:
    """Where a formula joins parts of different units by + − min max if; `units` maps codes to units of metrics.

    A number without a unit, and a product whose unit nobody can name, fit everything. Counts and fractions only scale:
    amount × percent and amount ÷ count stay amounts.

    >>> from kpis.engine.formula import parse_formula
    >>> units = {"bookings": "amount", "win_rate": "percent", "won": "count"}
    >>> unit_clashes(parse_formula("bookings + win_rate").expression, units)
    (UnitClash(left='amount', right='percent'),)
    >>> unit_clashes(parse_formula("bookings / won * win_rate + 1000").expression, units)
    ()
    """
    reader = _Reader(units)
    reader.unit_of(expression)
    return tuple(dict.fromkeys(reader.clashes))


class _Reader:
    """Walks the expression once; None is "fits everything"."""

    def __init__(self, units: Mapping[str, str]) -> None:
        self.units = units
        self.clashes: list[UnitClash] = []

    def unit_of(self, expression: Expression) -> str | None:
        match expression:
            case Number():
                return None
            case Name(code):
                return self.units.get(code)
            case Negative(operand):
                return self.unit_of(operand)
            case Binary(operator, left, right):
                first, second = self.unit_of(left), self.unit_of(right)
                return self.joined(first, second) if operator in "+-" else _scaled(operator, first, second)
            case Call(function, arguments):
                found = [self.unit_of(argument) for argument in arguments]
                return self.all_joined(found) if function in {"min", "max"} else found[0]
            case Choice(_, left, right, then, otherwise):
                self.joined(self.unit_of(left), self.unit_of(right))
                return self.joined(self.unit_of(then), self.unit_of(otherwise))
            case _:
                assert_never(expression)

    def joined(self, left: str | None, right: str | None) -> str | None:
        if left is None or right is None:
            return left or right
        if _FAMILIES.get(left, left) != _FAMILIES.get(right, right):
            self.clashes.append(UnitClash(left, right))
        return left

    def all_joined(self, found: list[str | None]) -> str | None:
        unit = found[0]
        for other in found[1:]:
            unit = self.joined(unit, other)
        return unit


def _scaled(operator: str, left: str | None, right: str | None) -> str | None:
    """The unit of a product or quotient where it is plain; a literal factor may carry a unit of its own."""
    if right == "count" or _FAMILIES.get(right or "") == FRACTION:
        return None if left == right and operator == "/" else left
    if operator == "*" and (left == "count" or _FAMILIES.get(left or "") == FRACTION):
        return right
    return None
