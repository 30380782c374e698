"""The company's own lags: in how many months a lead, an MQL, an SQL or a deal becomes what it became."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.db import connection

from kpis.choices import DimensionCode
from kpis.engine.close_profile import CloseProfile, LagCount, close_profile
from kpis.engine.specs import Filter, Simple
from kpis.models import DimensionMember
from kpis.selectors.matrix.axes import members_below
from kpis.selectors.measures import condition

DEAL_STARTS = "deals.created_on"
LEAD_STAGES = ("leads.created_on", "leads.mql_on", "leads.sql_on")
STARTS = (*LEAD_STAGES, DEAL_STARTS)
_TABLES = {"deals": "kpis_deal", "leads": "kpis_lead"}
WON = Simple("deals", "closed_on", "count", filters=(Filter("outcome", "in", ("won",)),))


@dataclass(frozen=True, slots=True)
class Lag:
    """How what ends in a stretch of time had begun, and how much began in the same time, whatever became of it.

    `profile` is None where nothing ended, or nothing that ended is known to have begun; `ended` counts what ended with
    or without a known start.
    """

    profile: CloseProfile | None
    started: Decimal
    ended: Decimal

    @property
    def known_share(self) -> Decimal:
        """The share of what ended whose start is known; 0 where nothing ended."""
        return self.profile.cases / self.ended if self.profile and self.ended else Decimal(0)


def read_lag(
    *,
    start: str = DEAL_STARTS,
    of: Simple | None = None,
    end: Simple = WON,
    since: date,
    until: date,
    dimension: str = DimensionCode.COMPANY,
    member: DimensionMember | None = None,
) -> Lag:
    """The lag from `start` (one of STARTS) to what the term `end` counts, dated in [since, until); two queries.

    `of` is a term that counts starts: with its filters only those are known as a start, such as deals by referral.
    A deal's own lead is the one it names, or the one that says it became this deal. Facts are credited as organised on
    the day they ended; with `member` that one and those below it are counted. Raises ValueError for another start, and
    for an end that is neither a deal's nor, from a lead's stage, a lead's.
    """
    if start not in STARTS:
        raise ValueError(f"{start} is no start of a lag: use one of {', '.join(STARTS)}.")
    if end.fact not in _TABLES or (end.fact == "leads" and start == DEAL_STARTS):
        raise ValueError(f"{end.fact}.{end.date} does not end what begins with {start}.")
    where, params = condition(end)
    params |= {"kind": f"{end.fact}.{end.date}", "credit": end.credit, "since": since, "until": until, "start": start}
    narrow = started = ""
    if of is not None and of.filters:
        within, named = condition(of)
        params |= named
        started = f" JOIN {_TABLES[of.fact]} f ON f.id = e.fact_id AND {within}"
    if member is not None:
        narrow = f" AND e.{DimensionCode(dimension).value}_id = ANY(%(members)s)"
        params["members"] = members_below(member)
    with connection.cursor() as cursor:
        cursor.execute(_lags(start, end, where + narrow, started), params)
        rows = cursor.fetchall()
        cursor.execute(
            f"SELECT coalesce(sum(e.weight), 0) FROM kpis_kpievent e{started}"  # noqa: S608
            " WHERE e.kind = %(start)s AND e.credit = 'revenue'"
            f" AND e.date >= %(since)s AND e.date < %(until)s{narrow}",
            params,
        )
        (count,) = cursor.fetchone()
    median = next((Decimal(str(days)) for *_rest, days in rows if days is not None), None)
    counts = [LagCount(months, weight) for months, weight, _ended, _days in rows if months is not None]
    return Lag(close_profile(counts, median), count, rows[0][2])


def _lags(start: str, end: Simple, where: str, started: str) -> str:
    """SQL of months of lag → weight; on every row also all that ended and the median of days. At least one row."""
    return (
        "WITH months AS ("  # noqa: S608 - names of our own columns; values travel as parameters
        "  SELECT start_date, row_number() OVER (ORDER BY start_date) AS number FROM kpis_period WHERE grain = 'month'"
        "), ended AS ("
        "  SELECT e.fact_id, e.date, sum(e.weight) AS weight FROM kpis_kpievent e"
        f" JOIN {_TABLES[end.fact]} f ON f.id = e.fact_id"
        "  WHERE e.kind = %(kind)s AND e.credit = %(credit)s AND e.date >= %(since)s AND e.date < %(until)s"
        f"  AND {where} GROUP BY e.fact_id, e.date"
        f"), pairs AS ({_pairs(start, end, started)}"
        "), lags AS ("
        "  SELECT n.number - s.number AS months, p.weight, p.ended_on - p.started_on AS days FROM pairs p"
        "  JOIN kpis_calendarday a ON a.day = p.started_on JOIN months s ON s.start_date = a.month"
        "  JOIN kpis_calendarday b ON b.day = p.ended_on JOIN months n ON n.start_date = b.month"
        "  WHERE p.ended_on >= p.started_on"
        "), half AS (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY days) AS days FROM lags)"
        ", total AS (SELECT coalesce(sum(weight), 0) AS weight FROM ended)"
        " SELECT months::int, sum(lags.weight), min(total.weight), min(half.days)"
        " FROM total CROSS JOIN half LEFT JOIN lags ON true GROUP BY months"
    )


def _pairs(start: str, end: Simple, started: str) -> str:
    """SQL of start date, end date and weight of each thing that ended; `started` joins what narrows its start."""
    if start.startswith(f"{end.fact}."):
        return (
            "SELECT s.date AS started_on, ended.date AS ended_on, ended.weight FROM ended JOIN LATERAL ("  # noqa: S608
            f"  SELECT min(e.date) AS date FROM kpis_kpievent e{started}"
            "  WHERE e.fact_id = ended.fact_id AND e.kind = %(start)s"
            ") s ON s.date IS NOT NULL"
        )
    return (
        "SELECT s.date AS started_on, ended.date AS ended_on, ended.weight FROM ended"  # noqa: S608
        " JOIN kpis_deal d ON d.id = ended.fact_id"
        " LEFT JOIN LATERAL (SELECT id FROM kpis_lead WHERE converted_deal_id = d.id AND deleted_at IS NULL"
        "  ORDER BY id LIMIT 1) l ON true"
        f" JOIN LATERAL (SELECT min(e.date) AS date FROM kpis_kpievent e{started}"
        "  WHERE e.fact_id = coalesce(d.lead_id, l.id) AND e.kind = %(start)s) s ON s.date IS NOT NULL"
    )
