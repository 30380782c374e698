"""Deals that ended without an order: why, against whom, how far they had come, and whose they were."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection

from kpis.models import DimensionMember, Period
from kpis.selectors.forecast_table import Excerpt, narrow_to
from kpis.selectors.kept import read_kept
from kpis.selectors.pipeline import narrowed


@dataclass(frozen=True, slots=True)
class Loss:
    """Deals lost for one reason to one competitor in one phase by one person; "" where the record does not say.

    The phase is the last open one before the close, never the one that says that a deal is closed.
    """

    reason: str
    competitor: str
    phase: str
    owner: str
    count: int
    amount: Decimal | None


# A phase closes deals where closed deals stand in it, no open deal does, and the company calls it no step of its sale:
# no source says it otherwise. The order of the history tells what came before it; the day of the close does not, for
# people leave the day on which they expected it, or correct it. A deal that stood in its phase before the day of its
# close may have been closed by another field: unless the company has said which phases are steps, nobody knows.
_OPEN = "SELECT DISTINCT phase FROM kpis_deal WHERE outcome = 'open' AND deleted_at IS NULL"
_LOSSES = """
    WITH closed AS MATERIALIZED (
        SELECT f.id, f.phase, f.closed_on, f.lost_reason, f.competitor, e.amount,
               coalesce(f.owner_at_close_id, f.owner_id) AS owner_id,
               e.outcome IN ('lost', 'no_decision') AND {asked} AS is_asked
        FROM kpis_kpievent e JOIN kpis_deal f ON f.id = e.fact_id
        WHERE e.kind = 'deals.closed_on' AND e.credit = 'revenue' AND e.outcome IN ('won', 'lost', 'no_decision')
          AND e.date >= %(start)s AND e.date < %(end)s
    ), closing AS MATERIALIZED (
        SELECT DISTINCT phase FROM closed WHERE phase <> '' AND phase <> ALL(%(open)s)
            AND phase NOT IN (SELECT code FROM kpis_dealphase WHERE step IS NOT NULL)
    ), lost AS (
        SELECT c.id, c.lost_reason, c.competitor, c.owner_id, c.amount, CASE
            WHEN is_closing AND past.stood_in = c.phase
                AND NOT EXISTS (SELECT FROM kpis_dealphase WHERE step IS NOT NULL) THEN ''
            ELSE coalesce(past.last_open, CASE WHEN is_closing THEN '' ELSE c.phase END) END AS phase
        FROM closed c
        CROSS JOIN LATERAL (SELECT c.phase IN (SELECT phase FROM closing) AS is_closing) known
        CROSS JOIN LATERAL (
            SELECT (array_agg(s.phase ORDER BY s.entered_at DESC, s.id DESC)
                       FILTER (WHERE s.phase NOT IN (SELECT phase FROM closing)))[1] AS last_open,
                   (array_agg(s.phase ORDER BY s.entered_at DESC, s.id DESC)
                       FILTER (WHERE (s.entered_at AT TIME ZONE %(zone)s)::date < c.closed_on))[1] AS stood_in
            FROM kpis_dealstageevent s WHERE s.deal_id = c.id AND s.deleted_at IS NULL
        ) past
        WHERE c.is_asked
    )
    SELECT l.lost_reason, l.competitor, l.phase, coalesce(p.name, ''), count(DISTINCT l.id), sum(l.amount),
           count(*) OVER ()
    FROM lost l LEFT JOIN kpis_person p ON p.id = l.owner_id
    GROUP BY 1, 2, 3, 4 ORDER BY 6 DESC NULLS LAST, 5 DESC, 1, 2, 3, 4 LIMIT %(limit)s
"""


def read_losses(
    period: Period, *, member: DimensionMember | None, people: Collection[int] | None, limit: int | None = None
) -> Excerpt[Loss]:
    """Deals that ended without an order in a period (lost or no decision), the most money first.

    One query, and one more for the phases of open deals, which are read once for each version of the values.
    `people` are members of the dimension person; without a limit all lines. Amounts in the company's currency, None
    where no deal has one.
    """
    params: dict[str, Any] = {
        "start": period.start_date,
        "end": period.end_date,
        "limit": limit,
        "open": [phase for (phase,) in read_kept(_OPEN, {})],
        "zone": settings.TIME_ZONE,
    }
    clauses = ["true", *narrowed(narrow_to(member, people), params)]
    with connection.cursor() as cursor:
        cursor.execute(_LOSSES.format(asked=" AND ".join(clauses)), params)
        rows = cursor.fetchall()
    return Excerpt([Loss(*row[:-1]) for row in rows], rows[0][-1] if rows else 0)
