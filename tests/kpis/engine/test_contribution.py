"""The gap of a number over its leaves: whatever the formula and the numbers, the parts add up to it."""

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.apportion import apportion
from kpis.engine.contribution import Explanation, Method, Numbers, explain, names_of
from kpis.engine.formula import Binary, CompiledFormula, Expression, Name, Negative, evaluate, parse_formula
from kpis.engine.formula import Number as Literal
from kpis.engine.levers import needed_value
from kpis.engine.values import Absence, Value

CODES = [f"k{index}" for index in range(8)]
amounts = st.decimals(-(10**7), 10**7, places=2)
positive = st.decimals("0.01", 10**7, places=2)


def formulas(codes: list[str]) -> st.SearchStrategy[Expression]:
    """Random nested formulas of + − × ÷ over the codes."""
    leaves = st.sampled_from(codes).map(Name) | st.just(Literal(Decimal(2)))
    return st.recursive(
        leaves,
        lambda inner: st.builds(Binary, st.sampled_from("+-*/"), inner, inner) | st.builds(Negative, inner),
        max_leaves=7,
    )


def tell(expression: Expression, values: Mapping[str, Value]) -> Value:
    return evaluate(CompiledFormula("", expression, ()), values).value


def of(actual: str, target: str | None) -> Numbers:
    return Numbers(Decimal(actual), None if target is None else Decimal(target))


def amounts_of(found: Explanation | None) -> dict[str, Decimal]:
    assert found is not None
    return {share.code: round(share.amount, 6) for share in found.shares}


def explain_text(text: str, **numbers: Numbers) -> Explanation:
    found = explain("goal", {"goal": parse_formula(text).expression}, numbers)
    assert found is not None
    return found


class TestAddsUp:
    @given(formulas(CODES[:4]), formulas(CODES[4:]), st.data())
    def test_whatever_the_formulas_and_numbers(self, top: Expression, below: Expression, data: st.DataObject) -> None:
        values = amounts | st.just(Decimal(0)) | positive
        numbers = {
            code: Numbers(data.draw(values | st.just(Absence.MISSING)), data.draw(values | st.none()))
            for code in ("goal", *CODES)
        }
        found = explain("goal", {"goal": top, CODES[0]: below}, numbers)
        if not numbers["goal"].is_told:
            assert found is None
            return
        assert found is not None
        assert found.gap == numbers["goal"].gap
        parts = [*(share.amount for share in found.shares), found.not_explained]
        assert abs(sum(parts) - found.gap) <= Decimal("1e-15") * max(1, *(abs(part) for part in parts))
        assert sum(apportion(parts)) == found.gap.to_integral_value("ROUND_HALF_UP")

    @given(formulas(CODES[:5]), st.data())
    def test_nothing_is_left_over_where_everything_is_planned(self, top: Expression, data: st.DataObject) -> None:
        values = data.draw(st.sampled_from([positive, amounts, positive | st.just(Decimal(0))]))
        actuals: dict[str, Value] = {code: data.draw(values) for code in CODES[:5]}
        targets: dict[str, Value] = {code: data.draw(values) for code in CODES[:5]}
        actual, target = tell(top, actuals), tell(top, targets)
        if isinstance(actual, Absence) or isinstance(target, Absence):
            return
        numbers = {code: Numbers(actuals[code], targets[code]) for code in CODES[:5]}  # type: ignore[arg-type]
        found = explain("goal", {"goal": top}, {"goal": Numbers(actual, target), **numbers})
        assert found is not None
        if all(not isinstance(_divided(top, each), Absence) for each in (actuals, targets)):
            largest = max([abs(found.gap), *(abs(share.amount) for share in found.shares)], default=Decimal(0))
            assert abs(found.not_explained) <= Decimal("1e-12") * max(1, largest)

    @given(st.lists(amounts, min_size=1, max_size=12), st.sampled_from(["1", "0.01", "1000"]))
    def test_whole_units_add_up_and_move_by_less_than_one(self, parts: list[Decimal], step: str) -> None:
        rounded = apportion(parts, Decimal(step))
        units = sum(parts) / Decimal(step)
        assert sum(rounded) / Decimal(step) == units.to_integral_value("ROUND_HALF_UP")
        assert all(abs(after - before) < Decimal(step) for after, before in zip(rounded, parts, strict=True))


def _divided(expression: Expression, values: Mapping[str, Value]) -> Value:
    """The reciprocals of all divisors, so that none of them is zero; an absence where one is."""
    product: Expression = Literal(Decimal(1))
    waiting = [expression]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Negative):
            waiting.append(each.operand)
        if isinstance(each, Binary):
            waiting += [each.left, each.right]
            if each.operator == "/":
                product = Binary("+", product, Binary("/", Literal(Decimal(1)), each.right))
    return tell(product, values)


class TestMethods:
    def test_sums_and_differences_are_exact(self) -> None:
        found = explain_text(
            "new + old - lost", goal=of("70", "100"), new=of("50", "60"), old=of("40", "50"), lost=of("20", "10")
        )
        assert amounts_of(found) == {"new": -10, "old": -10, "lost": -10}
        assert {share.method for share in found.shares} == {Method.DIFFERENCE}
        assert found.not_explained == 0

    def test_products_and_ratios_take_the_logarithmic_mean(self) -> None:
        found = explain_text(
            "won * size / days", goal=of("40", "100"), won=of("8", "10"), size=of("100", "100"), days=of("20", "10")
        )
        amounts = amounts_of(found)
        assert amounts["size"] == 0
        # L(40, 100) = 65.4815…, times ln 0.8 and −ln 2.
        assert (round(amounts["won"], 3), round(amounts["days"], 3)) == (Decimal("-14.612"), Decimal("-45.388"))
        assert {share.method for share in found.shares} == {Method.LOG_MEAN}

    def test_zero_and_negative_factors_take_shapley_over_the_direct_factors(self) -> None:
        found = explain_text("won * size", goal=of("0", "1000"), won=of("0", "10"), size=of("120", "100"))
        assert amounts_of(found) == {"won": -1100, "size": 100}
        assert {share.method for share in found.shares} == {Method.SHAPLEY}
        found = explain_text("a * b * c", goal=of("-6", "0"), a=of("1", "0"), b=of("2", "0"), c=of("-3", "0"))
        assert amounts_of(found) == {"a": -2, "b": -2, "c": -2}

    def test_a_formula_below_hands_the_weight_down(self) -> None:
        formulas = {"goal": parse_formula("won * size").expression, "won": parse_formula("east + west").expression}
        numbers = {"goal": of("800", "1000"), "won": of("8", "10"), "size": of("100", "100")}
        found = explain("goal", formulas, {**numbers, "east": of("5", "5"), "west": of("3", "5")})
        assert amounts_of(found) == {"east": 0, "west": -200, "size": 0}

    def test_a_code_that_stands_twice_has_one_share(self) -> None:
        assert amounts_of(explain_text("a + a", goal=of("2", "6"), a=of("1", "3"))) == {"a": -4}


class TestNotExplained:
    def test_what_nobody_planned(self) -> None:
        found = explain_text("new + old", goal=of("70", "100"), new=of("30", "50"), old=of("40", None))
        assert amounts_of(found) == {"new": -20}
        assert found.not_explained == -10

    def test_a_factor_without_target_takes_nothing_from_the_others(self) -> None:
        found = explain_text("won * size", goal=of("800", "1000"), won=of("8", "10"), size=of("100", None))
        assert amounts_of(found) == {"won": -200}

    def test_a_plan_that_does_not_fit_together(self) -> None:
        found = explain_text("won * size", goal=of("900", "1000"), won=of("9", "9"), size=of("100", "100"))
        assert amounts_of(found) == {"won": 0, "size": 0}
        assert found.not_explained == -100

    def test_a_number_that_cannot_be_told(self) -> None:
        numbers = {"goal": of("70", "100"), "new": Numbers(Absence.MISSING, Decimal(50)), "old": of("40", "50")}
        found = explain("goal", {"goal": parse_formula("new + old").expression}, numbers)
        assert amounts_of(found) == {"old": -10}

    def test_an_average_without_cases_leaves_the_others_their_shares(self) -> None:
        numbers = {"won": of("0", "10"), "size": Numbers(Absence.NO_DENOMINATOR, Decimal(100))}
        found = explain_text("won * size", goal=of("0", "1000"), **numbers)
        assert amounts_of(found) == {"won": -1000}
        assert found.not_explained == 0

    def test_a_part_of_which_nothing_is_planned_stays_whole(self) -> None:
        formulas = {"goal": parse_formula("won + gifts").expression, "won": parse_formula("east + west").expression}
        numbers = {"goal": of("8", "10"), "won": of("8", "10"), "gifts": of("0", "0"), "east": of("5", None)}
        assert amounts_of(explain("goal", formulas, numbers)) == {"won": -2, "gifts": 0}

    def test_without_a_target_there_is_no_gap(self) -> None:
        assert explain("goal", {}, {"goal": of("8", None)}) is None

    def test_what_is_chosen_or_cut_is_not_taken_apart(self) -> None:
        found = explain_text("max(a, b) + a", goal=of("2", "6"), a=of("1", "3"), b=of("0", "0"))
        assert amounts_of(found) == {"a": -2}
        assert found.not_explained == -2


class TestNeededValue:
    @given(formulas(CODES[:5]), st.data())
    def test_reaches_the_goal(self, top: Expression, data: st.DataObject) -> None:
        actuals: dict[str, Value] = {code: data.draw(positive) for code in CODES[:5]}
        goal = data.draw(positive)
        for leaf in dict.fromkeys(names_of(top)):
            needed = needed_value("goal", leaf, {"goal": top}, actuals, goal)
            if needed is None:
                continue
            reached = tell(top, {**actuals, leaf: needed})
            # A divisor may leave nothing of the leaf in 28 digits.
            assert isinstance(reached, Absence) or abs(reached - goal) <= Decimal("1e-3") * max(1, goal)

    @pytest.mark.parametrize(
        ("text", "leaf", "needed"),
        [
            ("a + b", "a", 7),
            ("a - b", "b", -7),
            ("a * b", "a", 5),
            ("b / a", "a", Decimal("0.2")),
            ("-a", "a", -10),
            ("a * a", "a", None),
            ("z * a", "a", None),
            ("max(a, b)", "a", None),
            ("gone + a", "a", None),
        ],
    )
    def test_of_one_lever(self, text: str, leaf: str, needed: object) -> None:
        actuals: dict[str, Value] = {"a": Decimal(3), "b": Decimal(2), "z": Decimal(0), "gone": Absence.MISSING}
        if text.startswith("a + b"):
            actuals["b"] = Decimal(3)
        expected = Decimal(10)
        found = needed_value("goal", leaf, {"goal": parse_formula(text).expression}, actuals, expected)
        assert found == needed
