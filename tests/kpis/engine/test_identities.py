"""What a counted number is made of, proven by the definitions."""

from dataclasses import replace

from kpis.engine.contribution import names_of
from kpis.engine.formula import parse_formula
from kpis.engine.identities import Described, axes, formulas_for, is_off_date, result_axis
from kpis.engine.specs import Filter, Formula, Manual, Ratio, Simple

WON = Simple("deals", "closed_on", "count", filters=(Filter("outcome", "in", ("won",)),))
SALES = replace(WON, aggregate="sum", field="amount")
CREATED = Simple("deals", "created_on", "count")
MQL, SQL = Simple("leads", "mql_on", "count"), Simple("leads", "sql_on", "count")
METRICS = {
    "bookings": Described(SALES, "amount", "sum"),
    "won": Described(WON, "count", "sum"),
    "closed": Described(Simple("deals", "closed_on", "count"), "count", "sum"),
    "created": Described(CREATED, "count", "sum"),
    "win_rate": Described(Formula("won / closed"), "percent", "rate"),
    "yield": Described(Formula("won / created"), "percent", "rate"),
    "size": Described(Formula("bookings / won"), "amount", "average"),
    "opportunity_rate": Described(Ratio(SQL, MQL), "percent", "rate"),
    "reviews": Described(Manual(), "percent", "rate"),
}


def factors(found: dict, code: str) -> list[str]:
    return list(names_of(found[code])) if code in found else []


class TestProducts:
    def test_finds_the_finest_product_of_planned_numbers(self) -> None:
        found = formulas_for("bookings", METRICS, list(METRICS), planned=METRICS)
        assert factors(found, "bookings") == ["closed", "win_rate", "size"]
        assert set(found) == {"bookings"}

    def test_prefers_what_is_planned(self) -> None:
        found = formulas_for("bookings", METRICS, list(METRICS), planned=["won", "size"])
        assert factors(found, "bookings") == ["won", "size"]

    def test_prefers_numbers_of_one_date(self) -> None:
        found = formulas_for("bookings", METRICS, ["created", "yield", "won", "size"], planned=METRICS)
        assert factors(found, "bookings") == ["won", "size"]
        found = formulas_for("bookings", METRICS, ["created", "yield", "size"], planned=METRICS)
        assert factors(found, "bookings") == ["created", "yield", "size"]

    def test_an_average_is_a_sum_per_case(self) -> None:
        metrics = METRICS | {"size": Described(replace(SALES, aggregate="average"), "amount", "average")}
        assert factors(formulas_for("bookings", metrics, ["won", "size"], planned=metrics), "bookings") == [
            "won",
            "size",
        ]

    def test_other_filters_make_another_number(self) -> None:
        lost = replace(WON, filters=(Filter("outcome", "in", ("lost",)),))
        metrics = METRICS | {
            "won": Described(lost, "count", "sum"),
            "size": Described(replace(SALES, aggregate="average"), "amount", "average"),
        }
        assert formulas_for("bookings", metrics, ["won", "size"], planned=metrics) == {}

    def test_nothing_is_made_up(self) -> None:
        assert formulas_for("bookings", METRICS, ["win_rate", "reviews"], planned=METRICS) == {}


class TestFormulas:
    def test_a_formula_is_taken_as_it_stands(self) -> None:
        metrics = METRICS | {"sales": Described(Formula("won * size"), "amount", "sum")}
        found = formulas_for("sales", metrics, [], planned=metrics)
        assert found == {"sales": parse_formula("won * size").expression}

    def test_its_volumes_are_taken_apart_further_and_its_rates_are_not(self) -> None:
        metrics = METRICS | {"sales": Described(Formula("won * size"), "amount", "sum")}
        found = formulas_for("sales", metrics, ["closed", "win_rate", "size"], planned=metrics)
        assert factors(found, "won") == ["closed", "win_rate"]
        assert set(found) == {"sales", "won"}

    def test_a_rate_of_rates_is_taken_apart(self) -> None:
        metrics = METRICS | {
            "through": Described(Formula("opportunity_rate * win_rate"), "percent", "rate"),
            "sales": Described(Formula("created * through"), "count", "sum"),
        }
        assert factors(formulas_for("sales", metrics, []), "through") == ["opportunity_rate", "win_rate"]

    def test_a_rate_as_goal_is_taken_apart(self) -> None:
        assert factors(formulas_for("win_rate", METRICS, []), "win_rate") == ["won", "closed"]

    def test_the_tree_may_say_what_a_number_adds_up_from(self) -> None:
        found = formulas_for("bookings", METRICS, [], summands=["new", "existing"])
        assert factors(found, "bookings") == ["new", "existing"]


class TestDates:
    def test_axes_are_followed_through_formulas(self) -> None:
        assert axes("yield", METRICS) == {"deals.closed_on", "deals.created_on"}
        assert result_axis("yield", METRICS) == "deals.closed_on"

    def test_an_earlier_number_is_off_date(self) -> None:
        off = {code for code in METRICS if is_off_date(code, "deals.closed_on", METRICS)}
        assert off == {"created", "yield", "opportunity_rate"}
