"""The difference between a template's version and a company's tree in sentences, in the reader's language."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kpis.engine.templates.merging import (
    CLOSED_NUMBERS,
    NO_PLACE,
    OWN_CHANGE,
    OWN_NODES_BELOW,
    Change,
    Merge,
)

NODE_SENTENCES = {
    "added": gettext_lazy("New: %(name)s"),
    "removed": gettext_lazy("Removed: %(name)s"),
    "name": gettext_lazy("Renamed: %(before)s → %(after)s"),
    "parent": gettext_lazy("Moved: %(name)s below %(after)s"),
    "metric": gettext_lazy("Measured anew: %(name)s by %(after)s"),
    "link": gettext_lazy("Linked anew: %(name)s"),
    "reason": gettext_lazy("Reason reworded: %(name)s"),
    "controllable_by": gettext_lazy("Who can move it: %(name)s"),
}
METRIC_SENTENCES = {
    "added": gettext_lazy("New metric: %(name)s"),
    "name": gettext_lazy("Metric renamed: %(before)s → %(after)s"),
    "meaning": gettext_lazy("Defined anew: %(name)s"),
}
KEPT = {
    OWN_CHANGE: gettext_lazy("The company has changed it itself; its own stays."),
    NO_PLACE: gettext_lazy("Its place is not there in this company."),
    OWN_NODES_BELOW: gettext_lazy("The company's own nodes hang below it; it stays."),
    CLOSED_NUMBERS: gettext_lazy("Closed periods hold its numbers; it stays."),
}


@dataclass(frozen=True)
class ToldChange:
    """One difference in a sentence, and why it is not taken ("" where it is)."""

    text: str
    why: str


@dataclass(frozen=True)
class ToldMerge:
    """What is taken, what the company keeps against the template, and what else it has changed itself."""

    taken: Sequence[ToldChange]
    kept: Sequence[ToldChange]
    own: Sequence[ToldChange]


def tell_merge(merge: Merge) -> ToldMerge:
    """The whole difference in sentences; what is kept is not told a second time among the company's own."""
    names = {code: node.name for code, node in merge.outline.nodes.items()}
    names |= {code: metric.name for code, metric in merge.outline.metrics.items() if code not in names}
    against = {(change.subject, change.code, change.field) for change in merge.kept}
    own = [change for change in merge.own if (change.subject, change.code, change.field) not in against]
    return ToldMerge(_told(merge.taken, names), _told(merge.kept, names), _told(own, names))


def _told(changes: Iterable[Change], names: Mapping[str, str]) -> list[ToldChange]:
    return [ToldChange(_sentence(change, names), str(KEPT[change.kept]) if change.kept else "") for change in changes]


def _sentence(change: Change, names: Mapping[str, str]) -> str:
    sentences = NODE_SENTENCES if change.subject == "node" else METRIC_SENTENCES
    said = {
        "name": change.name,
        "before": _value(change.before, names),
        "after": _value(change.after, names),
    }
    return str(sentences[change.field]) % said


def _value(value: object, names: Mapping[str, str]) -> str:
    return names.get(value, value) if isinstance(value, str) else _("nothing")
