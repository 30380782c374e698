"""The first target of a KPI: one value for every period of the year, to be refined later."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from kpis.choices import PeriodState
from kpis.models import KpiNode, Period, Target
from kpis.services.calendar import ensure_fiscal_year
from kpis.services.targets import TargetEntry, set_targets


def set_first_targets(
    *, node: KpiNode, value: Decimal | None, upper: Decimal | None = None, actor: Any, now: datetime
) -> tuple[Target, ...]:
    """Set `value` for every period of the node's fiscal year that is not closed, on the tree's official line.

    Of a metric with a range it is the lower end, and `upper` the other.

    The periods are those of the node's own frequency. None sets nothing. Raises TargetError.
    """
    if value is None or node.metric is None:
        return ()
    ensure_fiscal_year(start_year=node.tree.fiscal_year)
    periods = Period.objects.filter(grain=node.frequency, fiscal_year__start_year=node.tree.fiscal_year).exclude(
        state=PeriodState.CLOSED
    )
    entries = [
        TargetEntry(node=node, period_start=start, value=value, upper=upper, line=node.tree.official_line)
        for start in periods.order_by("start_date").values_list("start_date", flat=True)
    ]
    return set_targets(entries=entries, actor=actor, now=now)
