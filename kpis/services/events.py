"""From facts to dated, credited events: what is dirty is derived again, set by set, whatever its size.

`base` gathers what each fact says of itself; `placed` adds what the day decides (team, region, segments); then the
events of the dirty facts are exchanged. Returned are the dates that were touched, per measure group.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from django.conf import settings
from django.db.backends.utils import CursorWrapper

from kpis.choices import SEGMENTS, VALUE_DIMENSIONS
from kpis.engine.records import YEN_LIKE
from kpis.engine.specs import DEAL_STEPS
from kpis.services.dependents import FACT_TABLES
from kpis.services.event_exchange import Exchange, exchange_events

# After a large delivery the planner still believes the tables to be empty, until the server looks by itself a minute
# later: joins that take a second then take many minutes.
MANY_FACTS = 500
READ_TABLES = (
    *FACT_TABLES.values(),
    "kpis_dealline",
    "kpis_dealcredit",
    "kpis_teammembership",
    "kpis_account",
    "kpis_unresolvedreference",
)

_COLUMNS = (
    "kind, credit, date, fact_id, account_id, person_id, product_id, region, lead_source, sales_channel, partner,"
    " customer_type, attributes, outcome, weight, amount, gross_profit, is_rate_missing, created_on"
)
# How one unit of the record's currency is counted: 1 for the company's own, null where no rate is known on the day.
_RATE = (
    "CASE WHEN {f}.currency IN ('', %(currency)s) THEN 1 ELSE (SELECT r.rate FROM kpis_exchangerate r"
    " WHERE r.currency = {f}.currency AND r.starts_on <= {day} AND r.deleted_at IS NULL"
    " ORDER BY r.starts_on DESC LIMIT 1) END"
)
_ON = "({moment} AT TIME ZONE %(zone)s)::date"

# A step that was skipped counts as passed when a later one, or the win, is reached.
_DEALS = f"""
    WITH own AS MATERIALIZED (
        SELECT f.* FROM stale s JOIN kpis_deal f ON f.id = s.fact_id
        WHERE s.fact = 'deals' AND f.deleted_at IS NULL AND f.outcome <> 'void'
    ), passed AS (
        SELECT e.deal_id, p.step, {_ON.format(moment="e.entered_at")} AS day
        FROM stale s JOIN kpis_dealstageevent e ON e.deal_id = s.fact_id JOIN kpis_dealphase p ON p.code = e.phase
        WHERE s.fact = 'deals' AND e.deleted_at IS NULL
        UNION ALL
        SELECT id, {DEAL_STEPS}, closed_on FROM own WHERE outcome = 'won'
    ), dated AS (
        SELECT f.id, x.axis, x.day FROM own f
        CROSS JOIN LATERAL (VALUES
            ('created_on', f.created_on), ('expected_close_on', f.expected_close_on),
            ('closed_on', CASE WHEN f.outcome IN ('won', 'lost', 'no_decision') THEN f.closed_on END)
        ) AS x (axis, day)
        UNION ALL
        SELECT p.deal_id, 'step' || known.step || '_on', min(p.day)
        FROM (SELECT DISTINCT step FROM kpis_dealphase WHERE step IS NOT NULL) known
        JOIN passed p ON p.step >= known.step GROUP BY p.deal_id, known.step
    ), picked AS (
        SELECT f.*, l.lead_source AS lead_lead_source, x.axis, x.day, {_RATE.format(f="f", day="x.day")} AS rate
        FROM dated x JOIN own f ON f.id = x.id LEFT JOIN kpis_lead l ON l.id = f.lead_id WHERE x.day IS NOT NULL
    ), lines AS (
        SELECT p.id, p.axis, l.product_id, round(l.amount * p.rate, %(unit)s) AS amount,
               round(l.gross_profit * p.rate, %(unit)s) AS gross_profit,
               row_number() OVER (PARTITION BY p.id, p.axis ORDER BY l.amount DESC NULLS LAST, l.id) = 1 AS is_main
        FROM picked p JOIN kpis_dealline l ON l.deal_id = p.id AND l.deleted_at IS NULL
    ), totals AS (
        SELECT id, axis, sum(amount) AS amount, sum(gross_profit) AS gross_profit FROM lines GROUP BY id, axis
    ), parts AS (
        SELECT id, axis, product_id, amount, gross_profit, is_main FROM lines
        UNION ALL
        SELECT p.id, p.axis, CASE WHEN t.id IS NULL THEN p.product_id END,
               round(p.amount * p.rate, %(unit)s) - coalesce(t.amount, 0),
               round(p.gross_profit * p.rate, %(unit)s) - coalesce(t.gross_profit, 0), t.id IS NULL
        FROM picked p LEFT JOIN totals t USING (id, axis)
        WHERE t.id IS NULL OR round(p.amount * p.rate, %(unit)s) <> coalesce(t.amount, 0)
           OR round(p.gross_profit * p.rate, %(unit)s) <> coalesce(t.gross_profit, 0)
    ), sent AS (
        SELECT c.deal_id, c.person_id, c.id,
               coalesce(c.share, 1::numeric / count(*) OVER w)
               / greatest(sum(coalesce(c.share, 0)) OVER w, 1) AS share
        FROM kpis_dealcredit c
        WHERE c.kind = 'revenue' AND c.deleted_at IS NULL AND c.deal_id IN (SELECT id FROM picked)
        WINDOW w AS (PARTITION BY c.deal_id)
    ), rounded AS (
        SELECT deal_id, person_id, round(share, 6) AS share,
               1 - sum(round(share, 6)) OVER (PARTITION BY deal_id) AS rest,
               row_number() OVER (PARTITION BY deal_id ORDER BY share DESC, id) AS place
        FROM sent
    ), credits AS (
        SELECT deal_id, person_id, 'revenue' AS credit,
               share + CASE WHEN place = 1 AND abs(rest) <= 0.001 THEN rest ELSE 0 END AS weight
        FROM rounded
        UNION ALL
        SELECT deal_id, NULL, 'revenue', rest FROM rounded WHERE place = 1 AND abs(rest) > 0.001
        UNION ALL
        SELECT DISTINCT p.id, coalesce(p.owner_at_close_id, p.owner_id), 'revenue', 1::numeric FROM picked p
        WHERE NOT EXISTS (SELECT FROM sent WHERE sent.deal_id = p.id)
        UNION ALL
        SELECT c.deal_id, c.person_id, 'overlay', 1::numeric FROM kpis_dealcredit c
        WHERE c.kind = 'overlay' AND c.deleted_at IS NULL AND c.deal_id IN (SELECT id FROM picked)
        UNION ALL
        SELECT DISTINCT p.id, p.created_by_id, 'overlay', 1::numeric FROM picked p
        WHERE p.created_by_id <> coalesce(p.owner_at_close_id, p.owner_id, 0) AND NOT EXISTS (
            SELECT FROM kpis_dealcredit c WHERE c.deal_id = p.id AND c.kind = 'overlay' AND c.deleted_at IS NULL
        )
    )
    SELECT 'deals.' || p.axis, c.credit, p.day, p.id, p.account_id, c.person_id, x.product_id, p.region,
           coalesce(nullif(p.lead_source, ''), p.lead_lead_source), p.sales_channel, p.partner, p.customer_type,
           p.attributes, p.outcome, CASE WHEN x.is_main THEN c.weight ELSE 0 END, x.amount * c.weight,
           x.gross_profit * c.weight, p.rate IS NULL, p.created_on
    FROM picked p JOIN parts x USING (id, axis) JOIN credits c ON c.deal_id = p.id
"""

# A stage that was skipped counts as entered when a later one is: each stage's date is the earliest of its own and the
# later ones'. Leads that are one are told by the one that is counted; what is kept out of the count makes no event.
_LEADS = f"""
    WITH kin AS (
        SELECT fact_id AS lead_id, fact_id AS member_id FROM stale WHERE fact = 'leads'
        UNION ALL
        SELECT x.same_as_id, x.lead_id FROM stale s JOIN kpis_leadexclusion x ON x.same_as_id = s.fact_id AND x.is_out
        WHERE s.fact = 'leads'
    ), own AS (
        SELECT k.lead_id, min(l.mql_on) AS mql_on, min(l.sql_on) AS sql_on
        FROM kin k JOIN kpis_lead l ON l.id = k.member_id WHERE l.deleted_at IS NULL GROUP BY k.lead_id
    ), stages AS (
        SELECT k.lead_id, min({_ON.format(moment="e.entered_at")}) FILTER (WHERE e.stage = 'mql') AS mql,
               min({_ON.format(moment="e.entered_at")}) FILTER (WHERE e.stage = 'sql') AS sql,
               min({_ON.format(moment="e.entered_at")}) FILTER (
                   WHERE e.stage = 'disqualified' AND k.member_id = k.lead_id) AS disqualified
        FROM kin k JOIN kpis_leadstageevent e ON e.lead_id = k.member_id WHERE e.deleted_at IS NULL GROUP BY k.lead_id
    ), linked AS (
        SELECT lead_id, min(least(created_on, won_on)) AS created_on, min(won_on) AS won_on FROM (
            SELECT k.lead_id, d.created_on, CASE WHEN d.outcome = 'won' THEN d.closed_on END AS won_on
            FROM kin k JOIN kpis_deal d ON d.lead_id = k.member_id
            WHERE d.deleted_at IS NULL AND d.outcome <> 'void'
            UNION ALL
            SELECT k.lead_id, d.created_on, CASE WHEN d.outcome = 'won' THEN d.closed_on END
            FROM kin k JOIN kpis_lead l ON l.id = k.member_id JOIN kpis_deal d ON d.id = l.converted_deal_id
            WHERE d.deleted_at IS NULL AND d.outcome <> 'void'
        ) AS deals GROUP BY lead_id
    )
    SELECT 'leads.' || x.axis, 'revenue', x.day, f.id, f.account_id, f.owner_id, NULL::bigint, '', f.lead_source, '',
           '', '', f.attributes, '', 1::numeric, NULL::numeric, NULL::numeric, false, NULL::date
    FROM stale s JOIN kpis_lead f ON f.id = s.fact_id
    LEFT JOIN own ON own.lead_id = f.id LEFT JOIN stages ON stages.lead_id = f.id
    LEFT JOIN linked ON linked.lead_id = f.id
    CROSS JOIN LATERAL (VALUES
        ('created_on', f.created_on), ('deal_on', linked.created_on), ('won_on', linked.won_on),
        ('mql_on', least(own.mql_on, stages.mql, own.sql_on, stages.sql, linked.created_on)),
        ('sql_on', least(own.sql_on, stages.sql, linked.created_on)),
        ('disqualified_on', least(f.disqualified_on, stages.disqualified))
    ) AS x (axis, day)
    WHERE s.fact = 'leads' AND f.deleted_at IS NULL AND x.day IS NOT NULL
      AND NOT EXISTS (SELECT FROM kpis_leadexclusion o WHERE o.lead_id = f.id AND o.is_out)
"""

_LEAD_STAGES = f"""
    SELECT 'lead-stage-events.entered_at', 'revenue', {_ON.format(moment="f.entered_at")}, f.id, l.account_id,
           l.owner_id, NULL::bigint, '', l.lead_source, '', '', '', l.attributes || f.attributes, '', 1::numeric,
           NULL::numeric, NULL::numeric, false, NULL::date
    FROM stale s JOIN kpis_leadstageevent f ON f.id = s.fact_id JOIN kpis_lead l ON l.id = f.lead_id
    WHERE s.fact = 'lead-stage-events' AND f.deleted_at IS NULL AND l.deleted_at IS NULL
"""

_DEAL_STAGES = f"""
    SELECT 'deal-stage-events.entered_at', 'revenue', {_ON.format(moment="f.entered_at")}, f.id, d.account_id,
           coalesce(d.owner_at_close_id, d.owner_id), d.product_id, d.region,
           coalesce(nullif(d.lead_source, ''), l.lead_source), d.sales_channel, d.partner, d.customer_type,
           d.attributes || f.attributes, d.outcome, 1::numeric, NULL::numeric, NULL::numeric, false,
           NULL::date
    FROM stale s JOIN kpis_dealstageevent f ON f.id = s.fact_id JOIN kpis_deal d ON d.id = f.deal_id
    LEFT JOIN kpis_lead l ON l.id = d.lead_id
    WHERE s.fact = 'deal-stage-events' AND f.deleted_at IS NULL AND d.deleted_at IS NULL AND d.outcome <> 'void'
"""

_ACTIVITIES = """
    SELECT 'activities.happened_on', 'revenue', f.happened_on, f.id, coalesce(f.account_id, d.account_id, l.account_id),
           f.owner_id, d.product_id, d.region, coalesce(nullif(d.lead_source, ''), l.lead_source), d.sales_channel,
           d.partner, d.customer_type, f.attributes, f.outcome, 1::numeric, NULL::numeric, NULL::numeric, false,
           NULL::date
    FROM stale s JOIN kpis_activity f ON f.id = s.fact_id
    LEFT JOIN kpis_deal d ON d.id = f.deal_id LEFT JOIN kpis_lead l ON l.id = coalesce(f.lead_id, d.lead_id)
    WHERE s.fact = 'activities' AND f.deleted_at IS NULL
"""

# What was due when a month began stays due in it, also after a renewal has moved the contract's date into another
# month: moved to later it was renewed, taken away it was not.
_CONTRACTS = f"""
    WITH dated AS (
        SELECT f.id, x.axis, x.day, f.renewed FROM stale s JOIN kpis_contract f ON f.id = s.fact_id
        CROSS JOIN LATERAL (VALUES
            ('starts_on', f.starts_on), ('ends_on', f.ends_on), ('renewal_due_on', f.renewal_due_on)
        ) AS x (axis, day)
        WHERE s.fact = 'contracts'
        UNION ALL
        SELECT f.id, 'renewal_due_on', d.day, f.renewed OR coalesce(f.renewal_due_on > d.day, false)
        FROM stale s JOIN kpis_contract f ON f.id = s.fact_id
        JOIN kpis_factchange c ON c.fact = s.fact AND c.fact_id = f.id AND c.changes ? 'renewal_due_on'
        JOIN kpis_calendarday d ON d.day = (c.changes->'renewal_due_on'->>0)::date
        CROSS JOIN LATERAL (SELECT d.month::timestamp AT TIME ZONE %(zone)s AS at) began
        WHERE s.fact = 'contracts' AND f.recorded_at < began.at AND c.at >= began.at
          AND NOT EXISTS (
            SELECT FROM kpis_factchange b WHERE b.fact = c.fact AND b.fact_id = c.fact_id AND b.id < c.id
              AND b.at >= began.at AND b.changes ? 'renewal_due_on')
          AND NOT EXISTS (SELECT FROM kpis_calendarday o WHERE o.day = f.renewal_due_on AND o.month = d.month)
    )
    SELECT 'contracts.' || x.axis, 'revenue', x.day, f.id, f.account_id, f.owner_id, f.product_id, '', '', '', '', '',
           f.attributes, CASE WHEN x.renewed THEN 'renewed' ELSE '' END, 1::numeric,
           round(f.mrr * {_RATE.format(f="f", day="x.day")}, %(unit)s), NULL::numeric,
           {_RATE.format(f="f", day="x.day")} IS NULL, NULL::date
    FROM dated x JOIN kpis_contract f ON f.id = x.id
    WHERE f.deleted_at IS NULL AND x.day IS NOT NULL
"""

_ORDERS = f"""
    SELECT 'orders.ordered_on', 'revenue', f.ordered_on, f.id, f.account_id, f.owner_id, f.product_id, '', '', '', '',
           '', f.attributes, '', 1::numeric, round(f.amount * {_RATE.format(f="f", day="f.ordered_on")}, %(unit)s),
           NULL::numeric, {_RATE.format(f="f", day="f.ordered_on")} IS NULL, NULL::date
    FROM stale s JOIN kpis_order f ON f.id = s.fact_id
    WHERE s.fact = 'orders' AND f.deleted_at IS NULL
"""

_REVENUES = f"""
    SELECT 'revenues.recognized_on', 'revenue', f.recognized_on, f.id, coalesce(f.account_id, d.account_id),
           coalesce(f.owner_id, d.owner_at_close_id, d.owner_id), coalesce(f.product_id, d.product_id), d.region,
           coalesce(nullif(d.lead_source, ''), l.lead_source), d.sales_channel, d.partner, d.customer_type,
           f.attributes, '', 1::numeric, round(f.amount * {_RATE.format(f="f", day="f.recognized_on")}, %(unit)s),
           round(f.gross_profit * {_RATE.format(f="f", day="f.recognized_on")}, %(unit)s),
           {_RATE.format(f="f", day="f.recognized_on")} IS NULL, NULL::date
    FROM stale s JOIN kpis_revenueline f ON f.id = s.fact_id
    LEFT JOIN kpis_deal d ON d.id = f.deal_id LEFT JOIN kpis_lead l ON l.id = d.lead_id
    WHERE s.fact = 'revenues' AND f.deleted_at IS NULL
"""

_SURVEYS = """
    SELECT 'surveys.answered_on', 'revenue', f.answered_on, f.id, f.account_id, f.owner_id, NULL::bigint, '', '', '',
           '', '', f.attributes, '', 1::numeric, NULL::numeric, NULL::numeric, false, NULL::date
    FROM stale s JOIN kpis_surveyresponse f ON f.id = s.fact_id
    WHERE s.fact = 'surveys' AND f.deleted_at IS NULL
"""

_SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "deals": _DEALS,
        "leads": _LEADS,
        "lead-stage-events": _LEAD_STAGES,
        "deal-stage-events": _DEAL_STAGES,
        "activities": _ACTIVITIES,
        "contracts": _CONTRACTS,
        "orders": _ORDERS,
        "revenues": _REVENUES,
        "surveys": _SURVEYS,
    }
)


def take_stale(cursor: CursorWrapper) -> None:
    """Take what is dirty into `stale` (fact, fact_id, is_own), a temporary table, beside what it holds already."""
    cursor.execute("CREATE TEMPORARY TABLE IF NOT EXISTS stale (fact text, fact_id bigint, is_own bool) ON COMMIT DROP")
    cursor.execute(
        """
        WITH taken AS (
            DELETE FROM kpis_dirtyfact RETURNING fact, fact_id, is_own
        ), told AS (
            SELECT fact, fact_id, bool_or(is_own) AS is_own FROM taken GROUP BY fact, fact_id
        ), owned AS (
            UPDATE stale s SET is_own = true FROM told t
            WHERE t.is_own AND NOT s.is_own AND s.fact = t.fact AND s.fact_id = t.fact_id
        )
        INSERT INTO stale SELECT * FROM told t
        WHERE NOT EXISTS (SELECT FROM stale s WHERE s.fact = t.fact AND s.fact_id = t.fact_id)
        """
    )
    is_large = cursor.rowcount >= MANY_FACTS
    cursor.execute(f"ANALYZE {', '.join(['stale', *(_grown_tables(cursor) if is_large else ())])}")


def _grown_tables(cursor: CursorWrapper) -> list[str]:
    """The tables that are a tenth larger or smaller than the planner believes."""
    cursor.execute(
        "SELECT relname FROM pg_class WHERE oid = ANY(%s::regclass[]) AND relkind = 'r'"
        " AND abs(pg_relation_size(oid) / current_setting('block_size')::int - relpages) * 10 > relpages",
        [list(READ_TABLES)],
    )
    return [row[0] for row in cursor.fetchall()]


def derive_events(cursor: CursorWrapper, *, currency: str, read_records: Collection[str]) -> Exchange:
    """Derive the events of all facts in `stale` again and drop it; the dates on which one went or came.

    `read_records`: the groups that measure more of a record than its events say; all of its dates count there.

    Amounts are in `currency` (the company's), converted at the rate of the event's day and rounded to its unit before
    they are shared out, so that shares add up to the unit. Runs inside the caller's transaction and lock.
    """
    cursor.execute("SELECT DISTINCT fact FROM stale ORDER BY fact")
    facts = [row[0] for row in cursor.fetchall()]
    exchange = Exchange({}, is_noted=False)
    if facts:
        _gather(cursor, facts, currency=currency)
        _place(cursor)
        _add_members(cursor)
        exchange = exchange_events(cursor, read_records)
        cursor.execute("DROP TABLE base, placed, value_member")
    cursor.execute("DROP TABLE stale")
    return exchange


def _gather(cursor: CursorWrapper, facts: list[str], *, currency: str) -> None:
    cursor.execute(
        "CREATE TEMPORARY TABLE base (kind text, credit text, date date, fact_id bigint, account_id bigint,"
        " person_id bigint, product_id bigint, region text, lead_source text, sales_channel text, partner text,"
        " customer_type text, attributes jsonb, outcome text, weight numeric, amount numeric, gross_profit numeric,"
        " is_rate_missing bool, created_on date) ON COMMIT DROP"
    )
    params = {"currency": currency, "unit": 0 if currency in YEN_LIKE else 2, "zone": settings.TIME_ZONE}
    for fact in facts:
        cursor.execute(f"INSERT INTO base ({_COLUMNS}) {_SOURCES[fact]}", params)
    cursor.execute("ANALYZE base")


def _place(cursor: CursorWrapper) -> None:
    """Add team, region and segments as they were on the day."""
    cursor.execute(
        "SELECT code, attribute FROM kpis_dimension WHERE code = ANY(%s) AND is_active AND attribute <> ''",
        [list(SEGMENTS)],
    )
    attributes = dict(cursor.fetchall())
    segments = ", ".join(
        f"coalesce(nullif(b.attributes->>%({code})s, ''), nullif(a.attributes->>%({code})s, ''),"
        f" nullif(jsonb_build_object('industry', a.industry, 'size', a.size)->>%({code})s, '')) AS {code}"
        if code in attributes
        else f"NULL::text AS {code}"
        for code in SEGMENTS
    )
    cursor.execute(
        f"""
        CREATE TEMPORARY TABLE placed ON COMMIT DROP AS
        SELECT b.kind, b.credit, b.date, b.fact_id, b.account_id, b.outcome, b.weight, b.amount, b.gross_profit,
               b.is_rate_missing, b.created_on, p.member_id AS person, t.member_id AS team, x.member_id AS product,
               coalesce(nullif(b.region, ''), nullif(t.region, ''), nullif(a.region, '')) AS region,
               nullif(b.lead_source, '') AS lead_source, nullif(b.sales_channel, '') AS sales_channel,
               nullif(b.partner, '') AS partner, nullif(b.customer_type, '') AS customer_type, {segments}
        FROM base b
        LEFT JOIN kpis_person p ON p.id = b.person_id
        LEFT JOIN kpis_account a ON a.id = b.account_id
        LEFT JOIN kpis_product x ON x.id = b.product_id
        LEFT JOIN kpis_teammembership m ON m.person_id = b.person_id AND m.credited AND m.deleted_at IS NULL
              AND (m.starts_on IS NULL OR m.starts_on <= b.date) AND (m.ends_on IS NULL OR m.ends_on > b.date)
        LEFT JOIN kpis_team t ON t.id = m.team_id
        """,
        attributes,
    )
    cursor.execute("ANALYZE placed")


def _add_members(cursor: CursorWrapper) -> None:
    """Find the member for each value, by code or alias; a value that nobody has seen becomes a member."""
    values = " UNION ".join(
        f"SELECT '{code}' AS dimension, {code} AS value FROM placed WHERE {code} IS NOT NULL"
        for code in (*VALUE_DIMENSIONS, *SEGMENTS)
    )
    cursor.execute(
        f"""
        INSERT INTO kpis_dimensionmember (dimension_id, code, name, aliases, is_active, is_unassigned)
        SELECT d.id, left(v.value, 200), left(v.value, 200), '[]', true, false
        FROM ({values}) v JOIN kpis_dimension d ON d.code = v.dimension
        WHERE NOT EXISTS (
            SELECT FROM kpis_dimensionmember m
            WHERE m.dimension_id = d.id AND (m.code = left(v.value, 200) OR m.aliases ? v.value)
        )
        ON CONFLICT (dimension_id, code) DO NOTHING
        """
    )
    _show_members_again(cursor, values)
    cursor.execute(
        """
        CREATE TEMPORARY TABLE value_member ON COMMIT DROP AS
        SELECT DISTINCT ON (dimension, value) dimension, value, id FROM (
            SELECT d.code AS dimension, m.code AS value, m.id, 0 AS rank
            FROM kpis_dimensionmember m JOIN kpis_dimension d ON d.id = m.dimension_id
            UNION ALL
            SELECT d.code, alias, m.id, 1 FROM kpis_dimensionmember m JOIN kpis_dimension d ON d.id = m.dimension_id,
            jsonb_array_elements_text(m.aliases) AS alias
        ) AS names ORDER BY dimension, value, rank, id
        """
    )


def _show_members_again(cursor: CursorWrapper, values: str) -> None:
    """Put members of segments into use whose value comes again, after another field had filled their segment."""
    hidden = (
        "SELECT m.id, d.code AS dimension, m.code, m.aliases FROM kpis_dimensionmember m"
        " JOIN kpis_dimension d ON d.id = m.dimension_id WHERE d.code = ANY(%s) AND NOT m.is_active"
    )
    cursor.execute(f"SELECT EXISTS ({hidden})", [list(SEGMENTS)])
    if cursor.fetchone()[0]:
        cursor.execute(
            f"UPDATE kpis_dimensionmember SET is_active = true WHERE id IN (SELECT h.id FROM ({hidden}) h"
            f" JOIN ({values}) v USING (dimension) WHERE h.code = left(v.value, 200) OR h.aliases ? v.value)",
            [list(SEGMENTS)],
        )
