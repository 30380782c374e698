"""A client's own sheet as the beginning: what is likely meant by it, and what it would make."""

from kpis.selectors.sheet_start.choices import (
    BELOW,
    FACTOR,
    GOAL,
    NOWHERE,
    SEGMENTS,
    KpiChoice,
    StartChoices,
    Use,
    likely_tree,
    members_by_name,
    propose_choices,
    sheet_context,
)
from kpis.selectors.sheet_start.plan import PlannedKpi, PlannedNumber, StartPlan, plan_start

__all__ = [
    "BELOW",
    "FACTOR",
    "GOAL",
    "NOWHERE",
    "SEGMENTS",
    "KpiChoice",
    "PlannedKpi",
    "PlannedNumber",
    "StartChoices",
    "StartPlan",
    "Use",
    "likely_tree",
    "members_by_name",
    "plan_start",
    "propose_choices",
    "sheet_context",
]
