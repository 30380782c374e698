"""A new version meets a company's tree: nothing of the company's own is lost, nothing of the template is forgotten."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.specs import Formula, Manual
from kpis.engine.templates.merging import METRIC_FIELDS, NODE_FIELDS, merge, own_changes
from kpis.engine.templates.outlines import Outline, OutlineMetric, OutlineNode
from kpis.engine.tree import PARENTS

SPECS = (Manual(), Formula("a + b"), Formula("a - b"))
POOL = {"goal": "kgi", **{f"factor{n}": "ksf" for n in range(3)}, **{f"kpi{n}": "kpi" for n in range(5)}}


@st.composite
def outlines(draw: st.DrawFn) -> Outline:
    """A tree of some of the nodes, wherever their level may stand."""
    nodes: dict[str, OutlineNode] = {}
    for code in draw(st.permutations(list(POOL)[1:])):
        parents = [each for each in nodes.values() if each.level in PARENTS[POOL[code]]]
        parent = "goal" if POOL[code] == "ksf" else draw(st.sampled_from(parents)).code if parents else None
        if parent is None or not draw(st.booleans()):
            continue
        nodes[code] = OutlineNode(
            code,
            POOL[code],
            draw(st.sampled_from("xyz")),
            parent,
            draw(st.sampled_from(["m0", "m1"])) if POOL[code] == "kpi" else None,
            draw(st.sampled_from(["formula", "influence"])),
            draw(st.sampled_from(["", "why"])),
            draw(st.sampled_from([{}, {"marketing": "full"}])),
        )
    goal = OutlineNode("goal", "kgi", draw(st.sampled_from("xyz")), metric="m0")
    metrics = {
        code: OutlineMetric(code, draw(st.sampled_from("xy")), "count", "sum", "up", draw(st.sampled_from(SPECS)))
        for code in ("m0", "m1")
    }
    return Outline({"goal": goal, **nodes}, metrics)


def node(code: str, level: str = "kpi", parent: str | None = "factor", **fields: Any) -> OutlineNode:
    return OutlineNode(code, level, fields.pop("name", code), parent, **fields)


def tree(*nodes: OutlineNode, **metrics: OutlineMetric) -> Outline:
    stem = (node("goal", "kgi", None), node("factor", "ksf", "goal"))
    return Outline({each.code: each for each in (*stem, *nodes)}, metrics)


def visits(**fields: Any) -> OutlineMetric:
    return OutlineMetric(
        "visits", fields.get("name", "Visits"), fields.get("unit", "count"), "sum", "up", fields.get("spec", Manual())
    )


class TestMerge:
    @given(base=outlines(), own=outlines())
    def test_the_unchanged_version_changes_nothing(self, base: Outline, own: Outline) -> None:
        merged = merge(base, own, base)
        assert merged.changes == ()
        assert merged.outline.nodes == own.nodes and merged.outline.metrics == own.metrics

    @given(base=outlines(), new=outlines())
    def test_a_company_that_changed_nothing_gets_the_new_version(self, base: Outline, new: Outline) -> None:
        merged = merge(base, base, new)
        assert merged.outline.nodes == new.nodes and merged.outline.metrics == new.metrics
        assert (merged.own, merged.kept) == ((), ())

    @given(base=outlines(), own=outlines(), new=outlines())
    def test_own_changes_survive(self, base: Outline, own: Outline, new: Outline) -> None:
        merged = merge(base, own, new).outline
        for change in own_changes(base, own):
            if change.field == "removed":
                assert change.code not in merged.nodes
                continue
            fields = NODE_FIELDS if change.subject == "node" else METRIC_FIELDS
            now = merged.nodes[change.code] if change.subject == "node" else merged.metrics[change.code]
            mine = own.nodes[change.code] if change.subject == "node" else own.metrics[change.code]
            for field in fields if change.field == "added" else [change.field]:
                assert getattr(now, field) == getattr(mine, field)

    @given(base=outlines(), own=outlines(), new=outlines())
    def test_the_outcome_is_a_tree_and_every_change_is_told(self, base: Outline, own: Outline, new: Outline) -> None:
        merged = merge(base, own, new)
        seen: set[str | None] = {None}
        for each in merged.outline.nodes.values():
            assert each.parent in seen, "parents stand before their children, so that there is no circle"
            seen.add(each.code)
        changed = {change.code for change in own_changes(own, merged.outline)}
        assert changed == {change.code for change in merged.taken}

    @given(base=outlines(), own=outlines(), new=outlines())
    def test_the_same_version_a_second_time_changes_nothing(self, base: Outline, own: Outline, new: Outline) -> None:
        once = merge(base, own, new).outline
        assert merge(new, once, new).outline == once

    @given(base=outlines(), new=outlines())
    def test_nodes_with_closed_numbers_stay(self, base: Outline, new: Outline) -> None:
        merged = merge(base, base, new, fixed=base.nodes)
        assert all(merged.outline.nodes[code].metric == each.metric for code, each in base.nodes.items())

    def test_takes_what_only_the_template_changed_and_names_what_stays(self) -> None:
        base = tree(node("a"), node("b"), node("c"))
        own = tree(node("a", name="Ours"), node("b"), node("c"), node("mine"))
        new = tree(node("a", name="Theirs"), node("b", name="Better"), node("d"))
        merged = merge(base, own, new)
        assert {code: each.name for code, each in merged.outline.nodes.items() if each.level == "kpi"} == {
            "a": "Ours",
            "b": "Better",
            "mine": "mine",
            "d": "d",
        }
        assert {(change.code, change.field) for change in merged.kept} == {("a", "name")}
        assert {(change.code, change.field) for change in merged.own} == {("a", "name"), ("mine", "added")}

    def test_what_has_own_nodes_below_it_stays(self) -> None:
        base = tree(node("second", "ksf", "goal"), node("a", parent="second"))
        own = tree(node("second", "ksf", "goal"), node("a", parent="second"), node("mine", parent="second"))
        merged = merge(base, own, tree())
        assert [(change.code, change.kept) for change in merged.changes] == [("a", ""), ("second", "own_nodes_below")]

    def test_what_the_company_removed_does_not_come_back_nor_what_would_hang_below_it(self) -> None:
        base = tree(node("a"))
        merged = merge(base, tree(), tree(node("a", name="New"), node("below", parent="a")))
        assert [(change.code, change.kept) for change in merged.changes] == [("below", "no_place")]

    def test_two_nodes_change_places(self) -> None:
        base = tree(node("a"), node("b", parent="a"))
        new = tree(node("b"), node("a", parent="b"))
        assert merge(base, base, new).outline.nodes == new.nodes

    def test_a_move_that_would_make_a_circle_is_left(self) -> None:
        base = tree(node("a"), node("b"))
        own, new = tree(node("a"), node("b", parent="a")), tree(node("b"), node("a", parent="b"))
        assert [change.kept for change in merge(base, own, new).changes] == ["no_place"]

    def test_a_company_without_a_version_keeps_its_metrics(self) -> None:
        own = Outline({}, {"visits": visits(spec=Formula("a + b"))})
        merged = merge(Outline(), own, tree(node("v", metric="visits"), visits=visits()))
        assert merged.outline.metrics["visits"].spec == Formula("a + b")
        assert [change.field for change in merged.kept] == ["meaning"]

    def test_a_metric_of_another_unit_is_the_companys_own(self) -> None:
        base, new = tree(visits=visits()), tree(visits=visits(spec=Formula("a - b")))
        own = tree(visits=visits(unit="days"))
        assert merge(base, own, new).outline.metrics["visits"] == own.metrics["visits"]
