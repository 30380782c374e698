"""The facts as they were at a moment, laid over the present ones for the length of a block.

Temporary views with the names of the fact tables are found before the tables themselves, so whatever reads facts and
events inside the block reads those of the moment: rows that arrived later are left out, changed ones are put back by
what FactChange remembers, and their events are derived again by the same statements as ever. Nothing is kept: the
block is always rolled back.

What has no history stays as it is known today: who belonged to which team, definitions, value maps and names.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Model

from kpis.engine.resources import RESOURCES
from kpis.engine.specs import event_kinds
from kpis.models.resources import MODELS
from kpis.services import dependents
from kpis.services.events import derive_events, take_stale
from tenants.settings.selectors import company_settings

# What carries a history, parents before the children that refer to them.
REWOUND = (
    "exchange-rates",
    "accounts",
    "leads",
    "deals",
    "lead-stage-events",
    "deal-lines",
    "deal-credits",
    "deal-stage-events",
    "activities",
    "contracts",
    "orders",
    "revenues",
    "surveys",
)


Changed = Mapping[str, frozenset[int]]
Stretch = tuple[date, date]  # from the first day to before the last


@contextmanager
def facts_as_of(
    moment: datetime, *, facts: Collection[str], stretch: Stretch, outcome: str | None = None
) -> Iterator[Changed]:
    """Inside the block selectors read facts, and the events of these kinds of fact in a stretch of time, as they were.

    Yields per kind of fact the ids of those that have or had an event in it and may be others than today. Rows must be
    read to their end inside the block. With `outcome` the events of other outcomes may be left out.
    """
    with transaction.atomic():
        try:
            with connection.cursor() as cursor:
                changed = _lay_over(cursor, moment, tuple(facts), stretch, outcome)
            yield changed
        finally:
            transaction.set_rollback(True)


def _lay_over(
    cursor: CursorWrapper, moment: datetime, facts: Sequence[str], stretch: Stretch, outcome: str | None
) -> Changed:
    cursor.execute("SELECT quote_ident(current_schema())")
    schema = cursor.fetchone()[0]
    # Takes the place of the company's list of what has to be derived again.
    cursor.execute(
        "CREATE TEMPORARY TABLE kpis_dirtyfact (fact text, fact_id bigint, is_own bool DEFAULT true) ON COMMIT DROP"
    )
    _gather_changes(cursor, moment)
    for resource in REWOUND:
        _mark(cursor, schema, resource, moment)
    for resource in REWOUND:
        _rewind(cursor, schema, resource, moment)
    for resource in REWOUND:
        _mark(cursor, schema, resource, moment)
    cursor.execute("DELETE FROM kpis_dirtyfact WHERE fact <> ALL(%s)", [list(facts)])
    cursor.execute(
        "CREATE TEMPORARY TABLE past_fact ON COMMIT DROP AS SELECT DISTINCT fact, fact_id FROM kpis_dirtyfact"
    )
    cursor.execute("CREATE INDEX ON past_fact (fact_id, fact)")
    cursor.execute("ANALYZE past_fact")
    _copy_events(cursor, schema, facts, stretch, outcome)
    cursor.execute(
        f"CREATE TEMPORARY VIEW kpis_factchange AS SELECT * FROM {schema}.kpis_factchange WHERE at <= %s", [moment]
    )
    take_stale(cursor)
    derive_events(cursor, currency=company_settings().currency, read_records=())
    return {fact: _changed(cursor, schema, fact, stretch) for fact in facts}


def _changed(cursor: CursorWrapper, schema: str, fact: str, stretch: Stretch) -> frozenset[int]:
    is_here = "e.kind = ANY(%(kinds)s) AND e.date >= %(start)s AND e.date < %(end)s"
    cursor.execute(
        f"SELECT e.fact_id FROM {schema}.kpis_kpievent e WHERE {is_here} AND {_IS_PAST}"
        f" UNION SELECT e.fact_id FROM kpis_kpievent e WHERE {is_here} AND {_IS_PAST}",
        {"kinds": list(event_kinds(fact)), "fact": fact, "start": stretch[0], "end": stretch[1]},
    )
    return frozenset(row[0] for row in cursor.fetchall())


_IS_PAST = "EXISTS (SELECT FROM past_fact p WHERE p.fact = %(fact)s AND p.fact_id = e.fact_id)"


def _gather_changes(cursor: CursorWrapper, moment: datetime) -> None:
    """`past_change`: of every row changed since, its fields as they were, and whether it was deleted or restored first.

    Of several changes of one field the earliest says what it was: in jsonb the last of equal names stays.
    """
    cursor.execute(
        "CREATE TEMPORARY TABLE past_change ON COMMIT DROP AS"
        " SELECT c.fact, c.fact_id,"
        " coalesce(jsonb_object_agg(x.key, x.value->0 ORDER BY c.id DESC) FILTER (WHERE x.key IS NOT NULL), '{}')"
        " AS olds, (array_agg(c.action ORDER BY c.id) FILTER (WHERE c.action <> 'updated'))[1] AS first_turn"
        " FROM kpis_factchange c LEFT JOIN LATERAL jsonb_each(c.changes) x ON true"
        " WHERE c.at > %s GROUP BY c.fact, c.fact_id",
        [moment],
    )


def _mark(cursor: CursorWrapper, schema: str, resource: str, moment: datetime) -> None:
    """Note what reads from the rows that changed or arrived since, by the links that are in sight."""
    table = MODELS[resource]._meta.db_table
    cursor.execute(
        "CREATE TEMPORARY TABLE affected ON COMMIT DROP AS"
        " SELECT fact_id AS id, false AS is_new FROM past_change WHERE fact = %s"
        f" UNION ALL SELECT id, true FROM {schema}.{table} WHERE recorded_at > %s",
        [resource, moment],
    )
    dependents.mark(cursor, resource)
    cursor.execute("DROP TABLE affected")


def _rewind(cursor: CursorWrapper, schema: str, resource: str, moment: datetime) -> None:
    """Lay a view over one table: its rows as they were, without those that arrived later."""
    model = MODELS[resource]
    table, past = model._meta.db_table, f"past_{model._meta.model_name}"
    cursor.execute(
        f"CREATE TEMPORARY TABLE {past} ON COMMIT DROP AS SELECT r.*"
        f" FROM past_change c JOIN {schema}.{table} f ON f.id = c.fact_id AND f.recorded_at <= %s"
        " CROSS JOIN LATERAL jsonb_populate_record(f, c.olds || CASE c.first_turn"
        " WHEN 'deleted' THEN '{\"deleted_at\": null}'::jsonb"
        " WHEN 'restored' THEN jsonb_build_object('deleted_at', f.changed_at) ELSE '{}' END) r WHERE c.fact = %s",
        [moment, resource],
    )
    _rewind_links(cursor, model, resource, past, moment)
    cursor.execute(
        f"CREATE TEMPORARY VIEW {table} AS SELECT f.* FROM {schema}.{table} f WHERE f.recorded_at <= %s"
        f" AND NOT EXISTS (SELECT FROM {past} p WHERE p.id = f.id) UNION ALL SELECT p.* FROM {past} p",
        [moment],
    )


def _rewind_links(cursor: CursorWrapper, model: type[Model], resource: str, past: str, moment: datetime) -> None:
    """Point the references that changed at what they named then, and credit a deal to whom it was credited."""
    columns = {column.name for column in model._meta.concrete_fields}
    for name, entity in RESOURCES[resource].refs.items():
        if name not in columns:
            continue
        cursor.execute(
            f"UPDATE {past} p SET {name}_id = coalesce("
            f" (SELECT t.id FROM {MODELS[entity]._meta.db_table} t"
            f" WHERE t.source = c.olds->'{name}'->>0 AND t.external_id = c.olds->'{name}'->>1),"
            " (SELECT i.row_id FROM kpis_externalidentity i WHERE i.entity = %s"
            f" AND i.source = c.olds->'{name}'->>0 AND i.external_id = c.olds->'{name}'->>1))"
            f" FROM past_change c WHERE c.fact = %s AND c.fact_id = p.id AND c.olds ? '{name}'",
            [entity, resource],
        )
    if resource == "deals":
        _rewind_credit(cursor, past, moment)


def _rewind_credit(cursor: CursorWrapper, past: str, moment: datetime) -> None:
    """Credit a deal whose outcome changed since to its owner on the day of its last close before the moment.

    That is the old value of the first change of owner after that close, or the owner at the moment where there is none.
    As long as the outcome did not change, who is credited is what it was.
    """
    cursor.execute(
        f"UPDATE {past} p SET owner_at_close_id = CASE WHEN p.outcome IN ('won', 'lost', 'no_decision')"
        " THEN coalesce(person.id, p.owner_id) END"
        f" FROM {past} deal LEFT JOIN LATERAL ("
        "  SELECT x.changes->'owner'->0 AS owner FROM kpis_factchange x"
        "  WHERE x.fact = 'deals' AND x.fact_id = deal.id AND x.changes ? 'owner' AND x.id > coalesce(("
        "   SELECT max(y.id) FROM kpis_factchange y WHERE y.fact = 'deals' AND y.fact_id = deal.id AND y.at <= %s"
        "   AND y.changes->'outcome'->>0 IN ('open', 'void')), 0)"
        "  ORDER BY x.id LIMIT 1"
        " ) AS closed ON true LEFT JOIN kpis_person person"
        "  ON person.source = closed.owner->>0 AND person.external_id = closed.owner->>1"
        " WHERE deal.id = p.id AND EXISTS ("
        "  SELECT FROM past_change c WHERE c.fact = 'deals' AND c.fact_id = p.id AND c.olds ? 'outcome')",
        [moment],
    )


def _copy_events(
    cursor: CursorWrapper, schema: str, facts: Sequence[str], stretch: Stretch, outcome: str | None
) -> None:
    """All events of what has one there and is as it was, in a table of their own; the rest is derived again."""
    cursor.execute(
        f"CREATE TEMPORARY TABLE kpis_kpievent (LIKE {schema}.kpis_kpievent INCLUDING DEFAULTS INCLUDING IDENTITY)"
        " ON COMMIT DROP"
    )
    for fact in facts:
        cursor.execute(
            f"INSERT INTO kpis_kpievent SELECT e.* FROM {schema}.kpis_kpievent e"
            f" WHERE e.kind = ANY(%(kinds)s) AND NOT {_IS_PAST} AND (%(outcome)s IS NULL OR e.outcome = %(outcome)s)"
            " AND e.fact_id IN ("
            f" SELECT e.fact_id FROM {schema}.kpis_kpievent e"
            " WHERE e.kind = ANY(%(kinds)s) AND e.date >= %(start)s AND e.date < %(end)s)",
            {
                "kinds": list(event_kinds(fact)),
                "fact": fact,
                "start": stretch[0],
                "end": stretch[1],
                "outcome": outcome,
            },
        )
    cursor.execute("CREATE INDEX ON kpis_kpievent (fact_id, kind)")
    cursor.execute("ANALYZE kpis_kpievent")
