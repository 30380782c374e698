"""Whether a tree's targets still reproduce the target of its KGI."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from django.db.models import Q

from kpis.choices import Accumulation, Grain, PeriodState
from kpis.engine.back_calculation import GOAL, LEAD_SHARE, Deviation, deviations
from kpis.models import BackCalculation, KpiNode, Period, Target
from kpis.selectors.back_calculation.places import read_places


def read_deviations(applied: BackCalculation) -> tuple[Deviation, ...] | None:
    """The stages whose yearly targets are not what the KGI's asks for; None where the KGI has no yearly target.

    Months that were left alone (closed, or before the day from which it was applied) count as the back-calculation had
    them: nobody can change them any more. Rates are the mean targets of their nodes in the other months; a rate without
    one is as it was applied.
    """
    tree = applied.tree
    places = read_places(tree, has_mql=applied.input["has_mql"])
    if places.goal is None or places.goal.metric is None:
        return None
    targets = _targets([places.goal, *places.nodes.values()], tree.official_line)
    due = Period.objects.filter(grain=places.goal.frequency, fiscal_year__start_year=tree.fiscal_year).count()
    aimed_at = targets.get(places.goal.pk, {})
    if not due or len(aimed_at) < due:
        return None
    fixed = _fixed_months(applied)
    planned = {step["stage"]: step["months"] for step in applied.result["steps"]}
    yearly = {
        part: _yearly(node, targets[node.pk], planned.get(part, {}), fixed)
        for part, node in places.nodes.items()
        if node.pk in targets
    }
    aimed = {part: value for part, value in yearly.items() if value is not None}
    used = {code: Decimal(each["value"]) for code, each in applied.result["assumptions"].items()}
    links = places.links(has_lead_share=LEAD_SHARE in used)
    rates = {code: aimed.get(code) or value for code, value in used.items()}
    start = places.stage_of(places.goal.metric.code) or GOAL
    return deviations(links, start, sum(aimed_at.values(), Decimal(0)), rates, aimed)


def _targets(nodes: Sequence[KpiNode], line: str) -> Mapping[int, Mapping[date, Decimal]]:
    """Node → start → the company's target."""
    found: dict[int, dict[date, Decimal]] = defaultdict(dict)
    rows = Target.objects.filter(node__in=nodes, line=line, member=None)
    for row in rows:
        found[row.node_id][row.period_start] = row.standing
    return found


def _fixed_months(applied: BackCalculation) -> Sequence[tuple[date, date]]:
    """The months (start, exclusive end) of the year whose targets were left alone."""
    months = Period.objects.filter(grain=Grain.MONTH, fiscal_year__start_year=applied.tree.fiscal_year)
    left_alone = Q(state=PeriodState.CLOSED)
    if applied.input["from"]:
        left_alone |= Q(start_date__lt=applied.input["from"])
    return list(months.filter(left_alone).values_list("start_date", "end_date"))


def _yearly(
    node: KpiNode,
    targets: Mapping[date, Decimal],
    planned: Mapping[str, str],
    fixed: Sequence[tuple[date, date]],
) -> Decimal | None:
    """The sum of a flow; the mean of anything else, None where no month is left to it."""
    values = [value for day, value in targets.items() if not any(start <= day < end for start, end in fixed)]
    if node.metric is not None and node.metric.accumulation == Accumulation.SUM:
        kept = [Decimal(planned[start.isoformat()]) for start, _end in fixed if start.isoformat() in planned]
        return sum([*values, *kept], Decimal(0))
    return sum(values, Decimal(0)) / len(values) if values else None
