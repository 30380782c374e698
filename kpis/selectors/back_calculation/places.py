"""Where the parts of the way back stand in a tree."""

from collections.abc import Mapping
from dataclasses import dataclass

from kpis.choices import Level
from kpis.engine import specs
from kpis.engine.back_calculation import (
    ACTIVITY,
    CREATED_WIN_RATE,
    LEAD_RATE,
    LEAD_SHARE,
    MQL_RATE,
    OPPORTUNITY_RATE,
    PER_DEAL,
    WIN_RATE,
    Link,
    Stage,
    funnel,
    role_of,
)
from kpis.engine.specs import Simple, Spec
from kpis.models import KpiNode, KpiTree, Lead, MetricVersion


@dataclass(frozen=True, slots=True)
class Places:
    """A tree's nodes by their part: stages and rates by their name, activities by the code of their metric.

    `goal` is the KGI with a metric. `has_mql`: leads become MQLs before they become opportunities. `kinds` are the
    kinds of each activity that count, empty for all.
    """

    tree: KpiTree
    goal: KpiNode | None
    nodes: Mapping[str, KpiNode]
    has_mql: bool
    kinds: Mapping[str, tuple[str, ...]]

    def links(self, *, has_lead_share: bool) -> tuple[Link, ...]:
        """The way back of this tree."""
        return funnel(
            has_mql=self.has_mql,
            has_sql=Stage.SQL in self.nodes,
            has_lead_share=has_lead_share,
            activities=list(self.kinds),
        )

    def node_of(self, part: str) -> KpiNode | None:
        """The node of a stage, a rate or an activity."""
        return self.nodes.get(part)

    def code_of(self, stage: str) -> str:
        """What the company calls a stage: the code of its metric, else the stage's own name."""
        node = self.nodes.get(stage)
        return node.metric.code if node is not None and node.metric is not None else str(stage)

    def stage_of(self, name: str) -> str | None:
        """The stage meant by a metric's code or a stage's name; None for what is not on the way."""
        stages = {link.stage for link in self.links(has_lead_share=True)}
        named = {self.code_of(stage): stage for stage in stages}
        return named.get(name) or next((stage for stage in stages if stage == name), None)

    def rates(self) -> tuple[str, ...]:
        """The codes of everything that can be assumed on the way, in its order."""
        return tuple(link.rate for link in self.links(has_lead_share=True) if link.rate)


def read_places(tree: KpiTree, *, has_mql: bool | None = None) -> Places:
    """The parts of the way back that a tree's nodes are; the first node in order counts. Three or four queries.

    Whether there is an MQL stage follows, unless said, from the tree's opportunity rate, else from the company's
    metrics and leads.
    """
    known = _definitions()
    nodes = list(tree.nodes.select_related("metric", "tree", "responsible").order_by("position", "id"))
    found: dict[str, KpiNode] = {}
    kinds: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        if node.metric is None or node.metric.code not in known:
            continue
        spec = known[node.metric.code]
        role = role_of(node.metric.code, spec, known)
        if role == ACTIVITY:
            kinds.setdefault(node.metric.code, _kinds(spec))
            found.setdefault(node.metric.code, node)
        elif role is not None:
            found.setdefault(role, node)
    if has_mql is None:
        has_mql = _has_mql(found, known)
    lead_rate, created_rate = found.pop(LEAD_RATE, None), found.pop(CREATED_WIN_RATE, None)
    if lead_rate is not None and not has_mql:
        found[OPPORTUNITY_RATE] = lead_rate
    if created_rate is not None:
        found.setdefault(WIN_RATE, created_rate)
    goal = next((node for node in nodes if node.level == Level.KGI and node.metric is not None), None)
    return Places(tree, goal, found, has_mql, kinds)


def per_deal(code: str) -> str:
    """The assumption of how many activities of a kind a closed deal takes."""
    return code + PER_DEAL


def is_share(code: str) -> bool:
    """Whether an assumption matters only where it is known."""
    return code == LEAD_SHARE


def _definitions() -> dict[str, Spec]:
    """Metric code → its newest definition."""
    versions = MetricVersion.objects.order_by("number").values_list("metric__code", "spec")
    return {code: specs.parse_spec(data) for code, data in versions}


def _has_mql(found: Mapping[str, KpiNode], known: Mapping[str, Spec]) -> bool:
    if found.keys() & {OPPORTUNITY_RATE, MQL_RATE, Stage.MQL}:
        return True
    if LEAD_RATE in found:
        return False
    is_counted = any(role_of(code, spec, known) == Stage.MQL for code, spec in known.items())
    return is_counted or Lead.objects.filter(deleted_at=None, mql_on__isnull=False).exists()


def _kinds(spec: Spec) -> tuple[str, ...]:
    """The kinds of activity that a term counts; none named = all."""
    if not isinstance(spec, Simple) or not spec.filters:
        return ()
    value = spec.filters[0].value
    return tuple(str(each) for each in value) if isinstance(value, tuple) else (str(value),)
