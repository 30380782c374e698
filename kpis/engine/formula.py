"""Formulas over metric codes: parse by an allow-list over `ast`, evaluate in Decimal, within bounds.

A formula knows + - * / ( ), the functions min, max, abs, round and if(condition, a, b), numbers and codes.
"""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException, DivisionByZero, InvalidOperation, Overflow
from itertools import pairwise
from typing import assert_never

from kpis.engine.issues import gettext_noop
from kpis.engine.values import Absence, Value

MAX_LENGTH = 1000
MAX_TOKENS = 400
MAX_DEPTH = 60
MAX_DIGITS = 20
LARGEST = Decimal(10) ** 24
_LEAST = -LARGEST
RESERVED_NAMES = frozenset({"if", "min", "max", "abs", "round"})

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([A-Za-z_][A-Za-z0-9_]*)|(<=|>=|==|!=|\*\*|//|[-+*/(),<>]))", re.ASCII)
_CONTEXT = Context(prec=34, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])
_OPERATIONS: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": _CONTEXT.add,
    "-": _CONTEXT.subtract,
    "*": _CONTEXT.multiply,
    "/": _CONTEXT.divide,
}
_OPERATORS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}


class FormulaError(Exception):
    """A formula that cannot be used: where (1-based position in the text) and what to do."""

    def __init__(self, template: str, position: int, **params: object) -> None:
        self.template = template
        self.position = position
        self.params = {"position": position, **params}
        super().__init__(template % self.params)


@dataclass(frozen=True, slots=True)
class Number:
    """A literal."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Name:
    """The value of another metric."""

    code: str


@dataclass(frozen=True, slots=True)
class Negative:
    """Minus something."""

    operand: "Expression"


@dataclass(frozen=True, slots=True)
class Binary:
    """left + - * / right."""

    operator: str
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True, slots=True)
class Call:
    """min, max, abs or round."""

    function: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """if(left operator right, then, otherwise); only the chosen side is evaluated."""

    operator: str
    left: "Expression"
    right: "Expression"
    then: "Expression"
    otherwise: "Expression"


Expression = Number | Name | Negative | Binary | Call | Choice


@dataclass(frozen=True, slots=True)
class CompiledFormula:
    """A formula that passed every check: its text, its tree, and the codes it names in order of appearance."""

    text: str
    expression: Expression
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The value, and the two sides where the top operator is a division."""

    value: Value
    numerator: Value | None = None
    denominator: Value | None = None


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def parse_formula(text: str) -> CompiledFormula:
    """Check and compile a formula; FormulaError names the position and what to do.

    >>> parse_formula("won_deals / closed_deals").names
    ('won_deals', 'closed_deals')
    >>> parse_formula("won_deals ** 2")
    Traceback (most recent call last):
    kpis.engine.formula.FormulaError: ** at position 11 is not available. Use + - * /, min, max, abs, round and if.
    """
    tokens = _tokens(text)
    # Codes and numbers get internal names, so that neither Python keywords ("if") nor float literals reach ast;
    # blanks between all tokens keep "* *" from becoming a power.
    source = " ".join(
        f"n{index}" if token.kind == "number" else f"v_{token.text}" if token.kind == "name" else token.text
        for index, token in enumerate(tokens)
    )
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise FormulaError(
            gettext_noop("The formula cannot be read at position %(position)s. Check operators, brackets and commas."),
            _original_position(source, tokens, getattr(error, "offset", 0) or len(source)),
        ) from None
    reader = _Reader(source, tokens)
    return CompiledFormula(text, reader.read(tree, 1), tuple(dict.fromkeys(reader.names)))


def names(expression: str) -> tuple[str, ...]:
    """The codes that a formula names, in order of appearance.

    >>> names("if(closed_deals > 0, bookings / won_deals, 0)")
    ('closed_deals', 'bookings', 'won_deals')
    """
    return parse_formula(expression).names


def evaluate(formula: CompiledFormula, values: Mapping[str, Value]) -> Evaluation:
    """Compute a formula from the values of its codes.

    An absence passes through (the leftmost wins); division by zero gives `no_denominator`; a code without any entry
    is `missing`; beyond 10^24 the result is `error`.

    >>> evaluate(parse_formula("won / closed"), {"won": Decimal(3), "closed": Decimal(4)})
    Evaluation(value=Decimal('0.75'), numerator=Decimal('3'), denominator=Decimal('4'))
    >>> evaluate(parse_formula("won / closed"), {"won": Decimal(0), "closed": Decimal(0)}).value
    <Absence.NO_DENOMINATOR: 'no_denominator'>
    >>> evaluate(parse_formula("a + b"), {"a": Absence.MATURING, "b": Decimal(1)}).value
    <Absence.MATURING: 'maturing'>
    """
    value, numerator, denominator = evaluate_column(formula, {code: [each] for code, each in values.items()}, 1)
    return Evaluation(value[0], numerator[0], denominator[0])


def evaluate_column(
    formula: CompiledFormula, values: Mapping[str, Sequence[Value]], count: int
) -> tuple[Sequence[Value], Sequence[Value | None], Sequence[Value | None]]:
    """`evaluate` for `count` cells at once: code → its values in; values, numerators and denominators out."""
    top = formula.expression
    if not (isinstance(top, Binary) and top.operator == "/"):
        nothing = [None] * count
        return _evaluate(top, values, count), nothing, nothing
    numerator, denominator = _evaluate(top.left, values, count), _evaluate(top.right, values, count)
    return _combine("/", numerator, denominator), numerator, denominator


def _tokens(text: str) -> tuple[_Token, ...]:
    if not text.strip():
        raise FormulaError(gettext_noop("The formula is empty. Write one such as won_deals / closed_deals."), 1)
    if len(text) > MAX_LENGTH:
        raise FormulaError(
            gettext_noop("The formula is longer than %(limit)s characters. Split it into several metrics."),
            MAX_LENGTH + 1,
            limit=MAX_LENGTH,
        )
    tokens: list[_Token] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            at = place + len(text[place:]) - len(text[place:].lstrip())
            raise _unexpected(text[at], at + 1)
        kind = ("number", "name", "sign")[(match.lastindex or 1) - 1]
        token = _Token(kind, match.group(match.lastindex or 1), match.start(match.lastindex or 1) + 1)
        if token.text in {"**", "//"}:
            raise _unexpected(token.text, token.position)
        tokens.append(token)
        place = match.end()
    _check_size(tokens)
    return tuple(tokens)


def _check_size(tokens: list[_Token]) -> None:
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth > MAX_DEPTH:
            raise _too_big(token.position)
        if token.kind == "number" and len(token.text) > MAX_DIGITS:
            raise FormulaError(
                gettext_noop(
                    "The number at position %(position)s has more than %(limit)s digits. Write a shorter one."
                ),
                token.position,
                limit=MAX_DIGITS,
            )
    if len(tokens) > MAX_TOKENS:
        raise _too_big(tokens[MAX_TOKENS].position)
    for left, right in pairwise(tokens):
        if left.kind == right.kind == "number":
            raise _unexpected(right.text, right.position)


def _unexpected(text: str, position: int) -> FormulaError:
    return FormulaError(
        gettext_noop("%(text)s at position %(position)s is not available. Use + - * /, min, max, abs, round and if."),
        position,
        text=text,
    )


def _too_big(position: int) -> FormulaError:
    return FormulaError(
        gettext_noop("The formula is too large at position %(position)s. Split it into several metrics."), position
    )


def _original_position(source: str, tokens: tuple[_Token, ...], offset: int) -> int:
    """The position in the user's text of a 1-based offset in the rewritten source."""
    index = source[: offset - 1].count(" ")
    return tokens[min(index, len(tokens) - 1)].position


class _Reader:
    """Turns Python's tree into ours and refuses everything that is not on the list."""

    def __init__(self, source: str, tokens: tuple[_Token, ...]) -> None:
        self.source = source
        self.tokens = tokens
        self.names: list[str] = []

    def position(self, node: ast.expr) -> int:
        return _original_position(self.source, self.tokens, node.col_offset + 1)

    def read(self, node: ast.expr, depth: int) -> Expression:
        if depth > MAX_DEPTH:
            raise _too_big(self.position(node))
        match node:
            case ast.Name(id=name):
                return self._read_name(name, node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Negative(self.read(operand, depth + 1))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand, depth + 1)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATORS:
                return Binary(_OPERATORS[type(operator)], self.read(left, depth + 1), self.read(right, depth + 1))
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                return self._read_call(function.removeprefix("v_"), arguments, node, depth)
            case ast.Compare():
                raise FormulaError(
                    gettext_noop("The comparison at position %(position)s may only be the first part of if(…, …, …)."),
                    self.position(node),
                )
            case _:
                raise _unexpected(self._text(node), self.position(node))

    def _text(self, node: ast.expr) -> str:
        return next((t.text for t in self.tokens if t.position == self.position(node)), "")

    def _read_name(self, name: str, node: ast.expr) -> Expression:
        if not name.startswith("v_"):
            return Number(Decimal(self.tokens[int(name[1:])].text))
        code = name.removeprefix("v_")
        if code in RESERVED_NAMES:
            raise FormulaError(
                gettext_noop("%(name)s at position %(position)s is a function. Write it with brackets."),
                self.position(node),
                name=code,
            )
        self.names.append(code)
        return Name(code)

    def _read_call(self, function: str, arguments: list[ast.expr], node: ast.expr, depth: int) -> Expression:
        if function == "if":
            return self._read_choice(arguments, node, depth)
        wanted = {"min": (1, 20), "max": (1, 20), "abs": (1, 1), "round": (1, 2)}.get(function)
        if wanted is None:
            raise FormulaError(
                gettext_noop("There is no function %(name)s (position %(position)s). Use min, max, abs, round or if."),
                self.position(node),
                name=function,
            )
        if not wanted[0] <= len(arguments) <= wanted[1]:
            raise self._wrong_count(function, node)
        read = tuple(self.read(argument, depth + 1) for argument in arguments)
        if function == "round" and len(read) == 2 and not _is_digit_count(read[1]):
            raise FormulaError(
                gettext_noop("round at position %(position)s takes a whole number of decimals from 0 to 10."),
                self.position(node),
            )
        return Call(function, read)

    def _read_choice(self, arguments: list[ast.expr], node: ast.expr, depth: int) -> Expression:
        if len(arguments) != 3:
            raise self._wrong_count("if", node)
        condition, then, otherwise = arguments
        if not (isinstance(condition, ast.Compare) and len(condition.ops) == 1):
            raise FormulaError(
                gettext_noop("if at position %(position)s needs one comparison first, such as if(a > 0, b / a, 0)."),
                self.position(node),
            )
        operator = _COMPARISONS.get(type(condition.ops[0]))
        if operator is None:
            raise _unexpected(self._text(condition), self.position(condition))
        return Choice(
            operator,
            self.read(condition.left, depth + 1),
            self.read(condition.comparators[0], depth + 1),
            self.read(then, depth + 1),
            self.read(otherwise, depth + 1),
        )

    def _wrong_count(self, function: str, node: ast.expr) -> FormulaError:
        return FormulaError(
            gettext_noop("%(name)s at position %(position)s has the wrong number of parts between its brackets."),
            self.position(node),
            name=function,
        )


def _is_digit_count(expression: Expression) -> bool:
    return isinstance(expression, Number) and expression.value == int(expression.value) and expression.value <= 10


def _evaluate(expression: Expression, values: Mapping[str, Sequence[Value]], count: int) -> Sequence[Value]:
    match expression:
        case Number(value):
            return [value] * count
        case Name(code):
            return values[code] if code in values else [Absence.MISSING] * count
        case Negative(operand):
            return [
                each if isinstance(each, Absence) else each.copy_negate() for each in _evaluate(operand, values, count)
            ]
        case Binary(operator, left, right):
            return _combine(operator, _evaluate(left, values, count), _evaluate(right, values, count))
        case Call(function, arguments):
            sides = [_evaluate(argument, values, count) for argument in arguments]
            return [_call(function, each) for each in zip(*sides, strict=True)]
        case Choice(operator, left, right, then, otherwise):
            sides = [_evaluate(each, values, count) for each in (left, right, then, otherwise)]
            return [_choose(operator, *each) for each in zip(*sides, strict=True)]
        case _:
            assert_never(expression)


def _combine(operator: str, lefts: Sequence[Value], rights: Sequence[Value]) -> list[Value]:
    """One operation over pairs; an absence passes through, the left one first."""
    operation, is_division = _OPERATIONS[operator], operator == "/"
    found: list[Value] = []
    for left, right in zip(lefts, rights, strict=True):
        if isinstance(left, Absence):
            found.append(left)
        elif isinstance(right, Absence):
            found.append(right)
        elif is_division and not right:
            found.append(Absence.NO_DENOMINATOR)
        else:
            try:
                result = operation(left, right)
            except DecimalException:
                found.append(Absence.ERROR)
            else:
                found.append(result if _LEAST <= result <= LARGEST else Absence.ERROR)
    return found


def _choose(operator: str, left: Value, right: Value, then: Value, otherwise: Value) -> Value:
    holds = _compare(operator, left, right)
    return holds if isinstance(holds, Absence) else then if holds else otherwise


def _compare(operator: str, left: Value, right: Value) -> bool | Absence:
    if isinstance(left, Absence):
        return left
    if isinstance(right, Absence):
        return right
    order = (left > right) - (left < right)
    return order in {"<": {-1}, "<=": {-1, 0}, ">": {1}, ">=": {0, 1}, "==": {0}, "!=": {-1, 1}}[operator]


def _call(function: str, arguments: Sequence[Value]) -> Value:
    numbers: list[Decimal] = []
    for argument in arguments:
        if isinstance(argument, Absence):
            return argument
        numbers.append(argument)
    match function:
        case "min":
            return min(numbers)
        case "max":
            return max(numbers)
        case "abs":
            return numbers[0].copy_abs()
        case _:
            return _round(numbers[0], int(numbers[1]) if len(numbers) == 2 else 0)


def _round(number: Decimal, digits: int) -> Decimal:
    """Half away from zero. A number that has no more decimals stays: padded it might not fit the precision."""
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "every value is finite"
    return number if exponent >= -digits else number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _CONTEXT)
