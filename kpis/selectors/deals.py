"""Deals to check (要確認の商談): open ones whose record cannot be right, and lost ones that do not say why.

What is wrong with an open deal decides `kpis.engine.landing.find_faults`, here as in the deal forecast table.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from kpis.engine.landing import LONGEST_REST, Fault, OpenDeal, find_faults
from kpis.models import Deal, DimensionMember, Period
from kpis.selectors.forecast_table import ForecastTable, Narrow, narrow_to
from kpis.selectors.kept import read_kept, read_rows
from kpis.selectors.pipeline import PHASE_ENTERED, narrowed, read_ranks
from tenants.settings.selectors import company_settings

ZERO = Decimal(0)
EVERY = 2**31 - 1  # no array is longer
LOST_FOR = timedelta(days=30)  # whoever lost a deal longer ago does not remember why


@dataclass(frozen=True, slots=True)
class DealToCheck:
    """One deal to look at in the CRM, and why. `worth` in the company's currency, None where it is not known.

    `day` is when an open deal is expected and when a lost one was lost; `days_late` how long ago the expected day was.
    """

    deal: Deal
    worth: Decimal | None
    day: date | None
    days_late: int
    faults: tuple[Fault, ...]

    @property
    def account(self) -> str:
        return self.deal.account.name if self.deal.account else ""

    @property
    def owner(self) -> str:
        owner = (self.deal.owner_at_close if Fault.NO_REASON in self.faults else None) or self.deal.owner
        return owner.name if owner else ""


@dataclass(frozen=True, slots=True)
class DealsToCheck:
    """The largest of them, how many there are in all, and how many for each reason (a deal may have several)."""

    first: tuple[DealToCheck, ...]
    count: int
    by_fault: Mapping[Fault, int]

    @property
    def more(self) -> int:
        return self.count - len(self.first)


def read_deals_to_check(
    *, people: Collection[int] | None, today: date, limit: int | None = None, fault: Fault | None = None
) -> DealsToCheck:
    """The deals of `people` (primary keys of persons; None = everybody) that have a fault, or this one; five queries.

    All open deals, whenever they are expected, and those lost without a reason in the last 30 days.
    """
    groups = [
        *_read_open(people, today=today, limit=limit),
        _read_lost(today - LOST_FOR, today + timedelta(days=1), limit=limit, people=people),
    ]
    return _told(groups, today=today, limit=limit, fault=fault)


def deals_to_check_of(
    table: ForecastTable, period: Period, *, member: DimensionMember | None, people: Collection[int] | None, today: date
) -> DealsToCheck:
    """Those of a deal forecast table, and the deals lost in its period without a reason; two queries.

    As the table only those credited to `member` and below it, and to `people` (members of the dimension person).
    """
    groups = [_Group(row.faults, 1, ((row.deal.pk, row.worth),)) for row in table.to_check]
    lost = _read_lost(period.start_date, period.end_date, narrow=narrow_to(member, people))
    return _told([*groups, lost], today=today)


@dataclass(frozen=True, slots=True)
class _Group:
    """Deals with the same faults: how many, and the largest of them with their worth."""

    faults: tuple[Fault, ...]
    count: int
    largest: tuple[tuple[int, Decimal | None], ...]


def _told(
    groups: Sequence[_Group], *, today: date, limit: int | None = None, fault: Fault | None = None
) -> DealsToCheck:
    by_fault: Counter[Fault] = Counter()
    for group in groups:
        by_fault.update({each: group.count for each in group.faults if group.count})
    asked = [group for group in groups if fault is None or fault in group.faults]
    found = [(worth, deal, group.faults) for group in asked for deal, worth in group.largest]
    found.sort(key=lambda each: (each[0] is None, -(each[0] or ZERO), each[1]))
    deals = Deal.objects.select_related("account", "owner", "owner_at_close").in_bulk(
        [deal for _worth, deal, _faults in found[:limit]]
    )
    # one that was kept may be gone by now
    first = tuple(_deal(deals[deal], worth, faults, today) for worth, deal, faults in found[:limit] if deal in deals)
    ordered = {each: by_fault[each] for each in Fault if by_fault[each]}
    return DealsToCheck(first, sum(group.count for group in asked), ordered)


def _deal(deal: Deal, worth: Decimal | None, faults: tuple[Fault, ...], today: date) -> DealToCheck:
    day = deal.closed_on if Fault.NO_REASON in faults else deal.expected_close_on
    is_late = Fault.PAST_EXPECTED in faults and day is not None
    return DealToCheck(deal, worth, day, (today - day).days if is_late and day else 0, faults)


def _read_open(people: Collection[int] | None, *, today: date, limit: int | None) -> Iterator[_Group]:
    """Open deals that differ in their worth alone are judged together, so that many cost little."""
    owned = "true" if people is None else "f.owner_id = ANY(%(people)s)"
    ranks = {rank.code: rank for rank in read_ranks(today=today)}
    # A deal that moved lately needs no look at its phases; money in another currency is as its events converted it.
    sql = f"""
        SELECT confidence, expected_close_on, moved_on, worth IS NULL, is_unpriced, count(*),
               (array_agg(id ORDER BY worth DESC NULLS LAST, id))[1:%(limit)s],
               (array_agg(worth ORDER BY worth DESC NULLS LAST, id))[1:%(limit)s]
        FROM (
            SELECT f.id, f.confidence, f.expected_close_on,
                   CASE WHEN greatest(f.last_activity_on, f.created_on) >= %(rested)s
                        THEN greatest(f.last_activity_on, f.created_on)
                        ELSE greatest(f.last_activity_on, f.created_on, {PHASE_ENTERED}) END AS moved_on,
                   CASE WHEN f.currency IN ('', %(currency)s) THEN f.amount ELSE converted.amount END AS worth,
                   coalesce(converted.is_rate_missing, false) AS is_unpriced
            FROM kpis_deal f
            LEFT JOIN LATERAL (
                SELECT sum(e.amount) AS amount, bool_or(e.is_rate_missing) AS is_rate_missing
                FROM kpis_kpievent e
                WHERE e.fact_id = f.id AND e.credit = 'revenue' AND f.currency NOT IN ('', %(currency)s)
                  AND e.kind = CASE WHEN f.expected_close_on IS NULL
                                    THEN 'deals.created_on' ELSE 'deals.expected_close_on' END
            ) converted ON true
            WHERE f.outcome = 'open' AND f.deleted_at IS NULL AND {owned}
        ) AS deals
        GROUP BY 1, 2, 3, 4, 5
    """  # noqa: S608 - only names of columns
    params = {
        "people": None if people is None else list(people),
        "currency": company_settings().currency,
        "rested": today - LONGEST_REST,
        "limit": EVERY if limit is None else limit,
    }
    for confidence, expected, moved, is_worthless, is_unpriced, count, ids, worths in (
        read_rows if limit is None else read_kept
    )(sql, params):
        judged = OpenDeal(None if is_worthless else ZERO, confidence, expected, moved, is_unpriced)
        faults = find_faults(judged, today=today, ranks=ranks)
        if faults:
            yield _Group(faults, count, tuple(zip(ids, worths, strict=True)))


def _read_lost(
    start: date,
    end: date,
    *,
    limit: int | None = None,
    people: Collection[int] | None = None,
    narrow: Narrow | None = None,
) -> _Group:
    """Deals lost in [start, end) without a reason, of their owners at close or of the members they are credited to."""
    params: dict[str, Any] = {"start": start, "end": end, "limit": EVERY if limit is None else limit}
    clauses = ["e.fact_id = f.id", "e.kind = 'deals.closed_on'", "e.credit = 'revenue'"]
    clauses += narrowed(narrow or {}, params)
    owned, worth = "true", "credited.worth"
    if people is not None:
        owned = "coalesce(f.owner_at_close_id, f.owner_id) = ANY(%(people)s)"
        params["people"] = list(people)
    if not narrow:  # only money in another currency is as its events converted it
        params["currency"] = company_settings().currency
        worth = "CASE WHEN f.currency IN ('', %(currency)s) THEN f.amount ELSE credited.worth END"
        clauses.append("f.currency NOT IN ('', %(currency)s)")
    sql = f"""
        SELECT f.id, {worth} AS worth, count(*) OVER ()
        FROM kpis_deal f CROSS JOIN LATERAL (
            SELECT sum(e.amount) AS worth, count(*) AS n FROM kpis_kpievent e WHERE {" AND ".join(clauses)}
        ) credited
        WHERE f.outcome = 'lost' AND f.lost_reason = '' AND f.closed_on >= %(start)s AND f.closed_on < %(end)s
          AND f.deleted_at IS NULL AND {owned} AND {"credited.n > 0" if narrow else "true"}
        ORDER BY worth DESC NULLS LAST, f.id LIMIT %(limit)s
    """  # noqa: S608 - clauses with parameters
    rows = (read_rows if limit is None else read_kept)(sql, params)
    count = rows[0][2] if rows else 0
    return _Group((Fault.NO_REASON,), count, tuple((deal, worth) for deal, worth, _count in rows))
