"""Which leads are kept out of the count: what the rules find of the leads in `fresh` (fact, fact_id) and those near.

Only what may be another decision than before is looked at: leads that changed, leads of the same hours or, where no
time is known, of the four weeks around their days, leads with the same address, and those that point to one of these.
The result is that of looking at all.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from django.db.backends.utils import CursorWrapper

from kpis.choices import ExclusionReason
from kpis.engine.joining import USUAL_DAYS, Kin, choose_first, find_scan_days, find_scans
from kpis.models import LeadRules
from kpis.services import dependents

# Sales or marketing have dealt with a lead: a call, a stage, a deal that its source names.
_IS_WORKED = """(
    l.mql_on IS NOT NULL OR l.sql_on IS NOT NULL OR l.disqualified_on IS NOT NULL OR l.converted_deal_id IS NOT NULL
    OR EXISTS (SELECT FROM kpis_activity v WHERE v.lead_id = l.id AND v.deleted_at IS NULL)
    OR EXISTS (SELECT FROM kpis_leadstageevent e WHERE e.lead_id = l.id AND e.deleted_at IS NULL)
)"""


_AROUND = """
    CREATE TEMPORARY TABLE around ON COMMIT DROP AS
    SELECT l.id, l.source, l.lead_source, l.created_at,
           bool_or(l.created_at >= h.hour - interval '1 hour' AND l.created_at < h.hour + interval '2 hours') AS is_near
    FROM (
        SELECT DISTINCT l.source, date_trunc('hour', x.at) AS hour
        FROM fresh s JOIN kpis_lead l ON l.id = s.fact_id
        LEFT JOIN kpis_leadexclusion e ON e.lead_id = l.id AND e.reason = 'scan'
        CROSS JOIN LATERAL (VALUES (l.created_at), (e.created_at)) AS x (at)
        WHERE s.fact = 'leads' AND x.at IS NOT NULL
    ) h JOIN kpis_lead l ON l.source = h.source AND l.deleted_at IS NULL
        AND l.created_at >= h.hour - interval '2 hours' AND l.created_at < h.hour + interval '3 hours'
    GROUP BY l.id
"""
# Whoever stands among so many within a stretch has at least as many around.
_CROWDED = f"""
    SELECT l.id, c.source, c.lead_source, c.created_at, c.is_near, {_IS_WORKED}
    FROM (
        SELECT *, count(*) OVER (PARTITION BY source, lead_source ORDER BY created_at
            RANGE BETWEEN make_interval(mins => %(minutes)s) PRECEDING
            AND make_interval(mins => %(minutes)s) FOLLOWING) AS crowd
        FROM around
    ) c JOIN kpis_lead l USING (id) WHERE c.crowd >= %(count)s
"""
_KIN = """
    CREATE TEMPORARY TABLE looked_at ON COMMIT DROP AS
    WITH near AS (
        SELECT fact_id AS id FROM fresh WHERE fact = 'leads'
        UNION SELECT x.lead_id FROM kpis_leadexclusion x JOIN fresh s ON s.fact_id = x.same_as_id
        WHERE s.fact = 'leads'
    )
    SELECT id FROM near
    UNION SELECT k.id FROM kpis_lead k WHERE k.email_hash <> '' AND k.email_hash IN (
        SELECT l.email_hash FROM kpis_lead l JOIN near USING (id) WHERE l.email_hash <> '')
"""
# The days of the leads that changed, and those on which they came before; duplicates and piles have kept theirs.
_FRESH_DAYS = """
    CREATE TEMPORARY TABLE near_days ON COMMIT DROP AS
    SELECT d.source, d.day + n AS day, bool_or(abs(n) <= %(days)s) AS is_near
    FROM (
        SELECT DISTINCT l.source, x.day
        FROM fresh s JOIN kpis_lead l ON l.id = s.fact_id
        LEFT JOIN kpis_leadexclusion e ON e.lead_id = l.id
        LEFT JOIN kpis_kpievent v ON v.fact_id = l.id AND v.kind = 'leads.created_on'
        CROSS JOIN LATERAL (VALUES (CASE WHEN l.created_at IS NULL THEN l.created_on END),
            ((e.created_at AT TIME ZONE 'UTC')::date), (v.date)) AS x (day)
        WHERE s.fact = 'leads' AND x.day IS NOT NULL
    ) d CROSS JOIN generate_series(-2 * %(days)s, 2 * %(days)s) AS n
    GROUP BY d.source, d.day + n
"""
_DAILY = """
    SELECT l.source, l.lead_source, l.created_on, d.is_near, count(*)
    FROM kpis_lead l JOIN near_days d ON d.source = l.source AND d.day = l.created_on
    WHERE l.created_at IS NULL AND l.deleted_at IS NULL AND l.lead_source <> '' GROUP BY 1, 2, 3, 4
"""
_OF_DAYS = f"""
    SELECT l.id, l.created_on, {_IS_WORKED}
    FROM unnest(%s::text[], %s::text[], %s::date[]) AS p (source, lead_source, day)
    JOIN kpis_lead l ON l.source = p.source AND l.lead_source = p.lead_source AND l.created_on = p.day
    WHERE l.created_at IS NULL AND l.deleted_at IS NULL
"""
# Only who shares an address is asked for: most leads have one of their own.
_FAMILIES = """
    SELECT id, email_hash, created_on,
           EXISTS (SELECT FROM kpis_leadexclusion x WHERE x.lead_id = f.id AND x.reason = 'scan' AND x.is_out)
    FROM (
        SELECT l.id, l.email_hash, l.created_on, count(*) OVER (PARTITION BY l.email_hash) AS sharing
        FROM kpis_lead l JOIN looked_at USING (id)
        WHERE l.email_hash <> '' AND l.deleted_at IS NULL AND NOT EXISTS (
            SELECT FROM kpis_leadexclusion x
            WHERE x.lead_id = l.id AND x.reason = 'duplicate' AND x.verdict = 'counted')
    ) f WHERE sharing > 1
"""


@dataclass(frozen=True, slots=True)
class _Finding:
    """What a rule found of one lead."""

    same_as: int | None = None
    created_at: datetime | None = None
    is_worked: bool = False


def exclude_scans(cursor: CursorWrapper, rules: LeadRules, *, now: datetime) -> None:
    """Hold back leads that came in piles, as scanned cards do.

    Who scanned them is no sign: cards are dealt out to people soon after. Leads whose source does not say the time at
    which they were created are a pile by their day (find_scan_days), where it says their lead source: a day's leads of
    unknown origin need not have come together.
    """
    cursor.execute(_FRESH_DAYS, {"days": USUAL_DAYS})
    cursor.execute("ANALYZE near_days")
    # A stretch is an hour at most: the hour before and after may be decided anew, those around are counted with.
    cursor.execute(_AROUND)
    cursor.execute(
        "CREATE TEMPORARY TABLE looked_at ON COMMIT DROP AS SELECT id FROM around WHERE is_near"
        " UNION SELECT fact_id FROM fresh WHERE fact = 'leads'"
        " UNION SELECT l.id FROM kpis_lead l JOIN near_days d ON d.source = l.source AND d.day = l.created_on"
        " JOIN kpis_leadexclusion e ON e.lead_id = l.id AND e.reason = 'scan' WHERE d.is_near AND l.created_at IS NULL"
    )
    cursor.execute("ANALYZE around, looked_at")
    piles: dict[tuple[str, str], list[tuple[int, datetime]]] = defaultdict(list)
    near: dict[int, _Finding] = {}
    if rules.scan_count:
        cursor.execute(_CROWDED, {"minutes": rules.scan_minutes, "count": rules.scan_count})
        for lead, source, lead_source, created_at, is_near, is_worked in cursor.fetchall():
            piles[source, lead_source].append((lead, created_at))
            if is_near:
                near[lead] = _Finding(created_at=created_at, is_worked=is_worked)
    scanned = {
        lead for pile in piles.values() for lead in find_scans(pile, count=rules.scan_count, minutes=rules.scan_minutes)
    }
    found = {pk: near[pk] for pk in scanned & near.keys()} | _scanned_by_day(cursor, rules)
    cursor.execute("DROP TABLE around, near_days")
    _keep(cursor, ExclusionReason.SCAN, found, now=now)


def _scanned_by_day(cursor: CursorWrapper, rules: LeadRules) -> dict[int, _Finding]:
    """The leads without a time that came in a pile on a day that may be decided anew."""
    counts: dict[tuple[str, str], dict[date, int]] = defaultdict(dict)
    near: set[tuple[str, str, date]] = set()
    cursor.execute(_DAILY)
    for source, lead_source, day, is_near, count in cursor.fetchall():
        counts[source, lead_source][day] = count
        if is_near:
            near.add((source, lead_source, day))
    piled = [
        (*group, day)
        for group, daily in counts.items()
        for day in find_scan_days(daily, count=rules.scan_count)
        if (*group, day) in near
    ]
    if not piled:
        return {}
    cursor.execute(_OF_DAYS, [list(column) for column in zip(*piled, strict=True)])
    return {
        lead: _Finding(created_at=_beginning(day), is_worked=is_worked) for lead, day, is_worked in cursor.fetchall()
    }


def _beginning(day: date | None) -> datetime | None:
    """A day as it is kept where no time is known."""
    return None if day is None else datetime.combine(day, time(), UTC)


def exclude_duplicates(cursor: CursorWrapper, rules: LeadRules, *, now: datetime) -> None:
    """Let leads with one address point to the one that is counted."""
    cursor.execute(_KIN)
    cursor.execute("ANALYZE looked_at")
    families: dict[str, list[Kin]] = defaultdict(list)
    if rules.joins_same_email:
        cursor.execute(_FAMILIES)
        for lead, address, created_on, is_held in cursor.fetchall():
            families[address].append(Kin(lead, created_on, is_held))
    found: dict[int, _Finding] = {}
    for family in families.values():
        first = choose_first(family)
        found |= {
            each.lead: _Finding(same_as=first, created_at=_beginning(each.created_on))
            for each in family
            if each.lead != first
        }
    _keep(cursor, ExclusionReason.DUPLICATE, found, now=now)


def _keep(cursor: CursorWrapper, reason: str, found: Mapping[int, _Finding], *, now: datetime) -> None:
    """Write what is another than before of the leads in `looked_at`, and note them and whom they point to as dirty.

    A person's verdict stays, whatever is found. What is found no more and nobody has judged goes. Drops `looked_at`.
    """
    cursor.execute(
        "CREATE TEMPORARY TABLE found ON COMMIT DROP AS"
        " SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bool[])"
        " AS f (lead_id, same_as_id, created_at, is_worked)",
        [
            list(found),
            [each.same_as for each in found.values()],
            [each.created_at for each in found.values()],
            [each.is_worked for each in found.values()],
        ],
    )
    params: dict[str, Any] = {"reason": reason, "now": now}
    cursor.execute("CREATE TEMPORARY TABLE turned (lead_id bigint, same_as_id bigint) ON COMMIT DROP")
    cursor.execute(
        """
        WITH gone AS (
            DELETE FROM kpis_leadexclusion x USING looked_at a
            WHERE x.reason = %(reason)s AND x.lead_id = a.id AND x.verdict = ''
              AND NOT EXISTS (SELECT FROM found f WHERE f.lead_id = x.lead_id)
            RETURNING x.lead_id, x.same_as_id
        ) INSERT INTO turned SELECT lead_id, same_as_id FROM gone
        """,
        params,
    )
    cursor.execute(
        """
        INSERT INTO turned SELECT x.lead_id, x.same_as_id FROM kpis_leadexclusion x JOIN found f USING (lead_id)
        WHERE x.reason = %(reason)s AND x.verdict = '' AND x.same_as_id IS DISTINCT FROM f.same_as_id
        """,
        params,
    )
    cursor.execute(
        """
        WITH written AS (
            INSERT INTO kpis_leadexclusion AS x
                (lead_id, reason, same_as_id, created_at, is_worked, is_out, decided_at, verdict)
            SELECT lead_id, %(reason)s, same_as_id, created_at, is_worked, NOT is_worked, %(now)s, '' FROM found
            ON CONFLICT (lead_id, reason) DO UPDATE SET
                same_as_id = excluded.same_as_id, created_at = excluded.created_at, is_worked = excluded.is_worked,
                is_out = CASE x.verdict WHEN 'counted' THEN false WHEN 'left_out' THEN true ELSE excluded.is_out END,
                decided_at = %(now)s
            WHERE (x.same_as_id, x.created_at, x.is_worked)
                IS DISTINCT FROM (excluded.same_as_id, excluded.created_at, excluded.is_worked)
            RETURNING lead_id, same_as_id
        ) INSERT INTO turned SELECT lead_id, same_as_id FROM written
        """,
        params,
    )
    cursor.execute(
        "CREATE TEMPORARY TABLE excluded_lead ON COMMIT DROP AS SELECT lead_id AS id, false AS is_new FROM turned"
        " UNION SELECT same_as_id, false FROM turned WHERE same_as_id IS NOT NULL"
    )
    if cursor.rowcount:
        dependents.mark(cursor, "leads", rows="excluded_lead")
    cursor.execute("DROP TABLE looked_at, found, turned, excluded_lead")
