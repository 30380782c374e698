"""One batch of records on its way into one table, in a few set-based steps.

What is stored just so is left out and references are resolved. Rows that are all new go by COPY into their table;
others into a temporary one, and are compared with the stored rows: inserted, updated, given a tombstone. What changed
is remembered, what became dirty is marked.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any

from django.db import connection, models
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from kpis.engine.record_batch import Reading, Rejection
from kpis.engine.resources import Resource
from kpis.models.resources import MODELS, gone_column
from kpis.services import dependents, organisation
from kpis.services.incoming import (
    LEADING,
    NULL,
    Alike,
    Column,
    Found,
    Prepared,
    Stored,
    Wanted,
    copy_in,
    linked_rows,
    plain_columns,
    text_of,
)
from kpis.services.waiting_references import ANY_OF, Unresolved, resolve_waiting, unresolved_of

# What only the whole batch and the stored rows together show to be impossible is judged by all its columns.
JUDGED_WHOLE = frozenset({"memberships"})


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of a batch. Every record is in exactly one of the five counts (rejected by its length)."""

    inserted: int
    updated: int
    unchanged: int
    deleted: int
    rejected: tuple[Rejection, ...]
    unresolved: tuple[Unresolved, ...]

    @property
    def is_changed(self) -> bool:
        return bool(self.inserted or self.updated or self.deleted)


class Batch:
    """One batch on its way into one table."""

    def __init__(self, cursor: CursorWrapper, resource: Resource, source: str, now: datetime) -> None:
        self.cursor = cursor
        self.resource = resource
        self.source = source
        self.now = now
        self.model = MODELS[resource.code]
        self.table = self.model._meta.db_table
        self.is_judged_whole = resource.code in JUDGED_WHOLE
        self.gone = gone_column(resource.code)
        self.plain = plain_columns(resource)
        self.refs = linked_rows(resource)
        self.sent_refs: tuple[str, ...] = ()
        self.dangling: set[str] = set()

    def store(
        self, prepared: Prepared, *, actor: models.Model | None, run: int | None, is_remapped: bool = False
    ) -> BulkResult:
        reading, groups = prepared.reading, prepared.groups
        self.cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':facts'))")
        known = self.known(reading)
        places = [range(len(each.group)) if self.is_judged_whole else each.differing(known) for each in groups]
        touched = {each.group.external_ids[at] for each, some in zip(groups, places, strict=True) for at in some}
        has_stored, has_new = not touched.isdisjoint(known), not touched <= known.keys()
        self.narrow(groups)
        self.cursor.execute("CREATE TEMPORARY TABLE affected (id bigint, external_id text, is_new bool) ON COMMIT DROP")
        rejections, inserted, updated, deleted = reading.rejections, 0, 0, 0
        if has_stored or self.is_judged_whole:
            self.copy(groups, places, known)
            rejections += self.refuse_impossible(reading)
            if has_stored:
                self.compare()
                dependents.mark(self.cursor, self.resource.code)
            inserted = self.insert() if has_new else 0
            if has_stored:
                updated, deleted = self.update(actor, run, is_remapped=is_remapped)
        elif has_new:
            inserted = self.insert_all([each.only(some) for each, some in zip(groups, places, strict=True) if some])
        self.note_unresolved(has_stored=has_stored)
        if self.resource.code == "products":
            organisation.name_aliases(self.cursor, source=self.source)
        resolve_waiting(self.cursor, self.resource.code, source=self.source)
        organisation.after_upsert(self.cursor, self.resource.code, now=self.now)
        dependents.mark(self.cursor, self.resource.code, are_all_new=not has_stored)
        if self.resource.code == "deals" and has_stored:
            dependents.fix_credits(self.cursor, rows="affected")
        unresolved = unresolved_of(self.cursor, self.resource.code, reading, source=self.source)
        self.cursor.execute("DROP TABLE IF EXISTS incoming, delta, affected")
        return BulkResult(
            inserted=inserted,
            updated=updated,
            unchanged=reading.count - (len(rejections) - len(reading.rejections)) - inserted - updated - deleted,
            deleted=deleted,
            rejected=tuple(sorted(rejections, key=lambda each: each.index)),
            unresolved=unresolved,
        )

    def known(self, reading: Reading) -> dict[str, Stored]:
        """The rows of the batch that are stored already, by external id."""
        self.cursor.execute(
            f"SELECT external_id, id, content_hash, {self.gone} IS NOT NULL FROM {self.table}"
            f" WHERE source = %s AND external_id = {ANY_OF}",
            [self.source, json.dumps([each for group in reading.groups for each in group.external_ids])],
        )
        return {external_id: Stored(*told) for external_id, *told in self.cursor.fetchall()}

    def narrow(self, groups: Iterable[Alike]) -> None:
        """Work with the columns that were sent, as most batches fill a few of many."""
        sent = {name for each in groups for name in (*each.group.values, *each.group.refs)}
        self.sent_refs = tuple(
            name for name, spec in self.resource.fields.items() if spec.is_reference and name in sent
        )
        if not self.is_judged_whole:
            self.plain = {name: column for name, column in self.plain.items() if name in sent}
            self.refs = {name: entity for name, entity in self.refs.items() if name in sent}

    def copy(self, groups: Iterable[Alike], places: Iterable[Sequence[int]], known: Mapping[str, Stored]) -> None:
        columns = {name: column.db_type(connection) for name, column in self.plain.items()}
        columns |= {f"{name}_id": "bigint" for name in self.refs}
        declared = "".join(f', "{name}" {kind}' for name, kind in columns.items())
        self.cursor.execute(
            "CREATE TEMPORARY TABLE incoming (index int, row_id bigint, external_id text, is_deleted bool,"
            " present text[], content_hash text, source_updated_at timestamptz, refs jsonb, attributes jsonb,"
            f" source_url text{declared}) ON COMMIT DROP"
        )
        for each, some in zip(groups, places, strict=True):
            if not some:
                continue
            names = ", ".join(f'"{name}"' for name in (*LEADING, *(f"{ref}_id" for ref in each.refs), *each.columns))
            text = "\n".join(each.lines(some, known, self.resolved(each, some)))
            copy_in(self.cursor, f"COPY incoming ({names}) FROM STDIN", f"{text}\n")

    def insert_all(self, groups: Sequence[Alike]) -> int:
        """Write rows of which none is stored straight into the table."""
        count = sum(len(each.group) for each in groups)
        self.cursor.execute(
            # looked up once: a name would be, for every number
            "WITH ids AS MATERIALIZED (SELECT pg_get_serial_sequence(%s, 'id')::regclass AS ids)"
            " SELECT string_agg(nextval(ids)::text, ',') FROM ids, generate_series(1, %s)",
            [self.table, count],
        )
        fresh = self.cursor.fetchone()[0].split(",")
        for each, own in zip(groups, _shared_out(fresh, groups), strict=True):
            columns, shared = self.new_columns(each)
            names = ", ".join(f'"{name}"' for name in ("id", *(name for some in columns for name in some), *shared))
            rest = repeat("\t".join(shared.values()), len(own))
            lines = map("\t".join, zip(own, *columns.values(), rest, strict=True))
            copy_in(self.cursor, f"COPY {self.table} ({names}) FROM STDIN", "\n".join(lines) + "\n")
            made = zip(own, each.keys["external_id"], strict=True)
            copy_in(self.cursor, "COPY affected FROM STDIN", "".join(f"{row}\t{name}\tt\n" for row, name in made))
        return count

    def new_columns(self, group: Alike) -> tuple[dict[tuple[str, ...], Sequence[str]], dict[str, str]]:
        """The columns of rows that are all new, as COPY reads them: those with a text for each row (several columns in
        one where they are joined already), and those with one for all.
        """
        blank = {
            each.attname: text_of(default)
            for each in self.model._meta.concrete_fields
            if not each.primary_key and (default := default_value(each)) is not None
        }
        columns = group.new_columns(self.resolved(group, range(len(group.group))), blank)
        if self.resource.code == "deals" and "owner" in group.refs and "outcome" in group.texts:
            owned = zip(columns["owner_id",], group.texts["outcome"], strict=True)
            closed = [owner if outcome in dependents.CLOSED else NULL for owner, outcome in owned]
            columns["owner_at_close_id",] = closed
        for each in self.model._meta.concrete_fields:
            if isinstance(each, models.UUIDField):
                columns[each.attname,] = [str(uuid.uuid4()) for _ in group.group.indexes]
        shared = (
            blank | {"source": text_of(self.source)} | dict.fromkeys(("recorded_at", "changed_at"), text_of(self.now))
        )
        told = {name for some in columns for name in some}
        return columns, {name: text for name, text in shared.items() if name not in told}

    def resolved(self, group: Alike, places: Sequence[int]) -> dict[str, Found]:
        """For each reference that was sent, the ids of the rows it points at: by their own id, else a further name.

        The id of a record that was merged away is a name of the one that is left, though its own row is still there.
        """
        found: dict[str, Found] = {}
        for name, column in group.refs.items():
            wanted = column.only(places).wanted
            entity = self.refs[name]
            table = MODELS[entity]._meta.db_table
            rows = self.ids_of(table, "id", wanted, "deleted_at IS NULL")
            if missing := _missing(wanted, rows):
                _add(rows, self.ids_of("kpis_externalidentity", "row_id", missing, "entity = %s", entity))
            if missing := _missing(wanted, rows):
                _add(rows, self.ids_of(table, "id", missing))
            if _missing(wanted, rows):
                self.dangling.add(name)
            found[name] = rows
        return found

    def ids_of(
        self, table: str, column: str, wanted: Wanted, where: str = "true", *params: str
    ) -> dict[str, dict[str, str]]:
        found = {}
        for source, ids in wanted.items():
            self.cursor.execute(
                f"SELECT external_id, {column}::text FROM {table}"
                f" WHERE source = %s AND external_id = {ANY_OF} AND {where}",
                [source, json.dumps(list(ids)), *params],
            )
            found[source] = dict(self.cursor.fetchall())
        return found

    def refuse_impossible(self, reading: Reading) -> tuple[Rejection, ...]:
        """Take out of the batch what only the stored rows can show to be impossible."""
        if not self.is_judged_whole:
            return ()
        refused = organisation.impossible_memberships(self.cursor, source=self.source)
        self.cursor.execute("DELETE FROM incoming WHERE index = ANY(%s)", [list(refused)])
        return tuple(
            Rejection(row.index, row.external_id, (refused[row.index],)) for row in reading.rows if row.index in refused
        )

    def compare(self) -> None:
        """`delta`: stored rows as they will be, with what changed; `affected`: ids of all rows that are touched."""
        merged = [
            f"CASE WHEN '{name}' = ANY(n.present) THEN {self.given(name, column)} ELSE f.{name} END AS {name}"
            for name, column in self.plain.items()
        ]
        merged += [
            f"CASE WHEN '{name}' = ANY(n.present) THEN n.{name}_id ELSE f.{name}_id END AS {name}_id"
            for name in self.refs
        ]
        moved = [f"f.{name}_id IS DISTINCT FROM m.{name}_id" for name in self.refs]
        told = [_told("f", "m", name) for name in self.plain]
        told += [_told("f", "m", name, f"->'{name}'", column="refs") for name in self.sent_refs]
        told += [_told("f", "m", "attributes")]
        self.cursor.execute(
            f"""
            CREATE TEMPORARY TABLE delta ON COMMIT DROP AS
            SELECT d.*, NOT d.is_deleted AND (d.changes <> '{{}}' OR d.was_deleted OR d.is_moved) AS is_updated,
                   d.is_deleted AND NOT d.was_deleted AS is_removed
            FROM (
                SELECT m.*, f.{self.gone} IS NOT NULL AS was_deleted, {" OR ".join(moved) or "false"} AS is_moved,
                       {" || ".join(told)} AS changes
                FROM (
                    SELECT {
                ", ".join(
                    [
                        "f.id, n.external_id, n.is_deleted, n.content_hash, f.refs || n.refs AS refs",
                        "CASE WHEN 'attributes' = ANY(n.present) THEN n.attributes ELSE f.attributes END AS attributes",
                        "CASE WHEN 'source_url' = ANY(n.present) THEN n.source_url ELSE f.source_url END AS source_url",
                        "coalesce(n.source_updated_at, f.source_updated_at) AS source_updated_at",
                        *merged,
                    ]
                )
            }
                    FROM incoming n JOIN {self.table} f ON f.id = n.row_id
                    WHERE f.content_hash <> n.content_hash OR f.{self.gone} IS NOT NULL
                ) m JOIN {self.table} f ON f.id = m.id
            ) d
            """
        )
        self.cursor.execute(
            "INSERT INTO affected SELECT id, external_id, false FROM delta WHERE is_updated OR is_removed"
        )

    def given(self, name: str, column: Column) -> str:
        """The value that was sent, with the column's default where null cannot be stored."""
        default = default_of(column)
        return f"n.{name}" if default is None else f"coalesce(n.{name}, {default})"

    def insert(self) -> int:
        values = {
            "source": "%(source)s",
            "external_id": "n.external_id",
            "content_hash": "n.content_hash",
            "refs": "n.refs",
            "attributes": "coalesce(n.attributes, '{}')",
            "source_url": "coalesce(n.source_url, '')",
            "source_updated_at": "n.source_updated_at",
            "recorded_at": "%(now)s",
            "changed_at": "%(now)s",
        }
        for column in self.model._meta.concrete_fields:
            if column.name in self.plain:
                values[column.attname] = self.given(column.name, column)
            elif column.name in self.refs:
                values[column.attname] = f"n.{column.attname}"
            elif column.name == "owner_at_close" and "owner" in self.refs and "outcome" in self.plain:
                outcome = self.given("outcome", self.plain["outcome"])
                values[column.attname] = f"CASE WHEN {outcome} IN ({dependents.CLOSED_SQL}) THEN n.owner_id END"
            elif isinstance(column, models.UUIDField):
                values[column.attname] = "gen_random_uuid()"
            elif column.attname not in values and not column.primary_key and not column.null:
                values[column.attname] = str(default_of(column))
        self.cursor.execute(
            f"""
            WITH fresh AS (
                INSERT INTO {self.table} ({", ".join(f'"{name}"' for name in values)})
                SELECT {", ".join(values.values())} FROM incoming n
                WHERE NOT n.is_deleted AND n.row_id IS NULL
                ORDER BY n.index
                RETURNING id, external_id
            )
            INSERT INTO affected SELECT id, external_id, true FROM fresh
            """,
            {"source": self.source, "now": self.now},
        )
        return int(self.cursor.rowcount)

    def update(self, actor: models.Model | None, run: int | None, *, is_remapped: bool) -> tuple[int, int]:
        written = ["refs", "attributes", "source_url", "source_updated_at", "content_hash", *self.plain]
        written += [f"{name}_id" for name in self.refs]
        assigned = ", ".join(f'"{name}" = d."{name}"' for name in written)
        self.cursor.execute(
            f"UPDATE {self.table} f SET {assigned}, {self.gone} = NULL,"
            " changed_at = CASE WHEN d.is_updated THEN %s ELSE f.changed_at END"
            " FROM delta d WHERE f.id = d.id AND NOT d.is_deleted",
            [self.now],
        )
        self.cursor.execute(
            f"UPDATE {self.table} f SET {self.gone} = %s, changed_at = %s, content_hash = d.content_hash"
            " FROM delta d WHERE f.id = d.id AND d.is_removed",
            [self.now, self.now],
        )
        self.cursor.execute(
            "INSERT INTO kpis_factchange (fact, fact_id, external_id, action, changes, run, is_remapped, actor_id, at)"
            " SELECT %s, id, external_id, CASE WHEN is_removed THEN 'deleted' WHEN was_deleted THEN 'restored'"
            " ELSE 'updated' END, CASE WHEN is_removed THEN '{}' ELSE changes END, %s, %s, %s, %s"
            " FROM delta WHERE is_updated OR is_removed",
            [self.resource.code, run, is_remapped, actor.pk if actor else None, self.now],
        )
        self.cursor.execute("SELECT count(*) FILTER (WHERE is_updated), count(*) FILTER (WHERE is_removed) FROM delta")
        updated, deleted = self.cursor.fetchone()
        return int(updated), int(deleted)

    def note_unresolved(self, *, has_stored: bool) -> None:
        sent = "JOIN incoming n USING (external_id)" if has_stored else f"JOIN {self.table} n USING (id)"
        if has_stored:
            self.cursor.execute(
                "DELETE FROM kpis_unresolvedreference u USING affected a, incoming n"
                " WHERE NOT a.is_new AND u.fact = %s AND u.fact_id = a.id AND n.external_id = a.external_id"
                " AND u.field = ANY(n.present)",
                [self.resource.code],
            )
        for name in sorted(self.dangling):
            self.cursor.execute(
                "INSERT INTO kpis_unresolvedreference (fact, fact_id, field, entity, source, external_id)"
                f" SELECT %s, a.id, %s, %s, n.refs->'{name}'->>0, n.refs->'{name}'->>1 FROM affected a {sent}"
                f" WHERE n.{name}_id IS NULL AND jsonb_typeof(n.refs->'{name}') = 'array'",
                [self.resource.code, name, self.refs[name]],
            )


def _missing(wanted: Wanted, found: Found) -> Wanted:
    left = {source: ids - found[source].keys() for source, ids in wanted.items()}
    return {source: ids for source, ids in left.items() if ids}


def _add(rows: dict[str, dict[str, str]], more: Mapping[str, dict[str, str]]) -> None:
    for source, ids in more.items():
        rows[source] |= ids


def _told(old: str, new: str, name: str, path: str = "", *, column: str = "") -> str:
    """SQL for {"name": [old, new]} where the two differ, else {}."""
    left, right = f"{old}.{column or name}{path}", f"{new}.{column or name}{path}"
    return (
        f"CASE WHEN {left} IS DISTINCT FROM {right}"
        f" THEN jsonb_build_object('{name}', jsonb_build_array({left}, {right})) ELSE '{{}}'::jsonb END"
    )


def default_value(column: Column) -> Any:
    """What stands for "not given" in a column; None where null does."""
    if column.null:
        return None
    if not column.has_default():
        return "" if isinstance(column, models.CharField | models.TextField) else None
    value = column.get_default()
    return str(value) if isinstance(value, str) else value  # a choice is its word


def default_of(column: Column) -> str | None:
    """The SQL literal of `default_value`; None where null stands for "not given"."""
    value = default_value(column)
    if value is None:
        return None
    return sql.Literal(json.dumps(value) if isinstance(value, list | dict) else value).as_string()


def _shared_out(ids: list[str], groups: Sequence[Alike]) -> Iterator[list[str]]:
    """The ids of the rows of each group, so that they ascend as the records came."""
    if len(groups) == 1:
        yield ids
        return
    of_index = dict(zip(sorted(index for each in groups for index in each.group.indexes), ids, strict=True))
    for each in groups:
        yield [of_index[index] for index in each.group.indexes]
