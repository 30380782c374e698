"""A column of members says what each member's own cell says."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.cells import COUNT, RATE_MISSING, Cell, formula_cell, ratio_cell, simple_cell
from kpis.engine.columns import Column, formula_column, judged, ratio_column, simple_column
from kpis.engine.formula import parse_formula
from kpis.engine.specs import Simple, measure_key
from kpis.engine.status import StatusInput, achievement, judge
from kpis.engine.values import Absence

numbers = st.decimals(-1000, 1000, places=2) | st.just(Decimal(0))
values = numbers | st.sampled_from(Absence)
terms = st.builds(
    Simple,
    st.just("deals"),
    st.just("closed_on"),
    st.sampled_from(["count", "sum", "average", "median", "distinct"]),
    field=st.just("amount"),
    min_count=st.none() | st.integers(0, 3),
)


@st.composite
def measures_of(draw: st.DrawFn, term: Simple) -> dict[str, Decimal] | None:
    key = measure_key(term)
    stored = {suffix: draw(st.none() | st.integers(0, 3).map(Decimal)) for suffix in ("", COUNT, RATE_MISSING)}
    found = {key + suffix: value for suffix, value in stored.items() if value is not None}
    return draw(st.sampled_from([found, None]))


@given(st.data(), terms, st.booleans())
def test_simple(data: st.DataObject, term: Simple, is_covered: bool) -> None:
    measures = data.draw(st.lists(measures_of(term), max_size=4))
    expected = [simple_cell(term, each or {}, is_covered=is_covered) for each in measures]
    stored: dict[str, dict[int, Decimal]] = {}
    for member, each in enumerate(measures):
        for key, value in (each or {}).items():
            stored.setdefault(key, {})[member] = value
    assert simple_column(term, stored, range(len(measures)), is_covered=is_covered).cells() == expected


@given(st.lists(st.tuples(values, values), max_size=5))
def test_ratio_and_formula(pairs: list[tuple]) -> None:
    cells = [(Cell(top), Cell(bottom)) for top, bottom in pairs]
    sides = [Column.of(each) for each in zip(*cells, strict=True)] or [Column.of([]), Column.of([])]
    assert ratio_column(*sides).cells() == [ratio_cell(*each) for each in cells]
    for text in ("a / b", "if(a < b, a + 1, -b) * 2", "max(a, b) - missing_code"):
        formula = parse_formula(text)
        expected = [formula_cell(formula, {"a": top, "b": bottom}) for top, bottom in pairs]
        assert formula_column(formula, dict(zip("ab", sides, strict=True)), len(pairs)).cells() == expected


@given(
    st.sampled_from(["open", "provisional", "closed"]),
    st.sampled_from(["sum", "rate"]),
    st.sampled_from(["up", "down", "range"]),
    st.integers(0, 3),
    st.lists(st.tuples(values, st.none() | numbers, st.none() | numbers), max_size=5),
)
def test_judged(state: str, accumulation: str, direction: str, elapsed: int, cells: list[tuple]) -> None:
    period = StatusInput(state, accumulation, direction, elapsed=elapsed, total=3)
    lines = [list(each) for each in zip(*cells, strict=True)] or [[], [], []]
    reached, statuses = judged(period, *lines)
    assert reached == [achievement(value, aim, direction, high) for value, aim, high in cells]
    assert statuses == [
        judge(StatusInput(state, accumulation, direction, value, aim, high, elapsed=elapsed, total=3))
        for value, aim, high in cells
    ]
