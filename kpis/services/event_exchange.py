"""Exchanging the events of facts that were derived again: what is derived no longer goes, what is new comes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from django.db.backends.utils import CursorWrapper

from kpis.choices import SEGMENTS, VALUE_DIMENSIONS
from kpis.engine.facts import FACTS
from kpis.engine.specs import event_kinds

MEMBER_COLUMNS = ("person", "team", "product", *VALUE_DIMENSIONS, *SEGMENTS)
_EVENT_COLUMNS = (
    *("kind", "credit", "date", "fact_id", "account_id", "outcome", "weight", "amount", "gross_profit"),
    *("is_rate_missing", "created_on", *(f"{code}_id" for code in MEMBER_COLUMNS)),
)
# All that an event says, as one number. Among a million events two that differ have the same once in ten million runs.
_SAID = f"hash_record_extended(ROW({', '.join(f'e.{column}' for column in _EVENT_COLUMNS)}), 0)"


# So many new events of facts that had none are a first load: what they change is nearly everything.
FIRST_LOAD = 50_000


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an exchange of events touched: measure group → dates.

    `is_noted`: whether `changed_event`, a temporary table, has every event that came (sign 1) or went (sign -1).
    """

    dates: dict[str, set[date]]
    is_noted: bool


def exchange_events(cursor: CursorWrapper, read_records: Collection[str]) -> Exchange:
    """Put the events of `placed` in the place of those of the facts in `stale`.

    Events that say the same stay where they are. In the groups of `read_records` all dates of these facts count.
    """
    cursor.execute(
        "SELECT d.code, m.id FROM kpis_dimensionmember m JOIN kpis_dimension d ON d.id = m.dimension_id"
        " WHERE m.is_unassigned"
    )
    unassigned = {f"unassigned_{code}": member for code, member in cursor.fetchall()}
    members = ", ".join(
        f"coalesce(e.{code}, %(unassigned_{code})s)"
        if code in {"person", "team", "product"}
        else f"coalesce(v_{code}.id, %(unassigned_{code})s)"
        for code in MEMBER_COLUMNS
    )
    joins = " ".join(
        f"LEFT JOIN value_member v_{code} ON v_{code}.dimension = '{code}' AND v_{code}.value = left(e.{code}, 200)"
        for code in (*VALUE_DIMENSIONS, *SEGMENTS)
    )
    derived = (
        "SELECT e.kind, e.credit, e.date, e.fact_id, e.account_id, e.outcome, e.weight, e.amount, e.gross_profit,"
        # Side by side as they are read: all of one kind, by their dates.
        f" e.is_rate_missing, e.created_on, {members} FROM placed e {joins} ORDER BY e.kind, e.date"
    )
    kinds = [(fact, kind) for fact in FACTS for kind in event_kinds(fact)]
    cursor.execute(
        f"""
        CREATE TEMPORARY TABLE earlier ON COMMIT DROP AS
        SELECT e.id, e.kind || ':' || e.credit AS "group", e.date, {_SAID} AS said,
               row_number() OVER (PARTITION BY {_SAID}) AS nth
        FROM stale s JOIN unnest(%s::text[], %s::text[]) AS k (fact, kind) ON k.fact = s.fact
        JOIN kpis_kpievent e ON e.fact_id = s.fact_id AND e.kind = k.kind
        """,
        [[fact for fact, _kind in kinds], [kind for _fact, kind in kinds]],
    )
    had_none = not cursor.rowcount
    cursor.execute("SELECT count(*) FROM placed")
    is_first_load = had_none and cursor.fetchone()[0] >= FIRST_LOAD
    if is_first_load:
        cursor.execute(f"INSERT INTO kpis_kpievent ({', '.join(_EVENT_COLUMNS)}) {derived}", unassigned)
        cursor.execute("SELECT kind || ':' || credit, array_agg(DISTINCT date) FROM placed GROUP BY 1")
        found = cursor.fetchall()
    else:
        found = _compare(cursor, derived, unassigned, read_records)
    cursor.execute("DROP TABLE earlier")
    return Exchange({group: set(dates) for group, dates in found}, is_noted=not is_first_load)


def _compare(
    cursor: CursorWrapper, derived: str, unassigned: Mapping[str, int], read_records: Collection[str]
) -> list[tuple[str, list[date]]]:
    """Delete what of `earlier` is derived no longer, and store what is new."""
    columns = ", ".join(_EVENT_COLUMNS)
    # of the table's own types, so that amounts are rounded as they are stored
    cursor.execute(f"CREATE TEMPORARY TABLE derived ON COMMIT DROP AS SELECT {columns} FROM kpis_kpievent WITH NO DATA")
    cursor.execute(f"INSERT INTO derived {derived}", unassigned)
    cursor.execute("ANALYZE earlier, derived")
    cursor.execute("DROP TABLE IF EXISTS changed_event")
    cursor.execute(
        f"CREATE TEMPORARY TABLE changed_event ON COMMIT DROP AS SELECT 1 AS sign, {columns} FROM derived WITH NO DATA"
    )
    cursor.execute(
        f"""
        WITH now AS (
            SELECT *, {_SAID} AS said, row_number() OVER (PARTITION BY {_SAID}) AS nth FROM derived e
        ), gone AS (
            SELECT id, "group", date FROM earlier
            WHERE NOT EXISTS (SELECT FROM now n WHERE n.said = earlier.said AND n.nth = earlier.nth)
        ), come AS (
            SELECT {columns} FROM now
            WHERE NOT EXISTS (SELECT FROM earlier b WHERE b.said = now.said AND b.nth = now.nth)
        ), deleted AS (
            DELETE FROM kpis_kpievent WHERE id IN (SELECT id FROM gone) RETURNING {columns}
        ), stored AS (
            INSERT INTO kpis_kpievent ({columns}) SELECT {columns} FROM come ORDER BY kind, date
        ), noted AS (
            INSERT INTO changed_event SELECT -1, {columns} FROM deleted UNION ALL SELECT 1, {columns} FROM come
        )
        SELECT "group", array_agg(DISTINCT date) FROM (
            SELECT "group", date FROM gone UNION ALL SELECT kind || ':' || credit, date FROM come
            UNION ALL SELECT "group", date FROM earlier WHERE "group" = ANY(%(read)s)
            UNION ALL SELECT kind || ':' || credit, date FROM derived WHERE kind || ':' || credit = ANY(%(read)s)
        ) AS dates GROUP BY 1
        """,
        {"read": list(read_records)},
    )
    found: list[tuple[str, list[date]]] = cursor.fetchall()
    cursor.execute("DROP TABLE derived")
    return found
