"""The calculation graph: a computable order, and every circle and unknown name reported."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.graph import calculation_order, needed

CODES = "abcdef"


class TestCalculationOrder:
    @given(st.dictionaries(st.sampled_from(CODES), st.lists(st.sampled_from(CODES), max_size=4)))
    def test_every_code_follows_what_it_names_or_there_is_an_issue(self, references: dict[str, list[str]]) -> None:
        result = calculation_order(references)
        assert sorted(result.codes) == sorted(references)
        in_order = all(
            result.codes.index(name) < result.codes.index(code)
            for code, named in references.items()
            for name in named
            if name in references
        )
        assert in_order != any(issue.code == "cycle" for issue in result.issues)

    def test_names_the_circle(self) -> None:
        (issue,) = calculation_order({"a": ["b"], "b": ["c"], "c": ["a"]}).issues
        circle = str(dict(issue.params)["cycle"]).split(" → ")
        assert circle[0] == circle[-1]
        assert set(circle) == {"a", "b", "c"}
        assert all((x, y) in {("a", "b"), ("b", "c"), ("c", "a")} for x, y in pairwise(circle))

    def test_a_code_that_names_itself(self) -> None:
        assert [issue.field for issue in calculation_order({"a": ["a"]}).issues] == ["a"]

    def test_two_circles_are_two_issues(self) -> None:
        result = calculation_order({"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]})
        assert len(result.issues) == 2

    def test_unknown_code_once_per_formula(self) -> None:
        (issue,) = calculation_order({"win_rate": ["won", "won"]}).issues
        assert (issue.field, issue.code) == ("win_rate", "unknown_code")
        assert "won" in issue.message


class TestNeeded:
    def test_reaches_through_circles_and_unknown_codes(self) -> None:
        assert needed({"a": ["b"], "b": ["a", "x"]}, ["a"]) == {"a", "b", "x"}
