"""Open deals as the roll-up reads them, and the ranks by which it weighs them."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Q

from kpis.choices import DimensionCode, Outcome
from kpis.engine.landing import OpenDeal, Rank, rank_order, usual_weight
from kpis.engine.specs import Simple
from kpis.models import ConfidenceRank, Deal
from kpis.selectors.kept import read_kept
from kpis.selectors.measures import condition

MEASURED_OVER = timedelta(days=365)
MEASURED_FOR = 3600  # seconds: a year of closed deals says the same an hour later
CLOSED_OUTCOMES = (Outcome.WON, Outcome.LOST, Outcome.NO_DECISION)

Lineage = Mapping[int, tuple[int, ...]]

# The day on which a deal `f` last entered a phase.
PHASE_ENTERED = (
    "(SELECT max(s.entered_at)::date FROM kpis_dealstageevent s WHERE s.deal_id = f.id AND s.deleted_at IS NULL)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when one looks: a dimension with the lineage of its members (the company: none), on a day."""

    dimension: str
    lineage: Lineage
    today: date

    @property
    def member_column(self) -> str:
        """SQL of the member of an event `e`."""
        is_company = self.dimension == DimensionCode.COMPANY
        return "NULL::bigint" if is_company else f"e.{DimensionCode(self.dimension).value}_id"

    def line_of(self, member: int | None) -> tuple[int | None, ...]:
        """A member and everything above it: all to whom its numbers go."""
        return (None,) if member is None else self.lineage.get(member, (member,))


def read_ranks(*, today: date) -> tuple[Rank, ...]:
    """The company's ranks, the surest first, with what became of the deals of the last year that closed with them.

    A rank that open deals carry and nobody has described yet stands in its usual place with its usual weight.
    """
    rows = list(ConfidenceRank.objects.all())
    carried = read_kept(
        "SELECT DISTINCT confidence FROM kpis_deal WHERE outcome = 'open' AND deleted_at IS NULL AND confidence <> ''",
        {},
    )
    new = {code for (code,) in carried} - {row.code for row in rows}
    known = [Rank(row.code, row.name, row.weight) for row in rows]
    known += [Rank(code, code, usual_weight(code)) for code in sorted(new, key=rank_order)]
    if not rows:
        known.sort(key=lambda rank: rank_order(rank.code))
    measured = _closed_by_rank(today) if known else {}
    return tuple(_with_cases(rank, *measured.get(rank.code, (0, 0))) for rank in known)


def _with_cases(rank: Rank, won: int, closed: int) -> Rank:
    return replace(rank, won=Decimal(won), closed=Decimal(closed))


def _closed_by_rank(today: date) -> Mapping[str, tuple[int, int]]:
    """Rank → won and closed deals of the year before today, by the rank with which they closed."""
    key = f"closed-by-rank:{today}"
    found: dict[str, tuple[int, int]] | None = cache.get(key)
    if found is None:
        closed = Deal.objects.filter(outcome__in=CLOSED_OUTCOMES, deleted_at=None)
        closed = closed.filter(closed_on__gt=today - MEASURED_OVER, closed_on__lte=today).exclude(confidence="")
        counted = closed.order_by().values("confidence").annotate(n=Count("pk"), won=Count("pk", Q(outcome="won")))
        found = {row["confidence"]: (row["won"], row["n"]) for row in counted}
        cache.set(key, found, MEASURED_FOR)
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """The part of one open deal that belongs to one leaf member (None where members are not told apart)."""

    deal_id: int
    member: int | None
    deal: OpenDeal


def read_open_deals(term: Simple, *, start: date, end: date, place: Place) -> dict[int | None, list[OpenDeal]]:
    """Member (None = the company) → the open deals that a period may still win; one query.

    `term` is what kpis.engine.landing.expected_term made of the metric. Those are the deals expected in [start, end);
    of a period that has begun also those expected before, which nobody has moved on. A deal stands at its own member
    and at every one above; each member has its credited share of it. Deals that differ in their worth alone are one.
    """
    parts, params = _parts(term, start=start, end=end, place=place)
    rows = read_kept(
        "SELECT member, sum(worth), confidence, expected_close_on, moved_on, is_unpriced, count(*)"
        f" FROM ({parts}) AS parts GROUP BY member, confidence, expected_close_on, moved_on, is_unpriced,"
        " worth IS NULL",
        params,
    )
    deals: dict[int | None, list[OpenDeal]] = defaultdict(list)
    for leaf, *fields in rows:
        deal = OpenDeal(*fields)
        for each in place.line_of(leaf):
            deals[each].append(deal)
    return dict(deals)


def read_parts(
    term: Simple, *, start: date, end: date, place: Place, narrow: Mapping[str, Collection[int]] | None = None
) -> list[Part]:
    """The same deal by deal; `narrow` keeps what is credited to these members (dimension → ids); one query."""
    parts, params = _parts(term, start=start, end=end, place=place, narrow=narrow)
    with connection.cursor() as cursor:
        cursor.execute(parts, params)
        rows = cursor.fetchall()
    return [Part(deal_id, leaf, OpenDeal(*fields)) for deal_id, leaf, *fields in rows]


def _parts(
    term: Simple, *, start: date, end: date, place: Place, narrow: Mapping[str, Collection[int]] | None = None
) -> tuple[str, dict[str, Any]]:
    """SQL of one row per open deal and leaf member, and its parameters: id, member, then the fields of an OpenDeal."""
    where, params = condition(replace(term, aggregate="count", field=None))
    clauses = [where, *narrowed(narrow or {}, params)]
    worth = {None: "e.weight", "amount": "e.amount", "gross_profit": "e.gross_profit"}[term.field]
    params |= {"credit": term.credit, "end": end, "start": start if start > place.today else date.min}
    unpriced = "false" if term.field is None else "bool_or(e.is_rate_missing)"
    sql = f"""
        SELECT f.id, {place.member_column} AS member, sum({worth}) AS worth, f.confidence, f.expected_close_on,
               greatest(f.last_activity_on, f.created_on, {PHASE_ENTERED}) AS moved_on,
               {unpriced} AS is_unpriced
        FROM kpis_deal f
        JOIN kpis_kpievent e ON e.fact_id = f.id AND e.kind = 'deals.expected_close_on' AND e.credit = %(credit)s
        WHERE f.outcome = 'open' AND f.deleted_at IS NULL
          AND f.expected_close_on >= %(start)s AND f.expected_close_on < %(end)s AND {" AND ".join(clauses)}
        GROUP BY f.id, 2
    """
    return sql, params


def narrowed(narrow: Mapping[str, Collection[int]], params: dict[str, Any]) -> list[str]:
    """SQL that keeps the events `e` of these members, whose ids are added to the parameters."""
    clauses = []
    for dimension, members in narrow.items():
        params[f"only_{dimension}"] = list(members)
        clauses.append(f"e.{DimensionCode(dimension).value}_id = ANY(%(only_{dimension})s)")
    return clauses
