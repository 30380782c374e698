"""The facts behind a number: exactly those which the measure counted, each with what it gives to the number."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import connection

from kpis.choices import DimensionCode
from kpis.engine import specs
from kpis.engine.sides import Counted, Signed
from kpis.engine.specs import Simple
from kpis.models import (
    DimensionMember,
    Metric,
    MetricVersion,
    Period,
)
from kpis.models.resources import MODELS
from kpis.selectors.matrix.axes import members_below
from kpis.selectors.measures import condition, measure, weighted_value

Stretch = tuple[date, date]  # from a day to before a day
RELATED = ("account", "owner", "owner_at_close", "deal", "lead")
_RESULTS = ("outcome", "stage", "phase", "status", "score", "kind", "subscription")


@dataclass(frozen=True, slots=True)
class Record:
    """One fact or customer behind a number. `weight` and `amount` are its part (shares; company currency).

    `share` is what it gives to the listed side: the shares of all add up to it (of a median: each is one case; None
    where it cannot be told). Of a customer in a retention `before` and `after` are its monthly amounts at the start and
    at the end of the window, and `records` the contracts, orders or sales behind it, the latest ten.
    """

    fact: str
    source: str
    external_id: str
    name: str
    account: str
    owner: str
    date: date
    weight: Decimal
    amount: Decimal | None
    result: str
    url: str
    share: Decimal | None = None
    before: Decimal | None = None
    after: Decimal | None = None
    records: tuple["Record", ...] = ()


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A slice of the records, how many there are in all, and what all of them give: the sum (or median) of shares."""

    records: tuple[Record, ...]
    count: int
    total: Decimal | None


@dataclass(frozen=True, slots=True)
class Where:
    """Whose records are asked for: a member with those below it (None = the company), and credited to whom.

    `people` narrows to what is credited to these members of the dimension person (None = everybody). `org` "now" takes
    in the teams that the member replaced.
    """

    dimension: str = DimensionCode.COMPANY
    member: DimensionMember | None = None
    people: Collection[int] | None = None
    org: str = "then"

    @property
    def is_credited(self) -> str:
        """SQL that is true of the events (e) credited to the people."""
        return "true" if self.people is None else "e.person_id = ANY(%(people)s)"

    def clauses(self) -> tuple[str, dict[str, Any]]:
        """SQL that is true of the events (e) of these, and its parameters."""
        clauses, params = [self.is_credited], {"people": list(self.people or ())}
        if self.member is not None:
            clauses.append(f"e.{DimensionCode(self.dimension).value}_id = ANY(%(members)s)")
            params["members"] = members_below(self.member, org=self.org)
        return " AND ".join(clauses), params


def find_version(metric: Metric, *, day: date) -> MetricVersion | None:
    """The definition of a metric in force on a day; before the first one, the first."""
    versions = list(MetricVersion.objects.filter(metric=metric).order_by("number"))
    in_force = [row for row in versions if row.effective_from is None or row.effective_from <= day]
    return in_force[-1] if in_force else next(iter(versions), None)


def read_counted(side: Counted, period: Period, where: Where, *, offset: int = 0, limit: int = 50) -> RecordPage:
    """The facts on a side of a number in a period, latest first; at most four queries."""
    parts = [_listed(part, side, period, where) for part in side.parts]
    listed = " UNION ALL ".join(sql for sql, _params in parts)
    params = {name: value for _sql, named in parts for name, value in named.items()}
    total = "percentile_cont(0.5) WITHIN GROUP (ORDER BY share)" if side.is_median else "sum(share)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH listed AS ({listed}) SELECT fact_id, date, weight, amount, share,"
            f" (SELECT count(*) FROM listed), (SELECT {total} FROM listed) FROM listed"
            " ORDER BY date DESC, fact_id DESC OFFSET %(offset)s LIMIT %(limit)s",
            {**params, "offset": offset, "limit": limit},
        )
        found = cursor.fetchall()
    rows = read_rows(side.fact, [fact_id for fact_id, *_rest in found])
    records = tuple(
        record_of(side.fact, rows[fact_id], date=day, weight=weight, amount=amount, share=share)
        for fact_id, day, weight, amount, share, _count, _total in found
    )
    *_first, count, summed = found[0] if found else (0, None)
    return RecordPage(records, count, None if summed is None else Decimal(str(summed)))


def side_opens(side: Counted, period: Period) -> date:
    """The day from which on the records of a side count."""
    return window_opens(side.months, period) if side.months else period.start_date


def window_opens(months: int, period: Period) -> date:
    """The day on which the months open that end with a period; with 0 that is the beginning of all time."""
    if not months:
        return date.min
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT least(%s, (%s - make_interval(months => %s))::date)",
            [period.start_date, period.end_date, months],
        )
        opens: date = cursor.fetchone()[0]
    return opens


def _listed(part: Signed, side: Counted, period: Period, where: Where) -> tuple[str, dict[str, Any]]:
    """SQL of one row per fact that a term counts (fact_id, date, weight, amount, share), and its parameters."""
    stretch = None if side.is_stock else (side_opens(side, period), period.end_date)
    if part.term.aggregate in {"median", "distinct"}:
        return _whole_facts(part.term, stretch, where)
    events, params = matching_events(part.term, stretch, where)
    is_cases = side.is_cases or part.term.aggregate == "count"
    share = "sum(e.weight)" if is_cases else f"sum({weighted_value(part.term)})"
    return (
        "SELECT e.fact_id, min(e.date) AS date, sum(e.weight) AS weight, sum(e.amount) AS amount,"
        f" {part.sign} * {share} AS share {events} GROUP BY e.fact_id"
    ), params


def _whole_facts(term: Simple, stretch: Stretch | None, where: Where) -> tuple[str, dict[str, Any]]:
    """The same of what is measured of whole facts: of a median each is a case; a distinct thing counts once."""
    of_term, key = measure(term), specs.measure_key(term)
    place, params = _place(term, stretch, where)
    value = of_term.of_fact[key]
    rows = (
        f"SELECT e.fact_id, e.date, sum(e.weight) AS weight, sum(e.amount) AS amount, {value} AS share"
        f" FROM kpis_kpievent e JOIN {MODELS[term.fact]._meta.db_table} f ON f.id = e.fact_id {of_term.join}"
        f" WHERE {place} AND {of_term.where} GROUP BY e.date, e.fact_id HAVING {value} IS NOT NULL"
    )
    if term.aggregate == "distinct":
        first = "CASE WHEN row_number() OVER (PARTITION BY share ORDER BY date, fact_id) = 1 THEN 1 ELSE 0 END"
        rows = f"SELECT fact_id, date, weight, amount, {first} AS share FROM ({rows}) AS valued"
    return rows, {**params, **of_term.params}


def matching_events(term: Simple, stretch: Stretch | None, where: Where) -> tuple[str, dict[str, Any]]:
    """SQL from FROM on of the events (e) with their facts (f) that a term counts, and its parameters.

    Without a stretch (from a day to before a day) those of all time.
    """
    place, params = _place(term, stretch, where)
    counted, of_term = condition(term)
    return (
        f"FROM kpis_kpievent e JOIN {MODELS[term.fact]._meta.db_table} f ON f.id = e.fact_id"
        f" WHERE {place} AND {counted}"
    ), params | of_term


def _place(term: Simple, stretch: Stretch | None, where: Where) -> tuple[str, dict[str, Any]]:
    """SQL that is true of the events of a term's kind and credit in a stretch of days, and its parameters."""
    limits, params = where.clauses()
    params |= {"kind": specs.event_kind(term), "credit": term.credit}
    if stretch is not None:
        limits += " AND e.date >= %(start)s AND e.date < %(end)s"
        params |= {"start": stretch[0], "end": stretch[1]}
    return f"e.kind = %(kind)s AND e.credit = %(credit)s AND {limits}", params


def read_rows(fact: str, ids: Sequence[int]) -> Mapping[int, Any]:
    """Id → row of a kind of fact, with what its words name."""
    model = MODELS[fact]
    named = {field.name for field in model._meta.get_fields()}
    return model._default_manager.select_related(*(name for name in RELATED if name in named)).in_bulk(ids)


def record_of(fact: str, row: Any, **part: Any) -> Record:
    """A row as a record, with its part in the number."""
    through = None if fact == "deals" else getattr(row, "deal", None) or getattr(row, "lead", None)
    account = getattr(row, "account", None)
    owner = getattr(row, "owner_at_close", None) or getattr(row, "owner", None)
    return Record(
        **{
            "fact": fact,
            "source": row.source,
            "external_id": row.external_id,
            "name": str(through or row),
            "account": account.name if account else "",
            "owner": owner.name if owner else "",
            "result": _result(row),
            "url": row.source_url,
            **part,
        }
    )


def _result(row: Any) -> str:
    name = next((name for name in _RESULTS if getattr(row, name, None) not in (None, "")), None)
    if name is None:
        return ""
    display = getattr(row, f"get_{name}_display", None)
    return str(display() if display else getattr(row, name))
