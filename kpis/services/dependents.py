"""Which facts have to be looked at again when others change. Works on a temporary table (id, is_new) of rows."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from django.db.backends.utils import CursorWrapper

from kpis.engine.facts import FACTS
from kpis.models.resources import MODELS

# the facts that make events
FACT_TABLES: Mapping[str, str] = MappingProxyType({fact: MODELS[fact]._meta.db_table for fact in FACTS})

# The outcomes of a closed deal; the owner of that day is credited with it.
CLOSED = ("won", "lost", "no_decision")
CLOSED_SQL = ", ".join(f"'{outcome}'" for outcome in CLOSED)
_NOT_NEW = "WHERE NOT a.is_new"
_OF_DEALS = (
    ("deal-stage-events", "kpis_dealstageevent"),
    ("activities", "kpis_activity"),
    ("revenues", "kpis_revenueline"),
)
_OF_LEADS = (("lead-stage-events", "kpis_leadstageevent"), ("activities", "kpis_activity"))
# What a fact does not say itself it reads from its deal or lead, and a deal from its lead.
_OF_ACCOUNT = (
    *(
        (fact, f"SELECT f.id FROM {table} f JOIN {{rows}} a ON f.account_id = a.id WHERE NOT a.is_new")
        for fact, table in FACT_TABLES.items()
        if fact not in {"lead-stage-events", "deal-stage-events"}
    ),
    *(
        (
            fact,
            f"SELECT f.id FROM {table} f JOIN kpis_deal d ON d.id = f.deal_id LEFT JOIN kpis_lead l ON l.id = d.lead_id"
            " JOIN {rows} a ON a.id IN (d.account_id, l.account_id) WHERE NOT a.is_new",
        )
        for fact, table in _OF_DEALS
    ),
    *(
        (
            fact,
            f"SELECT f.id FROM {table} f JOIN kpis_lead l ON l.id = f.lead_id"
            " JOIN {rows} a ON l.account_id = a.id WHERE NOT a.is_new",
        )
        for fact, table in _OF_LEADS
    ),
)
_OF_CURRENCY = tuple(
    (
        fact,
        f"SELECT f.id FROM {FACT_TABLES[fact]} f JOIN kpis_exchangerate r ON r.currency = f.currency"
        " JOIN {rows} a ON r.id = a.id",
    )
    for fact in ("deals", "contracts", "orders", "revenues")
)

_SCANNED = (
    " JOIN {rows} a USING (id) JOIN kpis_leadexclusion x ON x.lead_id = e.lead_id AND x.reason = 'scan'"  # worked on?
)
# resource → (fact, SQL of the ids of its rows that read from the affected rows): those whose leads, deals or count may
# be others for it
_MOVED: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "accounts": _OF_ACCOUNT,
        "leads": (("deals", "SELECT d.id FROM kpis_deal d JOIN {rows} a ON d.lead_id = a.id"),),
        "lead-stage-events": (("leads", "SELECT e.lead_id FROM kpis_leadstageevent e" + _SCANNED),),
        "activities": (("leads", "SELECT e.lead_id FROM kpis_activity e" + _SCANNED),),
    }
)
# and those whose events alone may be others
_READING: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "leads": (
            *(
                (fact, f"SELECT f.id FROM {table} f JOIN {{rows}} a ON f.lead_id = a.id WHERE NOT a.is_new")
                for fact, table in _OF_LEADS
            ),
            *(
                (
                    fact,
                    f"SELECT f.id FROM {table} f JOIN kpis_deal d ON d.id = f.deal_id"
                    " JOIN {rows} a ON d.lead_id = a.id WHERE NOT a.is_new",
                )
                for fact, table in _OF_DEALS
            ),
        ),
        "lead-stage-events": (
            ("leads", "SELECT e.lead_id FROM kpis_leadstageevent e JOIN {rows} a USING (id) WHERE e.lead_id > 0"),
        ),
        # the days on which a deal passed the steps of a sale, where the company has said what these are
        "deal-stage-events": (
            (
                "deals",
                "SELECT e.deal_id FROM kpis_dealstageevent e JOIN {rows} a USING (id)"
                " WHERE e.deal_id > 0 AND EXISTS (SELECT FROM kpis_dealphase p WHERE p.step IS NOT NULL)",
            ),
        ),
        "deals": (
            ("leads", "SELECT d.lead_id FROM kpis_deal d JOIN {rows} a USING (id) WHERE d.lead_id > 0"),
            # a lead that waited for a new deal is marked when it is linked
            ("leads", "SELECT l.id FROM kpis_lead l JOIN {rows} a ON l.converted_deal_id = a.id WHERE NOT a.is_new"),
            *(
                (fact, f"SELECT f.id FROM {table} f JOIN {{rows}} a ON f.deal_id = a.id WHERE NOT a.is_new")
                for fact, table in _OF_DEALS
            ),
        ),
        "deal-lines": (
            ("deals", "SELECT l.deal_id FROM kpis_dealline l JOIN {rows} a USING (id) WHERE l.deal_id > 0"),
        ),
        "deal-credits": (
            ("deals", "SELECT c.deal_id FROM kpis_dealcredit c JOIN {rows} a USING (id) WHERE c.deal_id > 0"),
        ),
        "exchange-rates": _OF_CURRENCY,
    }
)


def mark(cursor: CursorWrapper, resource: str, *, rows: str = "affected", are_all_new: bool = False) -> None:
    """Note the rows of a temporary table, and all that reads from them, as dirty.

    Called once before the rows are written and once after, so that both what they belonged to and what they belong
    to now is looked at again. With `are_all_new` nothing is asked about rows that were there before.
    """
    if resource in FACT_TABLES:
        cursor.execute(f"INSERT INTO kpis_dirtyfact (fact, fact_id) SELECT %s, id FROM {rows}", [resource])
    for is_own, dependents in ((True, _MOVED), (False, _READING)):
        for fact, ids in dependents.get(resource, ()):
            if are_all_new and _NOT_NEW in ids:
                continue
            named = ids.format(rows=rows)
            cursor.execute(
                f"INSERT INTO kpis_dirtyfact (fact, fact_id, is_own) SELECT %s, x.id, %s FROM ({named}) AS x (id)",
                [fact, is_own],
            )
    if resource == "memberships":
        cursor.execute(f"SELECT id FROM {rows}")
        mark_members(cursor, [row[0] for row in cursor.fetchall()])
    elif resource == "teams":
        _mark_teams(cursor, rows)
    if resource in {"teams", "products"}:
        cursor.execute(
            'INSERT INTO kpis_dirtyrange ("group") SELECT DISTINCT "group" FROM kpis_measureblock'
            f" WHERE \"group\" LIKE '%:exact' AND EXISTS (SELECT FROM {rows})"
        )


def mark_members(cursor: CursorWrapper, memberships: Iterable[int]) -> None:
    """Note the facts credited to these people while they were in these teams as dirty."""
    cursor.execute(
        "INSERT INTO kpis_dirtyfact (fact, fact_id, is_own)"
        " SELECT DISTINCT split_part(e.kind, '.', 1), e.fact_id, false FROM kpis_teammembership m"
        " JOIN kpis_person p ON p.id = m.person_id JOIN kpis_kpievent e ON e.person_id = p.member_id"
        " AND (m.starts_on IS NULL OR e.date >= m.starts_on) AND (m.ends_on IS NULL OR e.date < m.ends_on)"
        " WHERE m.id = ANY(%s)",
        [list(memberships)],
    )


def _mark_teams(cursor: CursorWrapper, rows: str) -> None:
    """A team's region is inherited by its facts."""
    cursor.execute(
        "INSERT INTO kpis_dirtyfact (fact, fact_id, is_own)"
        f" SELECT DISTINCT split_part(e.kind, '.', 1), e.fact_id, false FROM {rows} a JOIN kpis_team t USING (id)"
        " JOIN kpis_kpievent e ON e.team_id = t.member_id WHERE NOT a.is_new"
    )


def fix_credits(cursor: CursorWrapper, *, rows: str) -> None:
    """Fix who is credited with a deal on the day it closes: a later change of its owner moves nothing.

    A deal that is open again is credited to its owner, and fixed anew at its next close. `rows`: the table that names
    the deals.
    """
    cursor.execute(
        f"UPDATE kpis_deal SET owner_at_close_id = owner_id WHERE id IN (SELECT id FROM {rows})"
        f" AND owner_at_close_id IS NULL AND owner_id IS NOT NULL AND outcome IN ({CLOSED_SQL})"
    )
    cursor.execute(
        f"UPDATE kpis_deal SET owner_at_close_id = NULL WHERE id IN (SELECT id FROM {rows})"
        " AND owner_at_close_id IS NOT NULL AND outcome IN ('open', 'void')"
    )


def mark_deals(cursor: CursorWrapper) -> None:
    """Note every deal as dirty, because the steps of a sale are others now."""
    cursor.execute("INSERT INTO kpis_dirtyfact (fact, fact_id, is_own) SELECT 'deals', id, false FROM kpis_deal")


def mark_segments(cursor: CursorWrapper) -> None:
    """Note every fact as dirty, because the segments of the company are filled by other fields now."""
    for fact, table in FACT_TABLES.items():
        cursor.execute(f"INSERT INTO kpis_dirtyfact (fact, fact_id, is_own) SELECT %s, id, false FROM {table}", [fact])


def mark_leads(cursor: CursorWrapper) -> None:
    """Note every lead and deal as dirty, because they are joined by other rules now."""
    for fact in ("leads", "deals"):
        cursor.execute(f"INSERT INTO kpis_dirtyfact (fact, fact_id) SELECT %s, id FROM {FACT_TABLES[fact]}", [fact])


def mark_all(cursor: CursorWrapper) -> None:
    """Note every fact as dirty, for a full recompute."""
    for fact, table in FACT_TABLES.items():
        cursor.execute(f"INSERT INTO kpis_dirtyfact (fact, fact_id) SELECT %s, id FROM {table}", [fact])
