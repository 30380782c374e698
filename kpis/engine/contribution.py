"""Why a number is not its target: the gap split over the leaves of the calculation graph, adding up to the gap.

Every leaf has a weight, the units of the root that one unit of the leaf is worth, and its share is weight × (actual −
target). Along a formula the weight is handed down: a sum hands it on as it is, a product or quotient by the logarithmic
mean L(x, y) = (x − y) ÷ (ln x − ln y) (LMDI-I, Ang 2005), which leaves nothing over; where a factor is zero or negative
there is no logarithm, and the Shapley value over the direct factors takes its place and says so.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from enum import StrEnum
from math import factorial
from typing import assert_never

from kpis.engine.formula import Binary, Call, Choice, CompiledFormula, Expression, Name, Negative, Number, evaluate
from kpis.engine.values import Absence, Value

_CONTEXT = Context(prec=34)
ZERO = Decimal(0)


class Method(StrEnum):
    """How a share was found, the most exact first; of several on one way the last one names it."""

    DIFFERENCE = "difference"
    LOG_MEAN = "log_mean"
    SHAPLEY = "shapley"
    LAGGED = "lagged"


_ORDER = tuple(Method)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a code came to and what was planned; a target of None = nobody planned it."""

    actual: Value
    target: Decimal | None

    @property
    def is_told(self) -> bool:
        """Whether there is a difference to speak of."""
        return isinstance(self.actual, Decimal) and self.target is not None

    @property
    def gap(self) -> Decimal:
        """Actual less target, in the code's own unit; only of what is told."""
        assert isinstance(self.actual, Decimal)
        assert self.target is not None
        return self.actual - self.target


@dataclass(frozen=True, slots=True)
class Share:
    """A leaf's part in the gap, in units of the root; `weight` is what one unit of the leaf is worth there."""

    code: str
    amount: Decimal
    method: Method
    weight: Decimal


@dataclass(frozen=True, slots=True)
class Explanation:
    """The gap (actual − target) of a root: shares + `not_explained` = gap.

    Not explained is what belongs to parts that nobody planned or that cannot be told, and the difference between the
    root's target and what the targets of its parts give together.
    """

    gap: Decimal
    shares: tuple[Share, ...]
    not_explained: Decimal


def explain(root: str, formulas: Mapping[str, Expression], numbers: Mapping[str, Numbers]) -> Explanation | None:
    """Split the gap of `root` over the codes that no formula takes apart; None without actual or target.

    `formulas` holds what is to be taken apart, the root's first of all; without one nothing is explained. A code with a
    formula of which nobody planned a part stays a leaf. A rate without cases has no share and leaves the others theirs.

    >>> from kpis.engine.formula import parse_formula
    >>> of = lambda actual, target: Numbers(Decimal(actual), Decimal(target))
    >>> found = explain("bookings", {"bookings": parse_formula("won * size").expression},
    ...                 {"bookings": of(800, 1000), "won": of(8, 10), "size": of(100, 100)})
    >>> [(share.code, round(share.amount), str(share.method)) for share in found.shares], round(found.not_explained)
    ([('won', -200, 'log_mean'), ('size', 0, 'log_mean')], 0)
    >>> explain("bookings", {}, {"bookings": of(8, 10)}).not_explained
    Decimal('-2')
    """
    own = numbers.get(root)
    if own is None or not own.is_told:
        return None
    with localcontext(_CONTEXT):
        shares: dict[str, Share] = {}
        if root in formulas:
            for share in _Splitter(formulas, numbers).split_code(root, Decimal(1), Method.DIFFERENCE, frozenset()):
                shares[share.code] = _together(shares[share.code], share) if share.code in shares else share
        explained = sum((share.amount for share in shares.values()), ZERO)
        return Explanation(own.gap, tuple(shares.values()), own.gap - explained)


def log_mean(first: Decimal, second: Decimal) -> Decimal:
    """The logarithmic mean of two positive numbers.

    >>> log_mean(Decimal(5), Decimal(5)), round(log_mean(Decimal(1), Decimal(2)), 4)
    (Decimal('5'), Decimal('1.4427'))
    """
    if first == second:
        return first
    divisor = first.ln(_CONTEXT) - second.ln(_CONTEXT)
    # Two numbers that differ by less than the logarithm can tell are their own mean.
    return (first - second) / divisor if divisor else (first + second) / 2


def _together(first: Share, second: Share) -> Share:
    """A code that stands in a formula twice has one share."""
    method = max(first.method, second.method, key=_ORDER.index)
    return Share(first.code, first.amount + second.amount, method, first.weight + second.weight)


@dataclass(frozen=True, slots=True)
class _Factor:
    """A factor of a product (exponent 1) or a divisor (−1), with its numbers."""

    expression: Expression
    exponent: int
    numbers: Numbers


class _Splitter:
    """Walks down the formulas and hands the weight on."""

    def __init__(self, formulas: Mapping[str, Expression], numbers: Mapping[str, Numbers]) -> None:
        self.formulas = formulas
        self.numbers = numbers
        self.actuals: dict[str, Value] = {code: _settled(each) for code, each in numbers.items()}
        self.targets: dict[str, Value] = {
            code: Absence.MISSING if each.target is None else each.target for code, each in numbers.items()
        }

    def split_code(self, code: str, weight: Decimal, method: Method, above: frozenset[str]) -> Iterator[Share]:
        """The shares of a code's formula, or its own; nothing where it is not told."""
        own = self.numbers.get(code)
        if own is None or not own.is_told:
            return
        expression = self.formulas.get(code)
        if expression is None or code in above or not self._is_planned(expression):
            if above:
                yield Share(code, weight * own.gap, method, weight)
            return
        yield from self._split(expression, own, weight, method, above | {code})

    def _is_planned(self, expression: Expression) -> bool:
        return any(code in self.numbers and self.numbers[code].is_told for code in names_of(expression))

    def _split(
        self, expression: Expression, whole: Numbers, weight: Decimal, method: Method, above: frozenset[str]
    ) -> Iterator[Share]:
        match expression:
            case Number() | Call() | Choice():
                return
            case Name(code):
                yield from self.split_code(code, weight, method, above)
            case Negative(operand):
                yield from self._split(operand, self._tell(operand), -weight, method, above)
            case Binary(operator="+" | "-", left=left, right=right):
                sign = -weight if expression.operator == "-" else weight
                yield from self._split(left, self._tell(left), weight, method, above)
                yield from self._split(right, self._tell(right), sign, method, above)
            case Binary():
                yield from self._split_product(expression, whole, weight, method, above)
            case _:
                assert_never(expression)

    def _split_product(
        self, expression: Expression, whole: Numbers, weight: Decimal, method: Method, above: frozenset[str]
    ) -> Iterator[Share]:
        factors = [_Factor(each, sign, self._tell(each)) for each, sign in _factors(expression)]
        if _are_positive([whole, *(each.numbers for each in factors)]) and whole.is_told:
            rates, found = _log_mean_weights(factors, whole), Method.LOG_MEAN
        else:
            rates, found = _shapley_weights(factors), Method.SHAPLEY
        method = max(method, found, key=_ORDER.index)
        for factor, rate in zip(factors, rates, strict=True):
            if rate is not None:
                yield from self._split(factor.expression, factor.numbers, weight * rate, method, above)

    def _tell(self, expression: Expression) -> Numbers:
        """What a part of a formula comes to, from the numbers of the codes that it names."""
        compiled = CompiledFormula("", expression, ())
        target = evaluate(compiled, self.targets).value
        return Numbers(evaluate(compiled, self.actuals).value, None if isinstance(target, Absence) else target)


def _settled(numbers: Numbers) -> Value:
    """The actual; of a rate or an average without cases its target, since it did nothing to the others."""
    if numbers.actual is Absence.NO_DENOMINATOR and numbers.target is not None:
        return numbers.target
    return numbers.actual


def names_of(expression: Expression) -> Iterator[str]:
    """The codes that an expression names, each as often as it stands there.

    >>> from kpis.engine.formula import parse_formula
    >>> list(names_of(parse_formula("a * (b - a)").expression))
    ['a', 'b', 'a']
    """
    match expression:
        case Number():
            return
        case Name(code):
            yield code
        case Negative(operand):
            yield from names_of(operand)
        case Binary(left=left, right=right):
            yield from names_of(left)
            yield from names_of(right)
        case Call(arguments=arguments):
            for argument in arguments:
                yield from names_of(argument)
        case Choice():
            for part in (expression.left, expression.right, expression.then, expression.otherwise):
                yield from names_of(part)
        case _:
            assert_never(expression)


def _factors(expression: Expression, exponent: int = 1) -> Iterator[tuple[Expression, int]]:
    """The direct factors of a chain of × and ÷."""
    match expression:
        case Binary(operator="*" | "/", left=left, right=right):
            yield from _factors(left, exponent)
            yield from _factors(right, exponent if expression.operator == "*" else -exponent)
        case _:
            yield expression, exponent


def _are_positive(each: Sequence[Numbers]) -> bool:
    known = [value for numbers in each for value in (numbers.actual, numbers.target) if isinstance(value, Decimal)]
    return all(value > 0 for value in known)


def _log_mean_weights(factors: Sequence[_Factor], whole: Numbers) -> list[Decimal | None]:
    """Of each told factor: L(whole) ÷ L(factor), negative for a divisor."""
    mean = _mean(whole)
    return [factor.exponent * mean / _mean(factor.numbers) if factor.numbers.is_told else None for factor in factors]


def _mean(numbers: Numbers) -> Decimal:
    assert isinstance(numbers.actual, Decimal)
    assert numbers.target is not None
    return log_mean(numbers.actual, numbers.target)


def _shapley_weights(factors: Sequence[_Factor]) -> list[Decimal | None]:
    """Shapley value ÷ difference of each factor; none where a factor is not told or a divisor is zero.

    The marginal effect of a factor is its difference × the product of the others, each actual or target; for a divisor
    d the difference is that of 1 ÷ d.
    """
    pairs = [_pair(factor) for factor in factors]
    told = [pair for pair in pairs if pair is not None]
    if len(told) < len(pairs):
        return [None] * len(pairs)
    weights: list[Decimal | None] = []
    for index, factor in enumerate(factors):
        mean = _mean_of_others(told[:index] + told[index + 1 :])
        slope = Decimal(1) if factor.exponent == 1 else -told[index][0] * told[index][1]
        weights.append(mean * slope)
    return weights


def _pair(factor: _Factor) -> tuple[Decimal, Decimal] | None:
    """What a factor multiplies with, actual and target: a divisor with its reciprocal."""
    actual, target = factor.numbers.actual, factor.numbers.target
    if isinstance(actual, Absence) or target is None:
        return None
    if factor.exponent == 1:
        return actual, target
    return (1 / actual, 1 / target) if actual and target else None


def _mean_of_others(pairs: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    """The product of the others, averaged over all orders in which they may go from target to actual."""
    by_size = [Decimal(1)]  # by how many of them are actual already: the sum of the products
    for actual, target in pairs:
        by_size = [
            (by_size[size] * target if size < len(by_size) else ZERO) + (by_size[size - 1] * actual if size else ZERO)
            for size in range(len(by_size) + 1)
        ]
    count = len(pairs) + 1
    orders = factorial(count)
    return sum(
        (total * factorial(size) * factorial(count - 1 - size) / orders for size, total in enumerate(by_size)), ZERO
    )
