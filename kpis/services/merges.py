"""Merged records: whatever refers to one that was taken over refers to the one that is left, now and from now on."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from django.db import connection, models, transaction
from django.db.backends.utils import CursorWrapper

from kpis.engine.resources import RESOURCES
from kpis.models import ExternalIdentity
from kpis.models.resources import MODELS
from kpis.services import dependents
from tenants.context import current_company
from tenants.outbox.services import emit

# Two memberships of one person may exclude one another: those of a merged person stay as they are.
UNMOVED = frozenset({"memberships"})

DIRTY_DEALS = "(SELECT fact_id AS id FROM kpis_dirtyfact WHERE fact = 'deals') AS dirty"


def merge_facts(
    *,
    resource: str,
    source: str,
    merges: Mapping[str, str],
    actor: models.Model | None = None,
    run: int | None = None,
    now: datetime,
) -> dict[str, int]:
    """Point references at who is left: `merges` is external id → external id of one source, without chains.

    Returns the number of references moved, by merged id; a merge whose remaining record is not here is left out. The
    merged id stays a further name of the one that is left, so that a reference that comes later finds it too. Every
    move is a change of the fact that refers, so that locked periods show it as any other.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':facts'))")
        rows = MODELS[resource]._default_manager.filter(source=source)
        here = rows.filter(external_id__in=[*merges, *merges.values()])
        ids = dict(here.values_list("external_id", "pk"))
        living = set(here.filter(deleted_at=None).values_list("external_id", flat=True))
        known = {loser: winner for loser, winner in merges.items() if winner in living}
        if not known:
            return {}
        cursor.execute("CREATE TEMPORARY TABLE merged (loser text, loser_id bigint, winner text, winner_id bigint)")
        cursor.executemany(
            "INSERT INTO merged VALUES (%s, %s, %s, %s)",
            [(loser, ids.get(loser), winner, ids[winner]) for loser, winner in known.items()],
        )
        moved: Counter[str] = Counter()
        for fact, field in _references_to(resource):
            moved += _move(cursor, resource, source, fact, field, actor=actor, run=run, now=now)
        dependents.fix_credits(cursor, rows=DIRTY_DEALS)
        _name(cursor, resource, source)
        cursor.execute("DROP TABLE merged")
        emit(topic="facts.changed", company_id=current_company().pk)
    return {loser: moved[loser] for loser in known}


def _references_to(resource: str) -> Iterator[tuple[str, str]]:
    """Every column that points at rows of a resource, as (resource, field)."""
    for fact, definition in RESOURCES.items():
        columns = {each.name for each in MODELS[fact]._meta.concrete_fields}
        for field, entity in definition.refs.items():
            if entity == resource and field in columns and fact not in UNMOVED:
                yield fact, field
    if resource == "people":
        yield "deals", "owner_at_close"


def _move(
    cursor: CursorWrapper,
    resource: str,
    source: str,
    fact: str,
    field: str,
    *,
    actor: models.Model | None,
    run: int | None,
    now: datetime,
) -> Counter[str]:
    """Move one column, and link what has waited for a merged record; returns how many, by merged id."""
    table = MODELS[fact]._meta.db_table
    cursor.execute(
        f"""
        CREATE TEMPORARY TABLE affected ON COMMIT DROP AS
        SELECT f.id, f.external_id, false AS is_new, m.loser, m.winner,
               -- a record is not above itself
               CASE WHEN %(is_own)s AND f.id = m.winner_id THEN NULL ELSE m.winner_id END AS target_id
        FROM {table} f JOIN merged m ON f.{field}_id = m.loser_id
        UNION
        SELECT f.id, f.external_id, false, m.loser, m.winner, m.winner_id
        FROM kpis_unresolvedreference u JOIN merged m ON u.external_id = m.loser
        JOIN {table} f ON f.id = u.fact_id
        WHERE u.entity = %(resource)s AND u.source = %(source)s AND u.fact = %(fact)s AND u.field = %(field)s
        """,
        {"is_own": fact == resource, "resource": resource, "source": source, "fact": fact, "field": field},
    )
    dependents.mark(cursor, fact)
    cursor.execute(
        f"UPDATE {table} f SET {field}_id = a.target_id, changed_at = %s FROM affected a WHERE f.id = a.id", [now]
    )
    cursor.execute(
        "INSERT INTO kpis_factchange (fact, fact_id, external_id, action, changes, run, actor_id, at)"
        " SELECT %s, id, external_id, 'updated', jsonb_build_object(%s::text, jsonb_build_array("
        "jsonb_build_array(%s::text, loser), jsonb_build_array(%s::text, winner))), %s, %s, %s FROM affected",
        [fact, field, source, source, run, actor.pk if actor else None, now],
    )
    cursor.execute(
        "DELETE FROM kpis_unresolvedreference u USING merged m WHERE u.external_id = m.loser"
        " AND u.entity = %s AND u.source = %s AND u.fact = %s AND u.field = %s",
        [resource, source, fact, field],
    )
    dependents.mark(cursor, fact)
    cursor.execute("SELECT loser, count(*) FROM affected GROUP BY 1")
    moved = Counter(dict(cursor.fetchall()))
    cursor.execute("DROP TABLE affected")
    return moved


def _name(cursor: CursorWrapper, resource: str, source: str) -> None:
    """Make each merged id, and every further name of its row, a name of the one that is left."""
    cursor.execute(
        "UPDATE kpis_externalidentity i SET row_id = m.winner_id FROM merged m WHERE i.entity = %s"
        " AND i.row_id = m.loser_id",
        [resource],
    )
    cursor.execute("SELECT loser, winner_id FROM merged")
    ExternalIdentity.objects.bulk_create(
        [
            ExternalIdentity(entity=resource, source=source, external_id=loser, row_id=row)
            for loser, row in cursor.fetchall()
        ],
        update_conflicts=True,
        unique_fields=["entity", "source", "external_id"],
        update_fields=["row_id"],
    )
