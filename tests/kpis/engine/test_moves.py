"""Moving nodes: whatever is pressed, the tree stays a tree and loses nobody."""

from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.moves import STEPS, Destination, Place, depth_first, destination, is_below, moved


@st.composite
def trees(draw: st.DrawFn) -> list[Place]:
    """Up to twelve nodes, each below an earlier one or a root."""
    count = draw(st.integers(1, 12))
    parents = [draw(st.one_of(st.none(), st.integers(0, n - 1))) if n else None for n in range(count)]
    return [Place(str(n), None if parent is None else str(parent)) for n, parent in enumerate(parents)]


class TestDestination:
    @given(trees(), st.sampled_from(STEPS), st.data())
    def test_every_step_keeps_a_tree_of_the_same_nodes(
        self, places: list[Place], step: str, data: st.DataObject
    ) -> None:
        code = data.draw(st.sampled_from([place.code for place in places]))
        target = destination(places, code, step)
        if target is None:
            return
        after = moved(places, code, target)
        assert sorted(place.code for place in after) == sorted(place.code for place in places)
        assert not any(is_below(places, target.parent, code) for _ in [0] if target.parent is not None)
        roots = {place.code for place in after if place.parent is None}
        assert all(any(is_below(after, place.code, root) for root in roots) for place in after)

    @given(trees(), st.data())
    def test_up_undoes_down_and_out_undoes_in(self, places: list[Place], data: st.DataObject) -> None:
        code = data.draw(st.sampled_from([place.code for place in places]))
        for step, back in (("down", "up"), ("in", "out")):
            target = destination(places, code, step)
            if target is not None:
                after = moved(places, code, target)
                home = destination(after, code, back)
                assert home is not None
                again = moved(after, code, home)
                parent = next(place.parent for place in places if place.code == code)
                assert [each.code for each in again if each.parent == parent] == [
                    each.code for each in places if each.parent == parent
                ]

    def test_stays_where_there_is_nowhere_to_go(self) -> None:
        alone = [Place("a", None)]
        assert [destination(alone, "a", step) for step in (*STEPS, "sideways")] == [None] * 5


class TestMoved:
    def test_takes_the_place_among_the_children_of_the_new_parent_with_what_hangs_below(self) -> None:
        places = [Place("a", None), Place("a1", "a"), Place("b", None), Place("b1", "b"), Place("b2", "b")]
        order = [place.code for place in moved(places, "a", Destination("b", 1))]
        assert order == ["b", "b1", "a", "a1", "b2"]

    @given(trees())
    def test_parents_stand_before_their_children(self, places: list[Place]) -> None:
        order = [place.code for place in depth_first(places[::-1])]
        assert sorted(order) == sorted(place.code for place in places)
        assert all(place.parent is None or order.index(place.parent) < order.index(place.code) for place in places)

    def test_a_circle_is_kept_at_the_end(self) -> None:
        places = [Place("x", "y"), Place("y", "x"), Place("a", None)]
        assert [place.code for place in depth_first(places)] == ["a", "x", "y"]
