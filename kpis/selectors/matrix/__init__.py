"""The one read model: nodes × members × periods. Screens, API, charts and exports all render it."""

from datetime import datetime

from django.utils import timezone

from kpis.models import KpiNode
from kpis.selectors.matrix import loading
from kpis.selectors.matrix.axes import load_members, load_periods
from kpis.selectors.matrix.computing import Computation
from kpis.selectors.matrix.counting import Counting
from kpis.selectors.matrix.shapes import KpiMatrix, MatrixMember, MatrixNode, MatrixPeriod, MatrixQuery
from tenants.settings.selectors import company_settings

__all__ = ["KpiMatrix", "MatrixMember", "MatrixNode", "MatrixPeriod", "MatrixQuery", "build_matrix"]


def build_matrix(query: MatrixQuery, *, now: datetime) -> KpiMatrix:
    """Read blocks, targets, entries and locks, and compute every cell asked for; a fixed number of queries.

    Closed periods show what was locked, unless `is_live`. Under org "now" team numbers are read through the teams'
    successors, always live. `member_ids` limits the members to those the reader may see.
    """
    today = timezone.localdate(now)
    nodes = list(
        KpiNode.objects.filter(tree=query.tree).select_related("metric", "responsible").order_by("position", "id")
    )
    by_code = {row.code: row for row in nodes}
    shown = nodes if query.codes is None else [by_code[code] for code in query.codes if code in by_code]
    definitions = loading.load_definitions({row.metric.code for row in shown if row.metric})
    periods = load_periods(query.grain, query.start, query.end, today=today)
    members = load_members(query)
    counting = Counting(
        grain=query.grain,
        dimensions=(query.dimension,),
        today=today,
        periods=periods,
        members=members.shown,
        definitions=definitions,
        streams=loading.load_streams(definitions, now=now),
        blocks=loading.load_blocks(query, definitions, periods, members),
        entries=loading.load_entries(query, definitions, periods),
        snapshots=loading.load_snapshots(query, definitions, nodes, periods),
    )
    targets = loading.load_targets(query, nodes, periods)
    return Computation(
        query=query,
        now=now,
        today=today,
        currency=company_settings().currency,
        nodes=nodes,
        shown=shown,
        periods=periods,
        members=members,
        definitions=definitions,
        counting=counting,
        targets=targets,
        usual=loading.load_usual(shown, definitions, periods, targets, today),
        locks=loading.load_locks(query, shown, periods),
    ).matrix()
