"""The one read model: nodes × members × periods. Screens, API, charts and exports all render it."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

from django.db.models import Q
from django.utils import timezone

from kpis.choices import Level
from kpis.engine.cells import Cell
from kpis.models import KpiNode
from kpis.selectors.matrix import loading
from kpis.selectors.matrix.axes import Members, load_members, load_periods
from kpis.selectors.matrix.computing import Computation
from kpis.selectors.matrix.counting import Counting
from kpis.selectors.matrix.shapes import KpiMatrix, MatrixMember, MatrixNode, MatrixPeriod, MatrixQuery
from tenants.settings.selectors import company_settings

__all__ = [
    "KpiMatrix",
    "MatrixMember",
    "MatrixNode",
    "MatrixPeriod",
    "MatrixQuery",
    "build_matrix",
    "read_cells",
    "read_series",
]


def build_matrix(query: MatrixQuery, *, now: datetime) -> KpiMatrix:
    """Read blocks, targets, entries and locks, and compute every cell asked for; a fixed number of queries.

    Closed periods show what was locked, unless `is_live`. Under org "now" team numbers are read through the teams'
    successors, always live. `member_ids` limits the members to those the reader may see.
    """
    rows = KpiNode.objects.filter(tree=query.tree)
    asked = rows if query.codes is None else rows.filter(code__in=query.codes)
    definitions = loading.load_definitions(asked.exclude(metric=None).values_list("metric__code", flat=True))
    if query.codes is not None:
        beside = Q(level=Level.KGI) | Q(metric__code__in=definitions)  # what the asked ones are read and planned by
        rows = rows.filter(Q(code__in=query.codes) | beside)
    nodes = list(rows.select_related("metric", "responsible").order_by("position", "id"))
    by_code = {row.code: row for row in nodes}
    shown = nodes if query.codes is None else [by_code[code] for code in query.codes if code in by_code]
    members = load_members(query)
    counting = _counting(query, definitions, nodes, members, now)
    # a rate may be planned by the targets of its two sides
    planned = [row for row in nodes if row in shown or (row.metric and row.metric.code in counting.definitions)]
    targets = loading.load_targets(query, planned, counting.periods)
    return Computation(
        query=query,
        now=now,
        today=counting.today,
        currency=company_settings().currency,
        nodes=nodes,
        shown=shown,
        periods=counting.periods,
        members=members,
        definitions=counting.definitions,
        counting=counting,
        targets=targets,
        usual=loading.load_usual(
            shown, counting.definitions, counting.periods, targets, counting.deliveries, counting.today
        ),
        locks=loading.load_locks(query, shown, counting.periods),
    ).matrix()


def read_cells(query: MatrixQuery, codes: Collection[str], *, now: datetime) -> Mapping[str, Cell]:
    """Metric code → its live cell in the first period of the query for the first member, placed in the tree or not.

    Empty where the calendar does not reach the period, or the member is none to be shown.
    """
    return next(iter(read_series(query, codes, now=now).values()), {})


def read_series(query: MatrixQuery, codes: Collection[str], *, now: datetime) -> Mapping[date, Mapping[str, Cell]]:
    """The same for each period of the query: its start → metric code → the live cell."""
    definitions = loading.load_definitions(codes)
    counting = _counting(query, definitions, list(query.tree.nodes.all()), load_members(query), now)
    if not counting.members:
        return {}
    columns = {code: each for code, each in counting.columns().items() if code in codes}
    return {
        period.start: {code: each[p].cells()[0] for code, each in columns.items()}
        for p, period in enumerate(counting.periods.asked)
    }


def _counting(
    query: MatrixQuery, definitions: loading.Definitions, nodes: Sequence[KpiNode], members: Members, now: datetime
) -> Counting:
    """What these metrics are computed from."""
    today = timezone.localdate(now)
    periods = load_periods(query.grain, query.start, query.end, today=today)
    return Counting(
        grain=query.grain,
        dimensions=(query.dimension,),
        today=today,
        periods=periods,
        members=members.shown,
        definitions=definitions,
        streams=loading.load_streams(definitions, now=now),
        steps=loading.load_steps(term for each in definitions.values() for term in each.terms),
        blocks=loading.load_blocks(query, definitions, periods, members),
        entries=loading.load_entries(query, definitions, periods),
        snapshots=loading.load_snapshots(query, definitions, nodes, periods),
    )
