"""Blocks of windows: what each customer did over the months that end with a period, for every grain and segment.

A purchase, a recognised amount or a contract moves every window that reaches over its date, so the periods from the
first date that changed on are exchanged, up to the length of the window (contracts and the history of purchases: to the
end of the calendar, since what a customer pays or has bought once holds ever since).
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django.db.backends.utils import CursorWrapper

from kpis.choices import DIMENSIONS
from kpis.engine import specs
from kpis.engine.specs import Window
from kpis.selectors.measures import window_axis, window_condition
from kpis.services.dependents import FACT_TABLES

Dates = set[date] | None  # None = all of them
WINDOW_GRAINS = ("month", "quarter", "half", "year")
LONGEST_PERIOD_DAYS = 366

# Periods with the stretch that each looks back on: from the day `opens` to before the day `closes`.
_PERIODS = """
    SELECT grain, start_date, end_date AS closes,
           CASE WHEN %(months)s = 0 THEN '-infinity'::date
                ELSE least(start_date, (end_date - make_interval(months => %(months)s))::date) END AS opens
    FROM kpis_period WHERE ({periods}) AND end_date > (SELECT min(date) FROM kpis_kpievent WHERE kind = %(kind)s)
"""
# Every segment to which an event belongs: the company, its member of each dimension, and what those lie below.
_MEMBERS = ", ".join(f"('{dimension}', e.{dimension}_id)" for dimension in DIMENSIONS)
_SEGMENTS = f"""
    CROSS JOIN LATERAL (VALUES ('company', NULL::bigint), {_MEMBERS}) AS segment (dimension, member_id)
    LEFT JOIN path ON path.id = segment.member_id
"""

# A customer is active on a boundary with every contract that runs up to it: one that ends there is lost in the window
# that begins there. A subscription stays in the segment in which it was when the window opened, whoever carries it on;
# one begun inside the window counts where it is booked, if the customer already paid there.
_RETENTION = """
    contract AS MATERIALIZED (
        SELECT e.id AS event_id, coalesce(e.account_id::text, f.source || '/' || f.external_id) AS customer,
               f.source || '/' || coalesce(nullif(f.subscription, ''), f.external_id) AS subscription,
               f.starts_on, f.ends_on, e.amount, e.is_rate_missing
        FROM kpis_kpievent e JOIN kpis_contract f ON f.id = e.fact_id
        WHERE e.kind = %(kind)s AND e.credit = 'revenue' AND ({where})
    ), placed AS (
        SELECT segment.dimension, path.ancestor_id AS member_id, c.*
        FROM contract c JOIN kpis_kpievent e ON e.id = c.event_id {segments}
    ), opening AS (
        SELECT p.grain, p.start_date, c.dimension, c.member_id, c.customer, c.subscription, sum(c.amount) AS mrr,
               count(*) FILTER (WHERE c.is_rate_missing) AS no_rate
        FROM p JOIN placed c ON c.starts_on < p.opens AND (c.ends_on IS NULL OR c.ends_on >= p.opens)
        GROUP BY 1, 2, 3, 4, 5, 6
    ), running AS (
        SELECT DISTINCT p.grain, p.start_date, c.customer, c.subscription
        FROM p JOIN contract c ON c.starts_on < p.opens AND (c.ends_on IS NULL OR c.ends_on >= p.opens)
    ), closing AS (
        SELECT p.grain, p.start_date, c.customer, c.subscription, sum(c.amount) AS mrr,
               count(*) FILTER (WHERE c.is_rate_missing) AS no_rate
        FROM p JOIN contract c ON c.starts_on < p.closes AND (c.ends_on IS NULL OR c.ends_on >= p.closes)
        GROUP BY 1, 2, 3, 4
    ), begun AS (
        SELECT p.grain, p.start_date, c.dimension, c.member_id, c.customer, sum(c.amount) AS mrr,
               count(*) FILTER (WHERE c.is_rate_missing) AS no_rate
        FROM p JOIN placed c ON c.starts_on < p.closes AND (c.ends_on IS NULL OR c.ends_on >= p.closes)
        WHERE NOT EXISTS (
            SELECT FROM running r WHERE r.grain = p.grain AND r.start_date = p.start_date
            AND r.customer = c.customer AND r.subscription = c.subscription
        )
        GROUP BY 1, 2, 3, 4, 5
    ), kept AS (
        SELECT o.grain, o.start_date, o.dimension, o.member_id, o.customer, sum(o.mrr) AS before,
               coalesce(sum(c.mrr), 0) AS after, count(c.subscription) AS subscriptions,
               sum(o.no_rate) + coalesce(sum(c.no_rate), 0) AS no_rate
        FROM opening o LEFT JOIN closing c USING (grain, start_date, customer, subscription)
        GROUP BY 1, 2, 3, 4, 5
    ), customer AS (
        SELECT k.grain, k.start_date, k.dimension, k.member_id, k.before, k.after + coalesce(b.mrr, 0) AS after,
               k.subscriptions > 0 OR b.customer IS NOT NULL AS stays, k.no_rate + coalesce(b.no_rate, 0) AS no_rate
        FROM kept k LEFT JOIN begun b ON b.grain = k.grain AND b.start_date = k.start_date
             AND b.dimension = k.dimension AND b.member_id IS NOT DISTINCT FROM k.member_id
             AND b.customer = k.customer
    ), blocks AS (
        SELECT grain, start_date, dimension, member_id,
               count(*) AS customers, count(*) FILTER (WHERE NOT stays) AS lost,
               trim_scale(sum(before)) AS mrr,
               trim_scale(sum(before) FILTER (WHERE NOT stays)) AS churned,
               trim_scale(sum(before - after) FILTER (WHERE stays AND after < before)) AS contraction,
               trim_scale(sum(after - before) FILTER (WHERE stays AND after > before)) AS expansion,
               nullif(sum(no_rate), 0) AS no_rate
        FROM customer GROUP BY 1, 2, 3, 4
    )
"""
_PURCHASES = """
    purchase AS (
        SELECT p.grain, p.start_date, segment.dimension, path.ancestor_id AS member_id, e.account_id,
               count(DISTINCT e.fact_id) AS purchases, sum(e.amount) AS amount,
               count(*) FILTER (WHERE e.is_rate_missing) AS no_rate
        FROM p JOIN kpis_kpievent e ON e.date >= p.opens AND e.date < p.closes {fact} {segments}
        WHERE e.kind = %(kind)s AND e.credit = 'revenue' AND e.account_id IS NOT NULL AND ({where})
        GROUP BY 1, 2, 3, 4, 5
    ), blocks AS (
        SELECT grain, start_date, dimension, member_id,
               count(*) AS customers, count(*) FILTER (WHERE purchases >= %(least)s) AS repeaters,
               sum(purchases) AS purchases, trim_scale(sum(amount)) AS amount, nullif(sum(no_rate), 0) AS no_rate
        FROM purchase GROUP BY 1, 2, 3, 4
    )
"""
_MARGIN = """
    sale AS (
        SELECT p.grain, p.start_date, segment.dimension, path.ancestor_id AS member_id, e.account_id, e.amount,
               e.gross_profit, e.is_rate_missing
        FROM p JOIN kpis_kpievent e ON e.date >= p.opens AND e.date < p.closes {fact} {segments}
        WHERE e.kind = %(kind)s AND e.credit = 'revenue' AND ({where})
    ), blocks AS (
        SELECT grain, start_date, dimension, member_id, count(DISTINCT account_id) AS customers,
               trim_scale(sum(amount)) AS amount, trim_scale(sum(gross_profit)) AS gross_profit,
               nullif(count(*) FILTER (WHERE gross_profit IS NULL AND NOT is_rate_missing), 0) AS without_cost,
               nullif(count(*) FILTER (WHERE is_rate_missing), 0) AS no_rate
        FROM sale GROUP BY 1, 2, 3, 4
    )
"""
_RENEWALS = """
    blocks AS (
        SELECT p.grain, p.start_date, segment.dimension, path.ancestor_id AS member_id,
               sum(e.weight) AS due, sum(e.weight) FILTER (WHERE e.outcome = 'renewed') AS renewed,
               trim_scale(sum(e.amount)) AS due_mrr,
               trim_scale(sum(e.amount) FILTER (WHERE e.outcome = 'renewed')) AS renewed_mrr,
               nullif(count(*) FILTER (WHERE e.is_rate_missing), 0) AS no_rate
        FROM p JOIN kpis_kpievent e ON e.date >= p.opens AND e.date < p.closes {fact} {segments}
        WHERE e.kind = %(kind)s AND e.credit = 'revenue' AND ({where})
        GROUP BY 1, 2, 3, 4
    )
"""
# Who bought for the first time is told over all customers' purchases; where it counts is where that purchase does.
_HISTORY = """
    purchase AS MATERIALIZED (
        SELECT e.id, e.account_id, e.date, e.date = min(e.date) OVER (PARTITION BY e.account_id) AS is_first
        FROM kpis_kpievent e {fact}
        WHERE e.kind = %(kind)s AND e.credit = 'revenue' AND e.account_id IS NOT NULL AND ({where})
    ), placed AS (
        SELECT segment.dimension, path.ancestor_id AS member_id, b.account_id, b.date, b.is_first
        FROM purchase b JOIN kpis_kpievent e ON e.id = b.id {segments}
    ), blocks AS (
        SELECT grain, start_date, dimension, member_id,
               nullif(count(DISTINCT account_id) FILTER (WHERE is_first AND date >= start_date), 0) AS new,
               count(DISTINCT account_id) AS known, count(DISTINCT account_id) FILTER (WHERE date >= opens) AS active
        FROM p JOIN placed ON date < closes GROUP BY 1, 2, 3, 4
    )
"""
# subject → its cells, and what each of them holds
_SUBJECTS = {
    "retention": (
        _RETENTION,
        ("customers", "lost", "mrr", "churned", "contraction", "expansion", "no_rate"),
    ),
    "renewals": (_RENEWALS, ("due", "renewed", "due_mrr", "renewed_mrr", "no_rate")),
    "purchases": (_PURCHASES, ("customers", "repeaters", "purchases", "amount", "no_rate")),
    "history": (_HISTORY, ("new", "known", "active")),
    "margin": (_MARGIN, ("customers", "amount", "gross_profit", "without_cost", "no_rate")),
}
_OF_ALL_THE_PAST = frozenset({"retention", "history"})


def affected_windows(
    cursor: CursorWrapper, touched: Mapping[str, Dates], windows: Mapping[str, Window]
) -> dict[str, Dates]:
    """Group of a window → the dates whose periods it has to be computed for again; groups without are left out."""
    cursor.execute("SELECT max(day) FROM kpis_calendarday")
    last_day = cursor.fetchone()[0]
    found: dict[str, Dates] = {}
    for name, window in windows.items():
        if touched.get(name, set()) is None:
            continue
        parts = [dates for group, dates in touched.items() if group.startswith(f"{window.fact}.") and group != name]
        if any(dates is None for dates in parts):
            found[name] = None
            continue
        dates = set().union(touched.get(name) or (), *(each for each in parts if each))
        if dates:
            found[name] = _reach(window, dates, last_day)
    return found


def _reach(window: Window, dates: set[date], last_day: date) -> Dates:
    last = last_day
    if window.months and window.subject not in _OF_ALL_THE_PAST:
        last = min(last_day, max(dates) + timedelta(days=31 * window.months + LONGEST_PERIOD_DAYS))
    first = min(dates)
    return {first + timedelta(days=n) for n in range((last - first).days + 1)}


def window_cells(
    window: Window, starts: Mapping[str, Sequence[date]] | None
) -> tuple[str, Sequence[str], Mapping[str, Any]]:
    """SQL of one window's cells in those periods (None = all), their keys and parameters; a member counts with those
    below it. Reads the temporary table `path` (id, ancestor_id).
    """
    where, params = window_condition(window)
    periods = " OR ".join(f"(grain = '{grain}' AND start_date = ANY(%(starts_{grain})s))" for grain in starts or ())
    dated = {f"starts_{grain}": list(days) for grain, days in (starts or {}).items()}
    limits = periods or " OR ".join(f"grain = '{grain}'" for grain in WINDOW_GRAINS)
    fact = f"JOIN {FACT_TABLES[window.fact]} f ON f.id = e.fact_id" if "f." in where else ""
    blocks, names = _SUBJECTS[window.subject]
    cells = f"""
        WITH p AS ({_PERIODS.format(periods=limits)}), {blocks.format(segments=_SEGMENTS, fact=fact, where=where)}
        SELECT grain, start_date AS period_start, dimension, member_id,
               {", ".join(f"{name} AS v{n}" for n, name in enumerate(names))} FROM blocks
    """
    axis = f"{window.fact}.{window_axis(window)}"
    about = {"kind": axis, "months": window.months, "least": window.min_count}
    return cells, [f"{specs.measure_key(window)}.{name}" for name in names], {**about, **dated, **params}
