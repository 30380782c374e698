"""A new version of a template meets a company's tree: the three-way difference of base, own and new.

`base` is the version that the company has, `own` what it has made of it, `new` the version that is offered. What only
the template changed is taken; what the company changed itself stays as it is and is named, never overwritten.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kpis.engine.moves import Place, depth_first, is_below
from kpis.engine.templates.outlines import Outline, OutlineMetric, OutlineNode
from kpis.engine.tree import PARENTS

NODE_FIELDS = ("name", "parent", "metric", "link", "reason", "controllable_by")
METRIC_FIELDS = ("name", "meaning")

# Why something of the template is not taken.
OWN_CHANGE = "own_change"
NO_PLACE = "no_place"
OWN_NODES_BELOW = "own_nodes_below"
CLOSED_NUMBERS = "closed_numbers"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference of a node or a metric.

    `field` is one of NODE_FIELDS or METRIC_FIELDS, "added" or "removed"; `before` and `after` are its values (None
    where there is none). `kept` says why the company's own state stays ("" = the change is taken).
    """

    subject: str
    code: str
    name: str
    field: str
    before: object = None
    after: object = None
    kept: str = ""

    @property
    def is_taken(self) -> bool:
        return not self.kept


@dataclass(frozen=True, slots=True)
class Merge:
    """The tree after the new version, what the template changes, and what the company has changed itself since."""

    outline: Outline
    changes: tuple[Change, ...]
    own: tuple[Change, ...]

    @property
    def taken(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.is_taken)

    @property
    def kept(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if not change.is_taken)


def merge(base: Outline, own: Outline, new: Outline, *, fixed: Iterable[str] = ()) -> Merge:
    """What becomes of a company's tree with a new version; an empty base for a company that has none yet.

    `fixed` are nodes on which closed numbers hang: they neither go nor measure something else. A company's metric that
    has another unit than the template's is its own as a whole.

    >>> def tree(**names):
    ...     return Outline({code: OutlineNode(code, "kgi", name) for code, name in names.items()})
    >>> merge(tree(goal="Sales"), tree(goal="Sales"), tree(goal="Bookings")).outline.nodes["goal"].name
    'Bookings'
    >>> merged = merge(tree(goal="Sales"), tree(goal="Orders"), tree(goal="Bookings"))
    >>> merged.outline.nodes["goal"].name, [change.kept for change in merged.changes]
    ('Orders', ['own_change'])
    """
    work = _Work(base, own, new, frozenset(fixed))
    return Merge(work.outline(), tuple(work.changes), own_changes(base, own))


def own_changes(base: Outline, own: Outline) -> tuple[Change, ...]:
    """What a company has changed since it took `base`: its nodes, and the metrics of the template.

    >>> own_changes(Outline(), Outline({"a": OutlineNode("a", "kgi", "A")}))[0].field
    'added'
    """
    nodes = [
        *(_change("node", node, "added") for code, node in own.nodes.items() if code not in base.nodes),
        *(_change("node", node, "removed") for code, node in base.nodes.items() if code not in own.nodes),
        *(
            _change("node", own.nodes[code], name, getattr(node, name), getattr(own.nodes[code], name))
            for code, node in base.nodes.items()
            if code in own.nodes
            for name in NODE_FIELDS
            if getattr(node, name) != getattr(own.nodes[code], name)
        ),
    ]
    metrics = [
        _change("metric", own.metrics[code], name, getattr(metric, name), getattr(own.metrics[code], name))
        for code, metric in base.metrics.items()
        if code in own.metrics
        for name in METRIC_FIELDS
        if getattr(metric, name) != getattr(own.metrics[code], name)
    ]
    return (*nodes, *metrics)


def _change(
    subject: str,
    of: OutlineNode | OutlineMetric,
    field: str,
    before: object = None,
    after: object = None,
    kept: str = "",
) -> Change:
    return Change(subject, of.code, of.name, field, before, after, kept)


class _Work:
    """One merge under way; every step leaves a tree behind, and notes what it did or did not take."""

    def __init__(self, base: Outline, own: Outline, new: Outline, fixed: frozenset[str]) -> None:
        self.base, self.own, self.new, self.fixed = base, own, new, fixed
        self.changes: list[Change] = []
        self.nodes = dict(own.nodes)
        self.metrics = dict(own.metrics)
        self._merge_metrics()
        self._add_nodes()
        self._merge_nodes()
        self._move_nodes()
        self._remove_nodes()

    def outline(self) -> Outline:
        """Parents before what hangs below them."""
        order = depth_first([Place(node.code, node.parent) for node in self.nodes.values()])
        return Outline({place.code: self.nodes[place.code] for place in order}, self.metrics)

    def _merge_metrics(self) -> None:
        for code, new in self.new.metrics.items():
            own, base = self.own.metrics.get(code), self.base.metrics.get(code)
            if own is None:
                self.metrics[code] = new
                self.changes.append(_change("metric", new, "added", None, new.meaning))
                continue
            is_another = (own.unit, own.accumulation) != (new.unit, new.accumulation)
            for name in METRIC_FIELDS:
                kept = self._decided(base, own, new, name)
                if kept is None:
                    continue
                change = _change("metric", own, name, getattr(own, name), getattr(new, name), kept)
                self.changes.append(replace(change, kept=OWN_CHANGE) if is_another else change)
                if not kept and not is_another:
                    taken = {"name": new.name} if name == "name" else {"spec": new.spec}
                    self.metrics[code] = replace(self.metrics[code], **taken)

    def _add_nodes(self) -> None:
        """Nodes that came with the new version, each below its parent where that is still there."""
        for code in _top_down(self.new.nodes):
            node = self.new.nodes[code]
            if code in self.own.nodes or code in self.base.nodes:
                continue
            has_place = self._fits(node, node.parent)
            if has_place:
                self.nodes[code] = node
            self.changes.append(_change("node", node, "added", None, node.parent, "" if has_place else NO_PLACE))

    def _merge_nodes(self) -> None:
        """All that can change about a node besides its place."""
        for code, new in self.new.nodes.items():
            own, base = self.own.nodes.get(code), self.base.nodes.get(code)
            if own is None:
                continue
            for name in NODE_FIELDS:
                kept = self._decided(base, own, new, name)
                if name == "parent" or kept is None:
                    continue
                if own.level != new.level:
                    kept = OWN_CHANGE
                elif name == "metric" and code in self.fixed and not kept:
                    kept = CLOSED_NUMBERS
                value = getattr(new, name)
                self.changes.append(_change("node", own, name, getattr(own, name), value, kept))
                if not kept:
                    self.nodes[code] = replace(self.nodes[code], **{name: value})

    def _move_nodes(self) -> None:
        """Moves from the top down, again and again while one makes room for another."""
        waiting = []
        for code in _top_down(self.new.nodes):
            own, base, new = self.own.nodes.get(code), self.base.nodes.get(code), self.new.nodes[code]
            kept = None if own is None else self._decided(base, own, new, "parent")
            if own is None or kept is None:
                continue
            if kept or own.level != new.level:
                self.changes.append(_change("node", own, "parent", own.parent, new.parent, OWN_CHANGE))
            else:
                waiting.append(code)
        while movable := [code for code in waiting if self._can_move(code)]:
            code = movable[0]
            self._note_move(code, "")
            self.nodes[code] = replace(self.nodes[code], parent=self.new.nodes[code].parent)
            waiting.remove(code)
        for code in waiting:
            self._note_move(code, NO_PLACE)

    def _remove_nodes(self) -> None:
        """Nodes that the new version leaves out, from the bottom up: only what is as the template had it."""
        leaving = [code for code in self.base.nodes if code not in self.new.nodes and code in self.own.nodes]
        changed = {change.code for change in own_changes(self.base, self.own) if change.subject == "node"}
        reasons = {code: OWN_CHANGE for code in leaving if code in changed}
        reasons |= {code: CLOSED_NUMBERS for code in leaving if code in self.fixed}
        waiting = [code for code in leaving if code not in reasons]
        while free := [code for code in waiting if not self._has_children(code)]:
            for code in free:
                self.changes.append(_change("node", self.own.nodes[code], "removed", self.nodes[code].parent))
                del self.nodes[code]
                waiting.remove(code)
        for code, reason in (*reasons.items(), *((code, OWN_NODES_BELOW) for code in waiting)):
            own = self.own.nodes[code]
            self.changes.append(_change("node", own, "removed", own.parent, kept=reason))

    @staticmethod
    def _decided(
        base: OutlineNode | OutlineMetric | None, own: OutlineNode | OutlineMetric, new: object, name: str
    ) -> str | None:
        """None where the template changes nothing, "" where its change is taken, else why it is not."""
        mine, theirs = getattr(own, name), getattr(new, name)
        if mine == theirs:
            return None
        if base is None:
            return OWN_CHANGE
        before = getattr(base, name)
        if before == theirs:
            return None
        return "" if before == mine else OWN_CHANGE

    def _can_move(self, code: str) -> bool:
        target = self.new.nodes[code].parent
        places = [Place(node.code, node.parent) for node in self.nodes.values()]
        return self._fits(self.nodes[code], target) and (target is None or not is_below(places, target, code))

    def _fits(self, node: OutlineNode, parent: str | None) -> bool:
        """Whether the level of a node may stand below that parent, which is there."""
        if parent is None:
            return not PARENTS[node.level]
        return parent in self.nodes and self.nodes[parent].level in PARENTS[node.level]

    def _has_children(self, code: str) -> bool:
        return any(node.parent == code for node in self.nodes.values())

    def _note_move(self, code: str, kept: str) -> None:
        own, new = self.own.nodes[code], self.new.nodes[code]
        self.changes.append(_change("node", own, "parent", own.parent, new.parent, kept))


def _top_down(nodes: Mapping[str, OutlineNode]) -> Sequence[str]:
    return [place.code for place in depth_first([Place(node.code, node.parent) for node in nodes.values()])]
