"""Which lead a deal came from where its source does not say: what the rules find of the deals that may have changed.

A link that the source gave is never touched. Only deals in `fresh`, deals of leads in it, deals with a key of these
leads, and deals for which several leads were found are looked at; the result is that of looking at all.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from kpis.engine.joining import BY_PERSON, Link, decide_link
from kpis.models import LeadRules
from kpis.services import dependents

# The deals of one account, or with one address, are found once, however many of its leads moved.
_ASKED = """
    CREATE TEMPORARY TABLE asked ON COMMIT DROP AS
    SELECT fact_id AS id FROM fresh WHERE fact = 'deals'
    UNION SELECT k.deal_id FROM kpis_leadlink k JOIN moved l ON l.id = k.lead_id
    UNION SELECT k.deal_id FROM kpis_leadlink k WHERE k.lead_id IS NULL AND EXISTS (SELECT FROM moved)
    UNION SELECT l.converted_deal_id FROM moved l WHERE l.converted_deal_id IS NOT NULL
    UNION SELECT d.id FROM moved l JOIN kpis_unresolvedreference u
        ON u.fact = 'leads' AND u.fact_id = l.id AND u.field = 'converted_deal'
        JOIN kpis_deal d ON d.external_id = u.external_id
    UNION SELECT u.fact_id FROM kpis_unresolvedreference u JOIN moved l ON l.external_id = u.external_id
        WHERE u.entity = 'leads' AND u.fact = 'deals' AND u.field = 'lead'
    UNION SELECT d.id FROM (SELECT DISTINCT email_hash FROM moved WHERE email_hash <> '') l
        JOIN kpis_deal d ON d.email_hash = l.email_hash
    UNION SELECT d.id FROM (
        SELECT account_id FROM moved WHERE account_id IS NOT NULL
        UNION SELECT a.id FROM (SELECT DISTINCT email_domain FROM moved WHERE email_domain <> '') l
            JOIN kpis_account a ON a.domain = l.email_domain
    ) l JOIN kpis_deal d ON d.account_id = l.account_id
"""
# The source said which lead it was, and the lead is there: no rule has a say.
_TOLD = """
    DELETE FROM asked USING kpis_deal d
    WHERE d.id = asked.id AND jsonb_typeof(d.refs->'lead') = 'array' AND NOT EXISTS (
        SELECT FROM kpis_unresolvedreference u WHERE u.fact = 'deals' AND u.fact_id = d.id AND u.field = 'lead')
    RETURNING asked.id
"""
# How a lead is found for a deal `d`: the rule, which deals it is for, and the leads it finds.
# What is only alike counts for a deal whose source does not say that it came from elsewhere, and not backwards in time.
_EARLIER = "(d.created_on IS NULL OR l.created_on <= d.created_on)"
_WAYS: tuple[tuple[str, str, str], ...] = (
    ("converted", "open", "l.id FROM kpis_lead l WHERE l.converted_deal_id = d.id"),
    (
        "converted",
        "open",
        "u.fact_id FROM kpis_unresolvedreference u WHERE u.entity = 'deals' AND u.fact = 'leads'"
        " AND u.field = 'converted_deal' AND u.external_id = d.external_id",
    ),
    (
        "external_id",
        "open",
        "l.id FROM kpis_unresolvedreference u JOIN kpis_lead l ON l.external_id = u.external_id"
        " WHERE u.fact = 'deals' AND u.fact_id = d.id AND u.field = 'lead'",
    ),
    (
        "email",
        "likely",
        f"l.id FROM kpis_lead l WHERE l.email_hash = d.email_hash AND l.email_hash <> '' AND {_EARLIER}",
    ),
    ("domain", "likely", f"l.id FROM kpis_lead l WHERE l.account_id = d.account_id AND {_EARLIER}"),
    (
        "domain",
        "likely",
        "l.id FROM kpis_account a JOIN kpis_lead l ON l.email_domain = a.domain"
        f" WHERE a.id = d.account_id AND a.deleted_at IS NULL AND l.email_domain <> '' AND {_EARLIER}",
    ),
)
_REACHING = " UNION ".join(f"SELECT d.id FROM {pool} d WHERE EXISTS (SELECT {leads})" for _, pool, leads in _WAYS)
_FINDING = " UNION ALL ".join(
    f"SELECT d.id, '{rule}', w.lead_id FROM {pool} d CROSS JOIN LATERAL (SELECT {leads}) w (lead_id)"
    for rule, pool, leads in _WAYS
)
_POOLS = """
    WITH open AS (
        SELECT id, external_id, account_id, email_hash, origin, created_on FROM {deals} JOIN kpis_deal USING (id)
        WHERE deleted_at IS NULL AND outcome <> 'void'
    ), likely AS (
        SELECT * FROM open WHERE origin IN ('lead', 'unknown')
    )
"""
# Most deals of a first load have neither a link nor a lead that could be theirs; nothing is decided about them.
_REACHED = f"""
    CREATE TEMPORARY TABLE reached ON COMMIT DROP AS
    {_POOLS.format(deals="asked")}
    SELECT d.id FROM asked JOIN kpis_deal d USING (id) WHERE d.lead_id IS NOT NULL
    UNION SELECT k.deal_id FROM asked JOIN kpis_leadlink k ON k.deal_id = asked.id
    UNION {_REACHING}
"""
_FOUND = f"""
    {_POOLS.format(deals="asking")}, found (deal_id, rule, lead_id) AS ({_FINDING})
    SELECT DISTINCT f.deal_id, f.rule, coalesce(x.same_as_id, f.lead_id)
    FROM found f JOIN kpis_lead l ON l.id = f.lead_id AND l.deleted_at IS NULL
    LEFT JOIN kpis_leadexclusion x ON x.lead_id = l.id AND x.reason = 'duplicate' AND x.is_out
"""
_REFUSED = """
    SELECT k.deal_id, coalesce(x.same_as_id, k.lead_id) FROM kpis_leadlink k JOIN asking ON asking.id = k.deal_id
    LEFT JOIN kpis_leadexclusion x ON x.lead_id = k.lead_id AND x.reason = 'duplicate' AND x.is_out
    WHERE k.undone_at IS NOT NULL
"""


# However many deals are asked about, only so many of them are in memory.
_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class _Stored:
    """How a deal is linked now. `rule` is None where no rule linked it."""

    deal: int
    lead: int | None
    rule: str | None
    linked: int | None
    candidates: list[int]

    def is_as(self, link: Link | None) -> bool:
        """Whether nothing has to be written for this to be the decision."""
        if link is None:
            return self.rule is None and self.lead is None
        stored = (self.rule, self.linked, tuple(self.candidates))
        return stored == (link.rule, link.lead, link.candidates) and self.lead == link.lead


def link_deals(cursor: CursorWrapper, rules: LeadRules, *, now: datetime) -> None:
    """Link the deals that the rules can link, and unlink those that they no longer do."""
    cursor.execute(
        "CREATE TEMPORARY TABLE moved ON COMMIT DROP AS"
        " SELECT l.id, l.external_id, l.account_id, l.email_hash, l.email_domain, l.converted_deal_id"
        " FROM kpis_lead l JOIN fresh s ON s.fact = 'leads' AND s.fact_id = l.id"
    )
    cursor.execute("ANALYZE moved")
    cursor.execute(_ASKED)
    cursor.execute("ANALYZE asked")
    cursor.execute(
        f"WITH told AS ({_TOLD}) DELETE FROM kpis_leadlink k USING told WHERE k.deal_id = told.id AND undone_at IS NULL"
    )
    cursor.execute(_REACHED)
    cursor.execute("CREATE TEMPORARY TABLE asking (id bigint) ON COMMIT DROP")
    while _take_some(cursor):
        _link_some(cursor, rules, now=now)
    cursor.execute("DROP TABLE moved, asked, reached, asking")


def _take_some(cursor: CursorWrapper) -> bool:
    """Move the next deals from `reached` to `asking`; whether there are any."""
    cursor.execute("TRUNCATE asking")
    cursor.execute(
        "WITH taken AS (DELETE FROM reached WHERE ctid = ANY(ARRAY(SELECT ctid FROM reached LIMIT %s)) RETURNING id)"
        " INSERT INTO asking SELECT id FROM taken",
        [_AT_ONCE],
    )
    is_any = bool(cursor.rowcount)
    cursor.execute("ANALYZE asking")
    return is_any


def _link_some(cursor: CursorWrapper, rules: LeadRules, *, now: datetime) -> None:
    found = _gather(cursor)
    cursor.execute(_REFUSED)
    refused: dict[int, set[int]] = defaultdict(set)
    for deal, lead in cursor.fetchall():
        refused[deal].add(lead)
    decided: dict[int, Link | None] = {}
    for stored in _stored(cursor):
        kept = stored.linked if stored.rule == BY_PERSON else None
        link = (
            Link(BY_PERSON, kept)
            if kept is not None
            else decide_link(found.get(stored.deal, {}), order=rules.link_order, refused=refused[stored.deal])
        )
        if not stored.is_as(link):
            decided[stored.deal] = link
    if decided:
        cursor.execute(
            "DELETE FROM kpis_leadlink WHERE undone_at IS NULL AND deal_id = ANY(%s)",
            [[deal for deal, link in decided.items() if link is None or link.rule != BY_PERSON]],
        )
        _write(cursor, decided, now=now)


def _gather(cursor: CursorWrapper) -> dict[int, dict[str, set[int]]]:
    """Deal → rule → the leads that it finds, duplicates as the lead that is counted for them."""
    cursor.execute(_FOUND)
    found: dict[int, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for deal, rule, lead in cursor.fetchall():
        found[deal][rule].add(lead)
    return found


def _stored(cursor: CursorWrapper) -> list[_Stored]:
    """A lead that was chosen and is gone is chosen no more."""
    cursor.execute(
        """
        SELECT d.id, d.lead_id, k.rule, CASE WHEN l.deleted_at IS NULL THEN k.lead_id END,
               ARRAY(SELECT jsonb_array_elements_text(k.candidates)::bigint)
        FROM asking JOIN kpis_deal d USING (id)
        LEFT JOIN kpis_leadlink k ON k.deal_id = d.id AND k.undone_at IS NULL LEFT JOIN kpis_lead l ON l.id = k.lead_id
        """
    )
    return [_Stored(*row) for row in cursor.fetchall()]


def _write(cursor: CursorWrapper, decided: dict[int, Link | None], *, now: datetime) -> None:
    cursor.execute(
        "CREATE TEMPORARY TABLE relinked ON COMMIT DROP AS SELECT *, false AS is_new FROM"
        " unnest(%s::bigint[], %s::bigint[], %s::text[], %s::jsonb[]) AS r (id, lead_id, rule, candidates)",
        [
            list(decided),
            [link.lead if link else None for link in decided.values()],
            [link.rule if link else None for link in decided.values()],
            [f"[{', '.join(map(str, link.candidates))}]" if link else "[]" for link in decided.values()],
        ],
    )
    dependents.mark(cursor, "deals", rows="relinked")
    cursor.execute("UPDATE kpis_deal d SET lead_id = r.lead_id FROM relinked r WHERE r.id = d.id")
    cursor.execute(
        "INSERT INTO kpis_leadlink (deal_id, lead_id, rule, candidates, decided_at)"
        " SELECT id, lead_id, rule, candidates, %s FROM relinked WHERE rule <> %s",
        [now, BY_PERSON],
    )
    dependents.mark(cursor, "deals", rows="relinked")
    cursor.execute("DROP TABLE relinked")
