"""Formulas against a second evaluator, and hundreds of inputs that were made to do harm."""

import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.formula import LARGEST, FormulaError, evaluate, parse_formula
from kpis.engine.values import Absence, Value

CODES = ("a", "b", "c", "class")
COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": Decimal.__lt__,
    "<=": Decimal.__le__,
    ">": Decimal.__gt__,
    ">=": Decimal.__ge__,
    "==": Decimal.__eq__,
    "!=": Decimal.__ne__,
}


class Gone(Exception):
    """The oracle met an absence."""

    def __init__(self, absence: Absence) -> None:
        self.absence = absence


@dataclass(frozen=True)
class Told:
    """An expression as text, and what it is worth for given values. Raises Gone."""

    text: str
    worth: Callable[[dict[str, Value]], Decimal]


def named(code: str) -> Told:
    def worth(values: dict[str, Value]) -> Decimal:
        value = values.get(code, Absence.MISSING)
        if isinstance(value, Absence):
            raise Gone(value)
        return value

    return Told(code, worth)


def number(text: str) -> Told:
    return Told(text, lambda _values: Decimal(text))


def bounded(value: Decimal) -> Decimal:
    if abs(value) > LARGEST:
        raise Gone(Absence.ERROR)
    return value


def combined(left: Told, sign: str, right: Told) -> Told:
    def worth(values: dict[str, Value]) -> Decimal:
        one, other = left.worth(values), right.worth(values)
        if sign == "/":
            if other == 0:
                raise Gone(Absence.NO_DENOMINATOR)
            return bounded(one / other)
        return bounded(one + other if sign == "+" else one - other if sign == "-" else one * other)

    return Told(f"({left.text} {sign} {right.text})", worth)


def called(function: str, parts: list[Told]) -> Told:
    def worth(values: dict[str, Value]) -> Decimal:
        numbers = [part.worth(values) for part in parts]
        return min(numbers) if function == "min" else max(numbers)

    return Told(f"{function}({', '.join(part.text for part in parts)})", worth)


def rounded(part: Told, digits: int) -> Told:
    def worth(values: dict[str, Value]) -> Decimal:
        with localcontext() as context:
            context.prec = 60
            return part.worth(values).quantize(Decimal(10) ** -digits, ROUND_HALF_UP)

    return Told(f"round({part.text}, {digits})", worth)


def chosen(sign: str, left: Told, right: Told, then: Told, otherwise: Told) -> Told:
    def worth(values: dict[str, Value]) -> Decimal:
        holds = COMPARISONS[sign](left.worth(values), right.worth(values))
        return (then if holds else otherwise).worth(values)

    return Told(f"if({left.text} {sign} {right.text}, {then.text}, {otherwise.text})", worth)


def larger(parts: st.SearchStrategy[Told]) -> st.SearchStrategy[Told]:
    return st.one_of(
        st.builds(combined, parts, st.sampled_from("+-*/"), parts),
        st.builds(lambda part: Told(f"-{part.text}", lambda values: part.worth(values).copy_negate()), parts),
        st.builds(lambda part: Told(f"abs({part.text})", lambda values: part.worth(values).copy_abs()), parts),
        st.builds(called, st.sampled_from(["min", "max"]), st.lists(parts, min_size=1, max_size=3)),
        st.builds(rounded, parts, st.integers(0, 10)),
        st.builds(chosen, st.sampled_from(sorted(COMPARISONS)), parts, parts, parts, parts),
    )


literals = st.from_regex(r"(0|[1-9][0-9]{0,8})(\.[0-9]{1,4})?", fullmatch=True).map(number)
formulas = st.recursive(st.sampled_from(CODES).map(named) | literals, larger, max_leaves=12)
amounts = st.decimals(-LARGEST, LARGEST, allow_nan=False, allow_infinity=False, places=4) | st.sampled_from(
    [Decimal(0), Decimal("0.1"), LARGEST, -LARGEST, Decimal("333333333333333333333333.3333333333")]
)


def second_opinion(formula: Told, values: dict[str, Value]) -> Value:
    with localcontext() as context:
        context.prec, context.rounding = 34, ROUND_HALF_UP
        context.traps[InvalidOperation] = context.traps[DivisionByZero] = context.traps[Overflow] = True
        try:
            return formula.worth(values)
        except Gone as gone:
            return gone.absence


@given(formulas, st.dictionaries(st.sampled_from(CODES), amounts | st.sampled_from(list(Absence)), max_size=4))
def test_agrees_with_a_second_evaluator(formula: Told, values: dict[str, Value]) -> None:
    assert evaluate(parse_formula(formula.text), values).value == second_opinion(formula, values)


def hostile_inputs() -> Iterator[str]:
    """Code that would run, names that would be reached, sizes that would not end, characters that look like others."""
    reached = ["__import__('os')", "open('x')", "exec('1')", "eval('1')", "globals()", "().__class__", "a.__class__"]
    reached += ["[].append(1)", "lambda: 1", "f'{a}'", "`a`", "a;b", "a=1", "a:=1", "@a", "$a", "#a", "a\\b", "a?b:c"]
    around = ["{}", "a + {}", "min({}, 1)", "if({} > 1, 1, 2)", "if(a > {}, 1, 2)", "-{}", "round({}, 2)", "{} / a"]
    yield from (shape.format(each) for each, shape in product(reached, around))
    for size in (61, 100, 400, 1_000, 10_000, 1_000_000):
        for part, end in (
            ("(", ")"),
            ("-(", ")"),
            ("min(", ")"),
            ("abs(", ")"),
            ("if(a>1,", ",1)"),
            ("[", "]"),
            ("{", "}"),
        ):
            yield part * size + "1" + end * size
        for unit in (
            "+1",
            "*9",
            "-a",
            "/b",
            ",1",
            " ",
            "\t",
            "\n",
            "9",
            "a",
            "_",
            "**9",
            "//9",
            "<1",
            "==1",
            "é",
            "１",
            "\x00",
        ):
            yield "a" + unit * (size if size > 400 else size * 17)
        yield "9" * size if size > 20 else "9" * 21
        yield "1e" + "9" * size
        yield "0x" + "f" * size
        yield "9" + "**9" * size
        yield "min(" + ",".join("1" * size) + ")"
    for look_alike in "＋－＊／（），．＜＞＝！−×÷٫٬\u202e\u200b\u200d\ufeff\ud800\u0130ªº²½Ⅷ":
        yield f"a {look_alike} b"
        yield f"{look_alike}a"


HOSTILE = list(hostile_inputs())
CHUNKS = 20


def test_there_are_hundreds_of_them() -> None:
    assert len(set(HOSTILE)) >= 300


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_each_is_refused_at_once_and_in_little_memory(chunk: int) -> None:
    """In processor time, which does not grow with what else the machine does; the best of three."""
    for hostile in HOSTILE[chunk::CHUNKS]:
        taken = []
        for _attempt in range(3):
            begun = time.process_time()
            with pytest.raises(FormulaError):
                parse_formula(hostile)
            taken.append(time.process_time() - begun)
        tracemalloc.start()
        try:
            with pytest.raises(FormulaError):
                parse_formula(hostile)
            _now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (min(taken) < 0.05, peak < 20_000_000) == (True, True), (hostile[:80], min(taken), peak)
