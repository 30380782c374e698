"""Whether a number moves as it always does, and whether it runs ahead of the KGI."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from kpis.choices import Grain, Level, Unit
from kpis.engine.correlation import Connection, find_connection
from kpis.engine.xmr import Variation, judge_variation
from kpis.models import KpiNode, Period
from kpis.selectors.details import LONGEST_DAYS, PeriodFigure, Segment
from kpis.selectors.matrix import MatrixQuery, build_matrix

PERIODS = 24
UNBOUNDED = {Unit.AMOUNT, Unit.SCORE}


def judge_trend(trend: Sequence[PeriodFigure], period: Period, *, today: date) -> tuple[PeriodFigure, Variation] | None:
    """The last period that is over of a trend up to `period`, judged by those before it; None with too few of them."""
    over = trend if period.end_date <= today else trend[:-1]
    if not over:
        return None
    floor = None if over[-1].figure.unit in UNBOUNDED else Decimal(0)
    found = judge_variation([each.figure.value for each in over], floor=floor)
    return None if found is None else (over[-1], found)


def read_connection(node: KpiNode, segment: Segment, period: Period, *, now: datetime) -> Connection | None:
    """How the tree's KGI goes with a KPI over the last 24 periods that are over; None of the KGI itself."""
    goal = KpiNode.objects.filter(tree=node.tree_id, level=Level.KGI).exclude(metric=None).first()
    if goal is None or goal.pk == node.pk:
        return None
    query = MatrixQuery(
        tree=node.tree,
        grain=period.grain,
        start=period.start_date - timedelta(days=LONGEST_DAYS[Grain(period.grain)] * PERIODS),
        end=period.end_date,
        codes=[node.code, goal.code],
        dimension=segment.dimension,
        org=segment.org,
        member_ids=segment.member_ids,
    )
    matrix = build_matrix(query, now=now)
    if not matrix.members:
        return None
    today = timezone.localdate(now)
    over = [p for p, each in enumerate(matrix.periods) if each.end <= today][-PERIODS:]
    driver, result = ([matrix.value[n][0][p] for p in over] for n in (0, 1))
    return find_connection(driver, result)
