"""What the console's summary row says of the goal."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from kpis.choices import Grain, Level
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.today import find_spoken_period, find_tree


def read_goal(now: datetime) -> dict[str, Any]:
    """Name and achievement of the active tree's KGI in the month that the first page of the day speaks of."""
    today = timezone.localdate(now)
    tree = find_tree(today=today)
    goal = tree.nodes.filter(level=Level.KGI).first() if tree else None
    period = find_spoken_period(tree, Grain.MONTH, today=today) if tree else None
    if tree is None or goal is None or period is None:
        return {"kgi_name": "", "kgi_achievement": None}
    query = MatrixQuery(tree=tree, grain=Grain.MONTH, start=period.start_date, end=period.end_date, codes=[goal.code])
    achievement = build_matrix(query, now=now).achievement[0][0][0]
    return {"kgi_name": goal.name, "kgi_achievement": achievement}
