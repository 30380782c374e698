"""Moving nodes of a tree by keyboard or mouse: where a step leads, and the order of siblings that results."""

from collections.abc import Sequence
from dataclasses import dataclass

STEPS = ("up", "down", "in", "out")


@dataclass(frozen=True, slots=True)
class Place:
    """A node by its code, below its parent (None: a root); a sequence of places lists siblings in their order."""

    code: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class Destination:
    """Below which parent, and how many siblings stand before."""

    parent: str | None
    position: int


def destination(places: Sequence[Place], code: str, step: str) -> Destination | None:
    """Where one step leads: up or down among the siblings, in below the sibling before, out behind the parent.

    None where there is nowhere to go.

    >>> places = [Place("kgi", None), Place("a", "kgi"), Place("b", "kgi"), Place("b1", "b")]
    >>> destination(places, "b", "up")
    Destination(parent='kgi', position=0)
    >>> destination(places, "b", "in")
    Destination(parent='a', position=0)
    >>> destination(places, "b1", "out")
    Destination(parent='kgi', position=2)
    >>> destination(places, "kgi", "out") is None
    True
    """
    parents = {place.code: place.parent for place in places}
    parent = parents[code]
    siblings = _children(places, parent)
    index = siblings.index(code)
    match step:
        case "up":
            return Destination(parent, index - 1) if index else None
        case "down":
            return Destination(parent, index + 1) if index + 1 < len(siblings) else None
        case "in":
            return Destination(siblings[index - 1], len(_children(places, siblings[index - 1]))) if index else None
        case "out" if parent is not None:
            above = parents[parent]
            return Destination(above, _children(places, above).index(parent) + 1)
        case _:
            return None


def moved(places: Sequence[Place], code: str, target: Destination) -> tuple[Place, ...]:
    """The tree once a node has moved, parents before what hangs below them; a position beyond the end is the end.

    >>> places = [Place("a", None), Place("b", None), Place("b1", "b")]
    >>> [place.code for place in moved(places, "a", Destination(None, 9))]
    ['b', 'b1', 'a']
    """
    others = [place for place in places if place.code != code]
    siblings = [place for place in others if place.parent == target.parent]
    position = min(max(target.position, 0), len(siblings))
    siblings.insert(position, Place(code, target.parent))
    return depth_first([*(place for place in others if place.parent != target.parent), *siblings])


def depth_first(places: Sequence[Place]) -> tuple[Place, ...]:
    """Each node before what hangs below it, siblings in the order given; what no way leads to stands at the end.

    >>> [place.code for place in depth_first([Place("a", None), Place("b", None), Place("a1", "a")])]
    ['a', 'a1', 'b']
    """
    found: dict[str, Place] = {}
    waiting = [place for place in reversed(places) if place.parent is None]
    while waiting:
        place = waiting.pop()
        found[place.code] = place
        waiting += [child for child in reversed(places) if child.parent == place.code]
    return (*found.values(), *(place for place in places if place.code not in found))


def is_below(places: Sequence[Place], code: str, ancestor: str) -> bool:
    """Whether a node is `ancestor` or hangs somewhere below it.

    >>> is_below([Place("a", None), Place("b", "a")], "b", "a")
    True
    """
    parents = {place.code: place.parent for place in places}
    seen: set[str] = set()
    at: str | None = code
    while at is not None and at not in seen:
        if at == ancestor:
            return True
        seen.add(at)
        at = parents.get(at)
    return False


def _children(places: Sequence[Place], parent: str | None) -> list[str]:
    return [place.code for place in places if place.parent == parent]
