"""Whether a tree's targets still reproduce the target of its KGI."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal

from kpis.choices import Accumulation
from kpis.engine.back_calculation import GOAL, LEAD_SHARE, Deviation, deviations
from kpis.models import BackCalculation, KpiNode, Period, Target
from kpis.selectors.back_calculation.places import read_places


def read_deviations(applied: BackCalculation) -> tuple[Deviation, ...] | None:
    """The stages whose yearly targets are not what the KGI's asks for; None where the KGI has no yearly target.

    Rates are the mean targets of their nodes; a rate without one is as in the back-calculation that was applied.
    """
    tree = applied.tree
    places = read_places(tree, has_mql=applied.input["has_mql"])
    if places.goal is None or places.goal.metric is None:
        return None
    targets = _targets([places.goal, *places.nodes.values()], tree.official_line)
    due = Period.objects.filter(grain=places.goal.frequency, fiscal_year__start_year=tree.fiscal_year).count()
    aimed_at = targets.get(places.goal.pk, ())
    if not due or len(aimed_at) < due:
        return None
    aimed = {part: _yearly(node, targets[node.pk]) for part, node in places.nodes.items() if node.pk in targets}
    used = {code: Decimal(each["value"]) for code, each in applied.result["assumptions"].items()}
    links = places.links(has_lead_share=LEAD_SHARE in used)
    rates = {code: aimed.get(code) or value for code, value in used.items()}
    start = places.stage_of(places.goal.metric.code) or GOAL
    return deviations(links, start, sum(aimed_at, Decimal(0)), rates, aimed)


def _targets(nodes: Sequence[KpiNode], line: str) -> Mapping[int, Sequence[Decimal]]:
    """Node → the company's targets."""
    found: dict[int, list[Decimal]] = defaultdict(list)
    for node_id, value in Target.objects.filter(node__in=nodes, line=line, member=None).values_list("node_id", "value"):
        found[node_id].append(value)
    return found


def _yearly(node: KpiNode, values: Sequence[Decimal]) -> Decimal:
    """The sum of a flow, the mean of anything else."""
    total = sum(values, Decimal(0))
    is_flow = node.metric is not None and node.metric.accumulation == Accumulation.SUM
    return total if is_flow else total / len(values)
