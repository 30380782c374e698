"""Merged records: whatever refers to one that was taken over refers to the one that is left, now and from now on."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class TakeOver:
    """One record that another stands for, each as (source, external id); one that never came has no row."""

    loser: tuple[str, str]
    loser_id: int | None
    winner: tuple[str, str]
    winner_id: int


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
        taken = [
            TakeOver((source, loser), ids.get(loser), (source, winner), ids[winner]) for loser, winner in known.items()
        ]
        moved = take_over(cursor, resource, taken, actor=actor, run=run, now=now)
        emit(topic="facts.changed", company_id=current_company().pk)
    return {loser: moved[source, loser] for loser in known}


def take_over(
    cursor: CursorWrapper,
    resource: str,
    taken: Iterable[TakeOver],
    *,
    actor: models.Model | None,
    run: int | None,
    now: datetime,
) -> Counter[tuple[str, str]]:
    """Move what refers to the losers, and make their names names of the winners; how many moved, by loser.

    Runs inside the caller's transaction and under the lock of facts.
    """
    cursor.execute(
        "CREATE TEMPORARY TABLE merged (loser_source text, loser text, loser_id bigint,"
        " winner_source text, winner text, winner_id bigint)"
    )
    cursor.executemany(
        "INSERT INTO merged VALUES (%s, %s, %s, %s, %s, %s)",
        [(*each.loser, each.loser_id, *each.winner, each.winner_id) for each in taken],
    )
    moved: Counter[tuple[str, str]] = Counter()
    for fact, field in references_to(resource):
        moved += _move(cursor, resource, fact, field, actor=actor, run=run, now=now)
    dependents.fix_credits(cursor, rows=DIRTY_DEALS)
    _name(cursor, resource)
    cursor.execute("DROP TABLE merged")
    return moved


def references_to(resource: str) -> Iterator[tuple[str, str]]:
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
    fact: str,
    field: str,
    *,
    actor: models.Model | None,
    run: int | None,
    now: datetime,
) -> Counter[tuple[str, str]]:
    """Move one column, and link what has waited for a merged record; returns how many, by merged id."""
    table = MODELS[fact]._meta.db_table
    cursor.execute(
        f"""
        CREATE TEMPORARY TABLE repointed ON COMMIT DROP AS
        SELECT f.id, f.external_id, false AS is_new, m.loser_source, m.loser, m.winner_source, m.winner,
               -- a record is not above itself
               CASE WHEN %(is_own)s AND f.id = m.winner_id THEN NULL ELSE m.winner_id END AS target_id
        FROM {table} f JOIN merged m ON f.{field}_id = m.loser_id
        UNION
        SELECT f.id, f.external_id, false, m.loser_source, m.loser, m.winner_source, m.winner, m.winner_id
        FROM kpis_unresolvedreference u JOIN merged m ON u.external_id = m.loser AND u.source = m.loser_source
        JOIN {table} f ON f.id = u.fact_id
        WHERE u.entity = %(resource)s AND u.fact = %(fact)s AND u.field = %(field)s
        """,
        {"is_own": fact == resource, "resource": resource, "fact": fact, "field": field},
    )
    dependents.mark(cursor, fact, rows="repointed")
    cursor.execute(
        f"UPDATE {table} f SET {field}_id = a.target_id, changed_at = %s FROM repointed a WHERE f.id = a.id", [now]
    )
    cursor.execute(
        "INSERT INTO kpis_factchange (fact, fact_id, external_id, action, changes, run, actor_id, at)"
        " SELECT %s, id, external_id, 'updated', jsonb_build_object(%s::text, jsonb_build_array("
        "jsonb_build_array(loser_source, loser), jsonb_build_array(winner_source, winner))), %s, %s, %s FROM repointed",
        [fact, field, run, actor.pk if actor else None, now],
    )
    cursor.execute(
        "DELETE FROM kpis_unresolvedreference u USING merged m WHERE u.external_id = m.loser"
        " AND u.source = m.loser_source AND u.entity = %s AND u.fact = %s AND u.field = %s",
        [resource, fact, field],
    )
    dependents.mark(cursor, fact, rows="repointed")
    cursor.execute("SELECT loser_source, loser, count(*) FROM repointed GROUP BY 1, 2")
    moved = Counter({(source, loser): count for source, loser, count in cursor.fetchall()})
    cursor.execute("DROP TABLE repointed")
    return moved


def _name(cursor: CursorWrapper, resource: str) -> None:
    """Make each merged id, and every further name of its row, a name of the one that is left."""
    cursor.execute(
        "UPDATE kpis_externalidentity i SET row_id = m.winner_id FROM merged m WHERE i.entity = %s"
        " AND i.row_id = m.loser_id",
        [resource],
    )
    cursor.execute("SELECT loser_source, loser, winner_id FROM merged")
    ExternalIdentity.objects.bulk_create(
        [
            ExternalIdentity(entity=resource, source=source, external_id=loser, row_id=row)
            for source, loser, row in cursor.fetchall()
        ],
        update_conflicts=True,
        unique_fields=["entity", "source", "external_id"],
        update_fields=["row_id"],
    )
