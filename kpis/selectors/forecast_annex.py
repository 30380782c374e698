"""What stands around the deals of a deal forecast table: what changed, what was lost and why, what is to be checked."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from kpis.choices import DimensionCode
from kpis.models import DimensionMember, KpiNode, Period
from kpis.selectors.deals import DealsToCheck, deals_to_check_of
from kpis.selectors.forecast_table import (
    DealChange,
    Excerpt,
    ForecastTable,
    Since,
    read_deal_changes,
    read_since,
)
from kpis.selectors.losses import Loss, read_losses
from kpis.selectors.visibility import Sight


@dataclass(frozen=True, slots=True)
class ForecastAnnex:
    """Changes since the last meeting (or of seven days), losses by their four sides, and deals to check."""

    since: Since
    changes: Excerpt[DealChange]
    losses: Excerpt[Loss]
    to_check: DealsToCheck


def read_forecast_annex(
    goal: KpiNode,
    period: Period,
    table: ForecastTable,
    *,
    member: DimensionMember | None,
    sight: Sight,
    now: datetime,
    language: str,
    changes: int | None = None,
    losses: int | None = None,
) -> ForecastAnnex:
    """Of one table, for one reader; at most this many changes and lines of losses, without it all. Eight queries."""
    people = sight.members.get(DimensionCode.PERSON)
    since = read_since(goal, now=now, language=language)
    return ForecastAnnex(
        since=since,
        changes=read_deal_changes(period, since=since.at, owners=sight.people, limit=changes),
        losses=read_losses(period, member=member, people=people, limit=losses),
        to_check=deals_to_check_of(table, period, member=member, people=people, today=timezone.localdate(now)),
    )
