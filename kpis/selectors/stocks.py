"""What stands open on a day, by member: the pipeline as it is now, and contracts that fall due."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection

from kpis.engine.specs import Filter, Simple
from kpis.selectors.measures import condition
from kpis.selectors.pipeline import Place


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Deals of one member: how many (shares add up), and their amount in the company's currency.

    Deals without amount count but add nothing; `is_unpriced` where an exchange rate is missing for one.
    """

    count: Decimal
    amount: Decimal
    is_unpriced: bool


NOTHING = Pipeline(Decimal(0), Decimal(0), False)


def read_open_pipeline(place: Place, filters: Sequence[Filter] = ()) -> Mapping[int | None, Pipeline]:
    """Member (None = the company) → its open deals with a creation date, whenever they may close; one query."""
    where, params = condition(Simple("deals", "created_on", "count", filters=tuple(filters)))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {place.member_column}, sum(e.weight), coalesce(sum(e.amount), 0), bool_or(e.is_rate_missing)
            FROM kpis_deal f
            JOIN kpis_kpievent e ON e.fact_id = f.id AND e.kind = 'deals.created_on' AND e.credit = 'revenue'
            WHERE f.outcome = 'open' AND f.deleted_at IS NULL AND {where} GROUP BY 1
            """,
            params,
        )
        return _added_up(place, cursor.fetchall())


def read_order_backlog(place: Place, *, since: date) -> Mapping[int | None, Pipeline]:
    """Member (None = the company) → deals won and what of their amount is not recognised as revenue yet; one query.

    Of deals won from `since` on, the day from which revenue is known: of earlier ones nobody can say what is left. What
    is recognised of a deal goes to its members as the deal does. `is_unpriced` as for the pipeline.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH won AS (
                SELECT e.fact_id, {place.member_column} AS member, sum(e.weight) AS weight,
                       coalesce(sum(e.amount), 0) AS amount, bool_or(e.is_rate_missing) AS is_unpriced
                FROM kpis_kpievent e
                WHERE e.kind = 'deals.closed_on' AND e.credit = 'revenue' AND e.outcome = 'won'
                  AND e.date >= %(since)s AND e.date <= %(today)s
                GROUP BY 1, 2
            ), recognised AS (
                SELECT r.deal_id, coalesce(sum(e.amount), 0) AS amount, bool_or(e.is_rate_missing) AS is_unpriced
                FROM kpis_kpievent e JOIN kpis_revenueline r ON r.id = e.fact_id
                WHERE e.kind = 'revenues.recognized_on' AND e.credit = 'revenue' AND e.date <= %(today)s
                GROUP BY 1
            )
            SELECT w.member, sum(w.weight), sum(w.amount - w.weight * coalesce(r.amount, 0)),
                   bool_or(w.is_unpriced OR coalesce(r.is_unpriced, false))
            FROM won w LEFT JOIN recognised r ON r.deal_id = w.fact_id GROUP BY 1
            """,
            {"since": since, "today": place.today},
        )
        return _added_up(place, cursor.fetchall())


def _added_up(place: Place, rows: Sequence[tuple[int | None, Decimal, Decimal, bool]]) -> Mapping[int | None, Pipeline]:
    """Rows of leaf members, added to everything above them."""
    found: dict[int | None, Pipeline] = defaultdict(lambda: NOTHING)
    for leaf, count, amount, is_unpriced in rows:
        for each in place.line_of(leaf):
            before = found[each]
            found[each] = Pipeline(
                before.count + count, before.amount + amount, before.is_unpriced or bool(is_unpriced)
            )
    return dict(found)


def read_renewals_due(
    place: Place, *, start: date, end: date, filters: Sequence[Filter] = ()
) -> Mapping[int | None, Decimal]:
    """Member (None = the company) → contracts that fall due for renewal in [start, end); one query."""
    where, params = condition(Simple("contracts", "renewal_due_on", "count", filters=tuple(filters)))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {place.member_column}, sum(e.weight) FROM kpis_kpievent e JOIN kpis_contract f ON f.id = e.fact_id"
            " WHERE e.kind = 'contracts.renewal_due_on' AND e.credit = 'revenue'"
            f" AND e.date >= %(start)s AND e.date < %(end)s AND {where} GROUP BY 1",
            {"start": start, "end": end, **params},
        )
        rows = cursor.fetchall()
    found: dict[int | None, Decimal] = defaultdict(Decimal)
    for leaf, count in rows:
        for each in place.line_of(leaf):
            found[each] += count
    return dict(found)
