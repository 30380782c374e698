"""Which leads are kept out of the count: what the rules find of the leads in `fresh` (fact, fact_id) and those near.

Only what may be another decision than before is looked at: leads that changed, leads of the same hours, leads with the
same address, and those that point to one of these. The result is that of looking at all.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.backends.utils import CursorWrapper

from kpis.choices import ExclusionReason
from kpis.engine.joining import Kin, choose_first, find_scans
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
    which they were created are never taken for a scan.
    """
    # A stretch is an hour at most: the hour before and after may be decided anew, those around are counted with.
    cursor.execute(_AROUND)
    cursor.execute(
        "CREATE TEMPORARY TABLE looked_at ON COMMIT DROP AS SELECT id FROM around WHERE is_near"
        " UNION SELECT fact_id FROM fresh WHERE fact = 'leads'"
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
    cursor.execute("DROP TABLE around")
    _keep(cursor, ExclusionReason.SCAN, {pk: near[pk] for pk in scanned & near.keys()}, now=now)


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
        found |= {each.lead: _Finding(same_as=first) for each in family if each.lead != first}
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
