"""Closed periods and cells that wait for a decision about late changes, as they were last compared."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import Count

from kpis.choices import TreeStatus
from kpis.models import OpenRestatement, Period
from kpis.selectors.calendar import period_namer

Key = tuple[str, date]  # grain, first day
LatePlace = tuple[int, str, date, int | None]  # node, grain, first day, member


@dataclass(frozen=True)
class LateNumber:
    """What a locked cell would say today; None with an absence where it would say nothing."""

    value: Decimal | None
    absence: str | None


@dataclass(frozen=True)
class LatePeriod:
    """One closed period and how many of its KPIs wait for a decision."""

    row: Period
    label: str
    count: int


@dataclass(frozen=True)
class LatePeriods:
    """The closed periods that wait for a decision, the latest first, and how many more there are."""

    shown: tuple[LatePeriod, ...]
    more_count: int


def count_open() -> Mapping[Key, int]:
    """Grain and first day → how many KPIs wait for a decision; of the periods in which any does. One query."""
    rows = OpenRestatement.objects.exclude(node__tree__status=TreeStatus.RETIRED)
    counted = rows.values_list("grain", "period_start").annotate(count=Count("node", distinct=True))
    return {(grain, start): count for grain, start, count in counted}


def read_late_periods(*, limit: int) -> LatePeriods:
    """What waits for who may decide: at most `limit` periods, a longer one behind its months. At most two queries and
    those for names."""
    counts = count_open()
    if not counts:
        return LatePeriods((), 0)
    rows = Period.objects.select_related("fiscal_year").filter(
        grain__in={grain for grain, _start in counts}, start_date__in={start for _grain, start in counts}
    )
    found = [row for row in rows if (row.grain, row.start_date) in counts]
    found.sort(key=lambda row: (row.end_date, row.start_date), reverse=True)
    name = period_namer()
    shown = tuple(LatePeriod(row, name(row), counts[row.grain, row.start_date]) for row in found[:limit])
    return LatePeriods(shown, len(found) - len(shown))


def find_late_number(*, node: UUID, grain: str, start: date, dimension: str, member: int | None) -> LateNumber | None:
    """What one locked cell would say today (`node`: its public id); None where it waits for nothing. One query."""
    rows = OpenRestatement.objects.filter(
        node__public_id=node, grain=grain, period_start=start, dimension=dimension, member=member
    )
    row = rows.values_list("value", "absence").first()
    return LateNumber(row[0], row[1] or None) if row else None


def read_late_numbers(
    *, nodes: Collection[int], grains: Collection[str], start: date, end: date, dimension: str
) -> Mapping[LatePlace, LateNumber]:
    """Of each locked cell that waits for a decision what it would say today. One query."""
    rows = OpenRestatement.objects.filter(
        node__in=nodes, grain__in=grains, period_start__gte=start, period_start__lt=end, dimension=dimension
    )
    return {
        (node, grain, first, member): LateNumber(value, absence or None)
        for node, grain, first, member, value, absence in rows.values_list(
            "node_id", "grain", "period_start", "member_id", "value", "absence"
        )
    }
