"""References that point to nothing yet: linked when what they name comes, and told to whoever sent them."""

import json
from collections import Counter
from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from kpis.engine.record_batch import Reading
from kpis.models.resources import MODELS
from kpis.services import dependents

# A long list as one parameter: quoting thousands of them one by one costs more than the query.
ANY_OF = "ANY(ARRAY(SELECT jsonb_array_elements_text(%s)))"


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A reference that points to nothing yet, and how many records of the batch carry it."""

    field: str
    reference: str
    count: int


def resolve_waiting(cursor: CursorWrapper, resource: str, *, source: str) -> None:
    """Give rows that were waiting for the records of `affected` (id, external_id, is_new) their link."""
    cursor.execute(
        "SELECT DISTINCT u.fact, u.field FROM kpis_unresolvedreference u LEFT JOIN kpis_externalidentity i"
        " ON i.entity = u.entity AND i.source = u.source AND i.external_id = u.external_id"
        " LEFT JOIN affected a ON u.source = %s AND a.external_id = u.external_id"
        " WHERE u.entity = %s AND (i.id IS NOT NULL OR a.id IS NOT NULL)",
        [source, resource],
    )
    for fact, name in cursor.fetchall():
        if not any(each.name == name for each in MODELS[fact]._meta.concrete_fields):
            continue  # a list, or a person's team: kpis.services.organisation keeps those
        cursor.execute(
            """
            CREATE TEMPORARY TABLE linked ON COMMIT DROP AS
            SELECT u.fact_id AS id, t.id AS target_id, u.id AS waiting_id, false AS is_new
            FROM kpis_unresolvedreference u JOIN (
                SELECT %(source)s AS source, external_id, id FROM affected
                UNION SELECT source, external_id, row_id FROM kpis_externalidentity WHERE entity = %(entity)s
            ) t ON t.source = u.source AND t.external_id = u.external_id
            WHERE u.fact = %(fact)s AND u.field = %(field)s AND u.entity = %(entity)s
            """,
            {"source": source, "entity": resource, "fact": fact, "field": name},
        )
        cursor.execute(
            f"UPDATE {MODELS[fact]._meta.db_table} f SET {name}_id = l.target_id FROM linked l WHERE f.id = l.id"
        )
        cursor.execute("DELETE FROM kpis_unresolvedreference u USING linked l WHERE u.id = l.waiting_id")
        dependents.mark(cursor, fact, rows="linked")
        if (fact, name) == ("deals", "owner"):
            dependents.fix_credits(cursor, rows="linked")
        cursor.execute("DROP TABLE linked")


def unresolved_of(cursor: CursorWrapper, resource: str, reading: Reading, *, source: str) -> tuple[Unresolved, ...]:
    """The references that records of the batch carry and that point to nothing, the most frequent first."""
    cursor.execute("SELECT EXISTS (SELECT FROM kpis_unresolvedreference WHERE fact = %s)", [resource])
    if not cursor.fetchone()[0]:
        return ()
    carried = {external_id: group.refs for group in reading.groups for external_id in group.external_ids}
    cursor.execute(
        f"SELECT f.external_id, u.field, u.external_id FROM {MODELS[resource]._meta.db_table} f"
        " JOIN kpis_unresolvedreference u ON u.fact = %s AND u.fact_id = f.id"
        f" WHERE f.source = %s AND f.external_id = {ANY_OF}",
        [resource, source, json.dumps(list(carried))],
    )
    counts = Counter((name, missing) for record, name, missing in cursor.fetchall() if name in carried[record])
    ordered = sorted(counts.items(), key=lambda each: (-each[1], *each[0]))
    return tuple(Unresolved(name, missing, count) for (name, missing), count in ordered)
