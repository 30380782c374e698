"""How far one lever alone would have to go: the value of a leaf at which the root reaches its target."""

from collections.abc import Mapping
from decimal import Decimal
from typing import assert_never

from kpis.engine.contribution import names_of
from kpis.engine.formula import Binary, Call, Choice, CompiledFormula, Expression, Name, Negative, Number, evaluate
from kpis.engine.values import Absence, Value


def needed_value(
    root: str, leaf: str, formulas: Mapping[str, Expression], actuals: Mapping[str, Value], goal: Decimal
) -> Decimal | None:
    """The value of `leaf` at which `root` comes to `goal` while everything else stays as it is.

    None where no value does that (the others multiply it with nothing), where it stands in the formula more than once,
    or where one of the others cannot be told.

    >>> from kpis.engine.formula import parse_formula
    >>> formulas = {"bookings": parse_formula("closed * rate * size").expression}
    >>> actuals = {"closed": Decimal(50), "rate": Decimal("0.2"), "size": Decimal(100)}
    >>> needed_value("bookings", "rate", formulas, actuals, Decimal(1500))
    Decimal('0.3')
    """
    if root == leaf:
        return goal
    return _solve(formulas[root], leaf, goal, formulas, actuals) if root in formulas else None


def _solve(
    expression: Expression,
    leaf: str,
    goal: Decimal,
    formulas: Mapping[str, Expression],
    actuals: Mapping[str, Value],
) -> Decimal | None:
    match expression:
        case Name(code):
            return needed_value(code, leaf, formulas, actuals, goal)
        case Negative(operand):
            return _solve(operand, leaf, -goal, formulas, actuals)
        case Binary(operator, left, right):
            on_left, on_right = (leaf in _reach(side, formulas) for side in (left, right))
            if on_left == on_right:
                return None
            other = evaluate(CompiledFormula("", right if on_left else left, ()), actuals).value
            inner = None if isinstance(other, Absence) else _inverse(operator, goal, other, is_left=on_left)
            return None if inner is None else _solve(left if on_left else right, leaf, inner, formulas, actuals)
        case Number() | Call() | Choice():
            return None
        case _:
            assert_never(expression)


def _reach(expression: Expression, formulas: Mapping[str, Expression]) -> frozenset[str]:
    """The codes below an expression, through the formulas that take them apart."""
    found: set[str] = set()
    waiting = list(names_of(expression))
    while waiting:
        code = waiting.pop()
        if code not in found:
            found.add(code)
            waiting.extend(names_of(formulas[code]) if code in formulas else ())
    return frozenset(found)


def _inverse(operator: str, goal: Decimal, other: Decimal, *, is_left: bool) -> Decimal | None:
    """x in x ∘ other = goal (or other ∘ x = goal)."""
    match operator:
        case "+":
            return goal - other
        case "-":
            return goal + other if is_left else other - goal
        case "*":
            return goal / other if other else None
        case _:
            if is_left:
                return goal * other
            return other / goal if goal and other else None
