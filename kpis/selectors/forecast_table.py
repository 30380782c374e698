"""The deal forecast table (ヨミ表): what is won and what is open of a period, deal by deal, with its foot."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar

from django.db import connection

from kpis.choices import DimensionCode
from kpis.engine.landing import Fault, Rank, RollUp, expected_term, find_faults, roll_up
from kpis.engine.specs import Simple, parse_spec
from kpis.models import Deal, DimensionMember, KpiNode, Period
from kpis.selectors.matrix.axes import members_below
from kpis.selectors.measures import condition
from kpis.selectors.pipeline import Place, narrowed, read_parts, read_ranks
from kpis.selectors.postponements import Postponements, read_postponements
from kpis.selectors.records import find_version
from tenants.registry import Occasion, last_occasion

SHOWN_DEALS = 300
WITHOUT_OCCASION = timedelta(days=7)
BY_OWNER, BY_RANK = "owner", "rank"
ZERO = Decimal(0)
Row = TypeVar("Row")
Narrow = Mapping[str, Collection[int]]  # dimension → ids of members


@dataclass(frozen=True, slots=True)
class TableRow:
    """One deal. `worth` is its part in the number, None where its record does not say; `faults` keep it out."""

    deal: Deal
    is_won: bool
    worth: Decimal | None
    rank: str
    day: date | None
    faults: tuple[Fault, ...] = ()
    postponed: Postponements | None = None  # of the deals in groups alone

    @property
    def account(self) -> str:
        return self.deal.account.name if self.deal.account else ""

    @property
    def owner(self) -> str:
        owner = (self.deal.owner_at_close if self.is_won else None) or self.deal.owner
        return owner.name if owner else ""


@dataclass(frozen=True, slots=True)
class TableGroup:
    """The deals of one owner or rank ("" = none), or all won ones, the largest first, with what they add up to."""

    name: str
    is_won: bool
    rows: tuple[TableRow, ...]
    won: Decimal
    open: Decimal
    left_out: Decimal

    @property
    def total(self) -> Decimal:
        """What is won and what counts of the open ones."""
        return self.won + self.open


@dataclass(frozen=True, slots=True)
class ForecastTable:
    """All deals of a period in groups; `foot` adds up exactly these. `count` may exceed what the groups show."""

    groups: tuple[TableGroup, ...]
    foot: RollUp
    ranks: tuple[Rank, ...]
    count: int
    to_check: tuple[TableRow, ...]

    @property
    def shown_count(self) -> int:
        return sum(len(group.rows) for group in self.groups)

    @property
    def has_seen_postponements(self) -> bool:
        """Whether the source of a deal in a group does not say itself how often the deal was put off."""
        return any(row.deal.postponed_count is None for group in self.groups for row in group.rows)


def read_forecast_table(
    node: KpiNode,
    period: Period,
    *,
    member: DimensionMember | None,
    people: Collection[int] | None,
    by: str,
    today: date,
    limit: int | None = SHOWN_DEALS,
) -> ForecastTable | None:
    """The deals that the node's metric has won and may still win in a period; six queries.

    Only those credited to `member` and below it, and to `people` (members of the dimension person, None = all). None
    where the metric does not count won deals.
    """
    version = find_version(node.metric, day=period.start_date) if node.metric else None
    spec = parse_spec(version.spec) if version else None
    term = expected_term(spec) if spec else None
    if term is None or not isinstance(spec, Simple):
        return None
    ranks = read_ranks(today=today)
    narrow = narrow_to(member, people)
    place = Place(DimensionCode.COMPANY, {}, today)
    parts = read_parts(term, start=period.start_date, end=period.end_date, place=place, narrow=narrow)
    won = _read_won(spec, period, narrow)
    deals = Deal.objects.select_related("account", "owner", "owner_at_close").in_bulk(
        [*won, *(part.deal_id for part in parts)]
    )
    by_code = {rank.code: rank for rank in ranks}
    rows = [
        TableRow(deals[key], True, worth, deals[key].confidence, deals[key].closed_on) for key, worth in won.items()
    ]
    rows += [
        TableRow(
            deals[part.deal_id],
            False,
            part.deal.worth,
            part.deal.rank,
            part.deal.expected_close_on,
            find_faults(part.deal, today=today, ranks=by_code),
        )
        for part in parts
    ]
    rows.sort(key=lambda row: (-(row.worth or ZERO), row.deal.pk))
    postponed = read_postponements([row.deal for row in rows[:limit]])
    shown = [replace(row, postponed=postponed[row.deal.pk]) for row in rows[:limit]]
    return ForecastTable(
        groups=_groups(shown, by, ranks),
        foot=roll_up(sum(won.values(), ZERO), [part.deal for part in parts], ranks, today=today),
        ranks=ranks,
        count=len(rows),
        to_check=tuple(row for row in rows if row.faults),
    )


def narrow_to(member: DimensionMember | None, people: Collection[int] | None) -> Narrow:
    """Only what is credited to a member and below it, and to these members of the dimension person."""
    narrow: dict[str, Collection[int]] = {} if people is None else {DimensionCode.PERSON: people}
    if member is not None:
        code, below = member.dimension.code, set(members_below(member))
        narrow[code] = below & set(narrow[code]) if code in narrow else below
    return narrow


def _read_won(term: Simple, period: Period, narrow: Mapping[str, Collection[int]]) -> dict[int, Decimal]:
    """Deal → what it added to the number in the period."""
    where, params = condition(term)
    clauses = [where, *narrowed(narrow, params)]
    worth = {None: "e.weight", "amount": "e.amount", "gross_profit": "e.gross_profit"}[term.field]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT e.fact_id, sum({worth}) FROM kpis_kpievent e JOIN kpis_deal f ON f.id = e.fact_id"
            " WHERE e.kind = 'deals.closed_on' AND e.credit = %(credit)s AND e.date >= %(start)s AND e.date < %(end)s"
            f" AND {' AND '.join(clauses)} GROUP BY e.fact_id",
            {**params, "credit": term.credit, "start": period.start_date, "end": period.end_date},
        )
        return dict(cursor.fetchall())


def _groups(rows: Sequence[TableRow], by: str, ranks: Sequence[Rank]) -> tuple[TableGroup, ...]:
    """By owner in order of name; by rank what is won first, then from the surest down, unknown ranks last."""
    gathered: dict[tuple[bool, str], list[TableRow]] = defaultdict(list)
    for row in rows:
        key = (False, row.owner) if by == BY_OWNER else (row.is_won, "" if row.is_won else row.rank)
        gathered[key].append(row)
    if by == BY_OWNER:
        return tuple(_group(name, found) for (_won, name), found in sorted(gathered.items()))
    names = {rank.code: rank.name for rank in ranks}
    order = [(True, ""), *((False, code) for code in names)]
    keys = [*(key for key in order if key in gathered), *(key for key in gathered if key not in order)]
    return tuple(_group(names.get(key[1], key[1]), gathered[key], is_won=key[0]) for key in keys)


def _group(name: str, rows: Sequence[TableRow], *, is_won: bool = False) -> TableGroup:
    won = [row.worth or ZERO for row in rows if row.is_won]
    counted = [row.worth or ZERO for row in rows if not row.is_won and not row.faults]
    left = [row.worth or ZERO for row in rows if row.faults]
    return TableGroup(name, is_won, tuple(rows), sum(won, ZERO), sum(counted, ZERO), sum(left, ZERO))


@dataclass(frozen=True, slots=True)
class Excerpt(Generic[Row]):
    """The first rows of a list, and how many it has."""

    rows: Sequence[Row]
    count: int

    @property
    def more(self) -> int:
        return self.count - len(self.rows)


@dataclass(frozen=True, slots=True)
class DealChange:
    """One field of one deal that changed: from what to what, as the source wrote it."""

    deal: Deal
    field: str
    old: str
    new: str
    at: datetime


TOLD_FIELDS = ("outcome", "expected_close_on", "confidence", "amount")


@dataclass(frozen=True, slots=True)
class Since:
    """From when on changes are told: an occasion that people remember, or seven days where there was none."""

    at: datetime
    occasion: Occasion | None


def read_since(goal: KpiNode, *, now: datetime, language: str) -> Since:
    """The last occasion at which the KGI was looked at together, as a meeting of its series."""
    occasion = last_occasion(node=goal, now=now, language=language)
    return Since(occasion.at if occasion else now - WITHOUT_OCCASION, occasion)


def read_deal_changes(
    period: Period, *, since: datetime, owners: Collection[int] | None, limit: int | None = None
) -> Excerpt[DealChange]:
    """What changed in the deals of a period since a moment, latest first; two queries. Without a limit all of it.

    A deal is of the period while it is expected or closed in it, or was expected in it before the change. `owners` are
    persons' own ids (None = everybody).
    """
    params: dict[str, Any] = {"since": since, "start": period.start_date, "end": period.end_date, "limit": limit}
    owned = "true"
    if owners is not None:
        owned, params["owners"] = "f.owner_id = ANY(%(owners)s)", list(owners)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT c.fact_id, told.key, told.value->>0, told.value->>1, c.at, count(*) OVER ()
            FROM kpis_factchange c JOIN kpis_deal f ON f.id = c.fact_id
            CROSS JOIN LATERAL jsonb_each(c.changes) AS told
            WHERE c.fact = 'deals' AND c.at >= %(since)s AND f.deleted_at IS NULL AND {owned}
              AND told.key = ANY(%(fields)s) AND (
                f.expected_close_on >= %(start)s AND f.expected_close_on < %(end)s
                OR f.closed_on >= %(start)s AND f.closed_on < %(end)s
                OR (c.changes->'expected_close_on'->>0)::date >= %(start)s
                   AND (c.changes->'expected_close_on'->>0)::date < %(end)s)
            ORDER BY c.at DESC, c.id DESC, told.key LIMIT %(limit)s
            """,
            {**params, "fields": list(TOLD_FIELDS)},
        )
        rows = cursor.fetchall()
    deals = Deal.objects.select_related("account", "owner").in_bulk([row[0] for row in rows])
    told = [DealChange(deals[key], field, old or "", new or "", at) for key, field, old, new, at, _count in rows]
    return Excerpt(told, rows[0][-1] if rows else 0)
