"""Validation of trees: hierarchy, reach, formulas, units, links, and the load of persons."""

from dataclasses import replace

import pytest

from kpis.engine.tree import TreeInput, TreeNode, blocking, keeping_from_use, tree_issues

KGI = TreeNode("bookings", "kgi", None, "bookings", has_responsible=True, has_target=True)
KSF = TreeNode("growth", "ksf", "bookings", reason="Nothing grows by itself.")
KPI = TreeNode("win_rate", "kpi", "growth", "win_rate", has_responsible=True, has_target=True)
REFERENCES = {"bookings": (), "win_rate": ("won", "closed"), "won": (), "closed": ()}


def found(*nodes: TreeNode, references: dict[str, tuple[str, ...]] | None = None) -> list[tuple[str, str]]:
    return [(issue.field, issue.code) for issue in tree_issues(TreeInput(nodes, references or REFERENCES))]


class TestTreeIssues:
    def test_a_sound_tree_has_none(self) -> None:
        assert found(KGI, KSF, KPI, replace(KPI, code="won", metric="won", parent="win_rate", link="formula")) == []

    @pytest.mark.parametrize(
        ("nodes", "issues"),
        [
            ((), [("", "no_kgi")]),
            ((KGI,), [("bookings", "no_ksf")]),
            ((KGI, replace(KGI, code="revenue"), KSF, KPI), [("revenue", "second_kgi")]),
            ((KGI, replace(KSF, reason=" "), KPI), [("growth", "no_reason")]),
            ((KGI, KSF), [("growth", "no_kpi")]),
            ((KGI, KSF, KPI, replace(KPI, code="x", parent=None)), [("x", "no_parent")]),
            ((KGI, KSF, KPI, replace(KPI, code="x", parent="y")), [("x", "unknown_parent")]),
            ((KGI, KSF, KPI, replace(KPI, code="x", parent="bookings")), [("x", "wrong_parent")]),
            ((KGI, KSF, KPI, replace(KPI, code="x", parent="x")), [("x", "parent_cycle")]),
            ((KGI, KSF, replace(KPI, metric=None)), [("win_rate", "no_metric")]),
            ((KGI, KSF, replace(KPI, metric="gone")), [("win_rate", "unknown_metric")]),
            ((KGI, KSF, replace(KPI, has_responsible=False)), [("win_rate", "no_responsible")]),
            ((KGI, KSF, replace(KPI, has_target=False)), [("win_rate", "no_target")]),
            ((KGI, KSF, replace(KPI, has_source=False)), [("win_rate", "no_source")]),
            (
                (KGI, KSF, KPI, replace(KPI, code="x", parent=None), replace(KPI, code="y", parent="x")),
                [("x", "no_parent"), ("y", "unreachable")],
            ),
            (
                (KGI, KSF, KPI, *(replace(KPI, code=a, parent=b) for a, b in ("xy", "yx", "zx"))),
                [("x", "parent_cycle"), ("y", "parent_cycle"), ("z", "unreachable")],
            ),
        ],
    )
    def test_finds(self, nodes: tuple[TreeNode, ...], issues: list[tuple[str, str]]) -> None:
        assert found(*nodes) == issues

    def test_finds_circles_and_unknown_codes_of_its_own_formulas_only(self) -> None:
        references = {"bookings": ("win_rate",), "win_rate": ("bookings", "gone"), "other": ("missing",)}
        codes = {code for _, code in found(KGI, KSF, KPI, references=references)}
        assert codes == {"unknown_code", "cycle"}

    def test_people_and_targets_do_not_block(self) -> None:
        nodes = (replace(KGI, has_target=False), replace(KSF, reason=""), replace(KPI, has_responsible=False), KPI)
        assert blocking(tree_issues(TreeInput(nodes, REFERENCES))) == ()
        assert blocking(tree_issues(TreeInput((KGI,), REFERENCES))) != ()

    def test_people_targets_and_data_are_asked_of_who_activates(self) -> None:
        nodes = (KGI, replace(KSF, reason=""), replace(KPI, has_responsible=False, has_target=False, has_source=False))
        issues = tree_issues(TreeInput(nodes, REFERENCES))
        assert blocking(issues) == ()
        assert {issue.code for issue in keeping_from_use(issues)} == {"no_responsible", "no_target", "no_source"}

    def test_yen_and_percent_are_not_added(self) -> None:
        formulas = {"bookings": "win_rate + won", "won": "win_rate * closed"}
        units = {"win_rate": "percent", "won": "amount", "closed": "amount"}
        references = {**REFERENCES, "bookings": ("win_rate", "won")}
        issues = tree_issues(TreeInput((KGI, KSF, KPI), references, formulas, units))
        assert [(issue.field, issue.code) for issue in blocking(issues)] == [("bookings", "unit_mismatch")]

    def test_a_faulty_formula_is_told_at_the_nodes_that_measure_or_need_it(self) -> None:
        nodes = (KGI, KSF, replace(KPI, code="rate"), replace(KPI, code="size", metric="size"))
        references = {**REFERENCES, "won": ("gone",), "size": ("bookings", "won")}
        assert ("rate", "unknown_code") in found(*nodes, references=references)
        assert ("size", "unknown_code") in found(*nodes, references=references)
        measured = (*nodes, replace(KPI, code="deals", metric="won", parent="rate", link="formula"))
        assert found(*measured, references=references) == [("deals", "unknown_code")]

    def test_formulas_that_the_tree_does_not_need_are_not_its_fault(self) -> None:
        references = {**REFERENCES, "other": ("win_rate", "won")}
        issues = tree_issues(
            TreeInput((KGI, KSF, KPI), references, {"other": "win_rate + won"}, {"win_rate": "percent", "won": "days"})
        )
        assert issues == ()

    @pytest.mark.parametrize(
        ("metric", "link", "issues"),
        [
            ("won", "formula", []),
            ("bookings", "influence", []),
            ("won", "influence", ["not_linked_by_formula"]),
            ("bookings", "formula", ["not_in_formula"]),
        ],
    )
    def test_formula_and_influence_are_told_apart(self, metric: str, link: str, issues: list[str]) -> None:
        child = replace(KPI, code="part", metric=metric, parent="win_rate", link=link)
        assert found(KGI, KSF, KPI, child) == [("part", code) for code in issues]
        assert blocking(tree_issues(TreeInput((KGI, KSF, KPI, child), REFERENCES))) == ()

    def test_more_than_a_handful_for_one_person_is_said_once(self) -> None:
        kpis = [replace(KPI, code=f"kpi{n}", person="Sato") for n in range(6)]
        assert found(KGI, KSF, *kpis[:5]) == []
        assert found(KGI, KSF, *kpis) == [("", "too_many_kpis")]
