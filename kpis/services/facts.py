"""The one door for facts: a batch of records is compared with what is stored and written in a few set-based steps.

Flow: read_records (pure) → COPY into a temporary table → resolve references → compare → insert, update, tombstone →
remember what changed and what became dirty. One transaction; fact writes of a company wait for one another.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection, models, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from kpis.engine.issues import Issue
from kpis.engine.records import Reading, Rejection, Row, read_records
from kpis.engine.resources import RESOURCES, Kind, Resource
from kpis.models.resources import MODELS
from kpis.services import dependents, organisation
from kpis.services.sealing import seal_address
from tenants.context import current_company
from tenants.outbox.services import emit
from tenants.settings.selectors import company_settings


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A reference that points to nothing yet, and how many records of the batch carry it."""

    field: str
    reference: str
    count: int


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


class UnknownResourceError(LookupError):
    """There is no bulk door of this name."""


def upsert_facts(
    *,
    resource: str,
    source: str,
    records: Iterable[object],
    actor: models.Model | None = None,
    run: int | None = None,
    now: datetime,
) -> BulkResult:
    """Store records of one resource as CONTRACT "Bulk facts" says; sending the same again changes nothing.

    A field that a record does not carry keeps its stored value; null clears it. Bad records are rejected with their
    reasons and the others are stored. With `run` the caller reports the stream's freshness itself when the run ends;
    without, this batch counts as a successful delivery. Raises UnknownResourceError.
    """
    try:
        definition = RESOURCES[resource]
    except KeyError:
        raise UnknownResourceError(resource) from None
    reading = read_records(definition, records, source=source, currency=company_settings().currency, seal=seal_address)
    with transaction.atomic(), connection.cursor() as cursor:
        batch = _Batch(cursor, definition, source, now)
        result = batch.store(reading, actor=actor, run=run)
        if result.is_changed:
            emit(topic="facts.changed", company_id=current_company().pk)
        _cover(cursor, definition, reading, source=source, is_delivery=run is None, now=now)
    return result


class _Batch:
    """One batch on its way into one table."""

    def __init__(self, cursor: CursorWrapper, resource: Resource, source: str, now: datetime) -> None:
        self.cursor = cursor
        self.resource = resource
        self.source = source
        self.now = now
        self.model = MODELS[resource.code]
        self.table = self.model._meta.db_table
        columns = {each.name: each for each in self.model._meta.concrete_fields}
        self.plain = {
            name: columns[name]
            for name, spec in resource.fields.items()
            if spec.kind not in {Kind.REF, Kind.REFS} and name in columns
        }
        self.refs = {name: entity for name, entity in resource.refs.items() if name in columns}

    def store(self, reading: Reading, *, actor: models.Model | None, run: int | None) -> BulkResult:
        self.cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':facts'))")
        self.copy(reading.rows)
        self.resolve()
        rejections = (*reading.rejections, *self.refuse_impossible(reading.rows))
        self.compare()
        dependents.mark(self.cursor, self.resource.code)
        inserted = self.insert()
        updated, deleted = self.update(actor, run)
        self.note_unresolved()
        if self.resource.code == "products":
            organisation.name_aliases(self.cursor, source=self.source)
        self.resolve_waiting()
        organisation.after_upsert(self.cursor, self.resource.code, now=self.now)
        dependents.mark(self.cursor, self.resource.code)
        if self.resource.code in {"deals", "deal-credits", "people"}:
            dependents.fix_credits(self.cursor)
        unresolved = self.unresolved()
        self.cursor.execute("DROP TABLE incoming, delta, affected")
        return BulkResult(
            inserted=inserted,
            updated=updated,
            unchanged=len(reading.rows) - (len(rejections) - len(reading.rejections)) - inserted - updated - deleted,
            deleted=deleted,
            rejected=tuple(sorted(rejections, key=lambda each: each.index)),
            unresolved=unresolved,
        )

    def copy(self, rows: Iterable[Row]) -> None:
        columns = {name: column.db_type(connection) for name, column in self.plain.items()}
        columns |= {f"{name}_id": "bigint" for name in self.refs}
        declared = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        self.cursor.execute(
            "CREATE TEMPORARY TABLE incoming (index int, external_id text, is_deleted bool, present text[], refs jsonb,"
            " content_hash text, attributes jsonb, source_url text, source_updated_at timestamptz, "
            f"{declared}) ON COMMIT DROP"
        )
        names = ", ".join(f'"{name}"' for name in self.plain)
        with self.cursor.copy(
            "COPY incoming (index, external_id, is_deleted, present, refs, content_hash, attributes, source_url,"
            f" source_updated_at, {names}) FROM STDIN"
        ) as copy:
            for row in rows:
                copy.write_row(self.line(row))
        self.cursor.execute("CREATE INDEX ON incoming (external_id)")
        self.cursor.execute("ANALYZE incoming")

    def line(self, row: Row) -> list[object]:
        present = [*row.values, *row.refs]
        present += [name for name in ("attributes", "source_url") if getattr(row, name) is not None]
        attributes = None if row.attributes is None else json.dumps(row.attributes, sort_keys=True)
        content = [row.is_deleted, row.values, row.refs, row.attributes, row.source_url]
        digest = hashlib.md5(json.dumps(content, sort_keys=True, default=str).encode(), usedforsecurity=False)
        values = [
            json.dumps(value) if isinstance(column, models.JSONField) and value is not None else value
            for name, column in self.plain.items()
            for value in [row.values.get(name)]
        ]
        return [
            row.index,
            row.external_id,
            row.is_deleted,
            present,
            json.dumps(row.refs, sort_keys=True),
            digest.hexdigest(),
            attributes,
            row.source_url,
            row.source_updated_at,
            *values,
        ]

    def resolve(self) -> None:
        """Point every reference that was sent at its row: by the row's own id, else by a further name of it."""
        for name, entity in self.refs.items():
            target = MODELS[entity]._meta.db_table
            self.cursor.execute(
                f"UPDATE incoming n SET {name}_id = t.id FROM {target} t"
                f" WHERE t.source = n.refs->'{name}'->>0 AND t.external_id = n.refs->'{name}'->>1"
            )
            self.cursor.execute(
                f"UPDATE incoming n SET {name}_id = i.row_id FROM kpis_externalidentity i"
                f" WHERE n.{name}_id IS NULL AND i.entity = %s"
                f" AND i.source = n.refs->'{name}'->>0 AND i.external_id = n.refs->'{name}'->>1",
                [entity],
            )

    def refuse_impossible(self, rows: Iterable[Row]) -> tuple[Rejection, ...]:
        """Take out of the batch what only the stored rows can show to be impossible."""
        refused: dict[int, Issue] = {}
        if self.resource.code == "memberships":
            refused = organisation.impossible_memberships(self.cursor, source=self.source)
        self.cursor.execute("DELETE FROM incoming WHERE index = ANY(%s)", [list(refused)])
        return tuple(
            Rejection(row.index, row.external_id, (refused[row.index],)) for row in rows if row.index in refused
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
        told += [
            _told("f", "m", name, f"->'{name}'", column="refs") for name in self.resource.fields if self.is_ref(name)
        ]
        told += [_told("f", "m", "attributes")]
        self.cursor.execute(
            f"""
            CREATE TEMPORARY TABLE delta ON COMMIT DROP AS
            SELECT d.*, NOT d.is_deleted AND (d.changes <> '{{}}' OR d.was_deleted OR d.is_moved) AS is_updated,
                   d.is_deleted AND NOT d.was_deleted AS is_removed
            FROM (
                SELECT m.*, f.deleted_at IS NOT NULL AS was_deleted, {" OR ".join(moved) or "false"} AS is_moved,
                       {" || ".join(told)} AS changes
                FROM (
                    SELECT f.id, n.external_id, n.is_deleted, n.content_hash, f.refs || n.refs AS refs,
                           CASE WHEN 'attributes' = ANY(n.present) THEN n.attributes ELSE f.attributes END
                               AS attributes,
                           CASE WHEN 'source_url' = ANY(n.present) THEN n.source_url ELSE f.source_url END
                               AS source_url,
                           coalesce(n.source_updated_at, f.source_updated_at) AS source_updated_at, {", ".join(merged)}
                    FROM incoming n JOIN {self.table} f ON f.source = %s AND f.external_id = n.external_id
                    WHERE f.content_hash <> n.content_hash OR f.deleted_at IS NOT NULL
                ) m JOIN {self.table} f ON f.id = m.id
            ) d
            """,
            [self.source],
        )
        self.cursor.execute(
            "CREATE TEMPORARY TABLE affected ON COMMIT DROP AS"
            " SELECT id, external_id, false AS is_new FROM delta WHERE is_updated OR is_removed"
        )

    def is_ref(self, name: str) -> bool:
        return self.resource.fields[name].kind in {Kind.REF, Kind.REFS}

    def given(self, name: str, column: "models.Field[Any, Any]") -> str:
        """The value that was sent, with the column's default where null cannot be stored."""
        default = _default(column)
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
            elif isinstance(column, models.UUIDField):
                values[column.attname] = "gen_random_uuid()"
            elif column.attname not in values and not column.primary_key and not column.null:
                values[column.attname] = str(_default(column))
        self.cursor.execute(
            f"""
            WITH fresh AS (
                INSERT INTO {self.table} ({", ".join(f'"{name}"' for name in values)})
                SELECT {", ".join(values.values())} FROM incoming n
                WHERE NOT n.is_deleted AND NOT EXISTS (
                    SELECT FROM {self.table} f WHERE f.source = %(source)s AND f.external_id = n.external_id
                )
                ORDER BY n.index
                RETURNING id, external_id
            )
            INSERT INTO affected SELECT id, external_id, true FROM fresh
            """,
            {"source": self.source, "now": self.now},
        )
        return int(self.cursor.rowcount)

    def update(self, actor: models.Model | None, run: int | None) -> tuple[int, int]:
        written = ["refs", "attributes", "source_url", "source_updated_at", "content_hash", *self.plain]
        written += [f"{name}_id" for name in self.refs]
        assigned = ", ".join(f'"{name}" = d."{name}"' for name in written)
        self.cursor.execute(
            f"UPDATE {self.table} f SET {assigned}, deleted_at = NULL,"
            " changed_at = CASE WHEN d.is_updated THEN %s ELSE f.changed_at END"
            " FROM delta d WHERE f.id = d.id AND NOT d.is_deleted",
            [self.now],
        )
        self.cursor.execute(
            f"UPDATE {self.table} f SET deleted_at = %s, changed_at = %s, content_hash = d.content_hash"
            " FROM delta d WHERE f.id = d.id AND d.is_removed",
            [self.now, self.now],
        )
        self.cursor.execute(
            "INSERT INTO kpis_factchange (fact, fact_id, external_id, action, changes, run, actor_id, at)"
            " SELECT %s, id, external_id, CASE WHEN is_removed THEN 'deleted' WHEN was_deleted THEN 'restored'"
            " ELSE 'updated' END, CASE WHEN is_removed THEN '{}' ELSE changes END, %s, %s, %s"
            " FROM delta WHERE is_updated OR is_removed",
            [self.resource.code, run, actor.pk if actor else None, self.now],
        )
        self.cursor.execute("SELECT count(*) FILTER (WHERE is_updated), count(*) FILTER (WHERE is_removed) FROM delta")
        updated, deleted = self.cursor.fetchone()
        return int(updated), int(deleted)

    def note_unresolved(self) -> None:
        self.cursor.execute(
            "DELETE FROM kpis_unresolvedreference u USING affected a, incoming n"
            " WHERE u.fact = %s AND u.fact_id = a.id AND n.external_id = a.external_id AND u.field = ANY(n.present)",
            [self.resource.code],
        )
        for name, entity in self.refs.items():
            self.cursor.execute(
                "INSERT INTO kpis_unresolvedreference (fact, fact_id, field, entity, source, external_id)"
                f" SELECT %s, a.id, %s, %s, n.refs->'{name}'->>0, n.refs->'{name}'->>1"
                " FROM affected a JOIN incoming n USING (external_id)"
                f" WHERE jsonb_typeof(n.refs->'{name}') = 'array' AND n.{name}_id IS NULL",
                [self.resource.code, name, entity],
            )

    def resolve_waiting(self) -> None:
        """Give rows that were waiting for these records their link."""
        self.cursor.execute(
            "SELECT DISTINCT u.fact, u.field FROM kpis_unresolvedreference u LEFT JOIN kpis_externalidentity i"
            " ON i.entity = u.entity AND i.source = u.source AND i.external_id = u.external_id"
            " LEFT JOIN affected a ON u.source = %s AND a.external_id = u.external_id"
            " WHERE u.entity = %s AND (i.id IS NOT NULL OR a.id IS NOT NULL)",
            [self.source, self.resource.code],
        )
        for fact, name in self.cursor.fetchall():
            if not any(each.name == name for each in MODELS[fact]._meta.concrete_fields):
                continue  # a list, or a person's team: kpis.services.organisation keeps those
            self.cursor.execute(
                """
                CREATE TEMPORARY TABLE linked ON COMMIT DROP AS
                SELECT u.fact_id AS id, t.id AS target_id, u.id AS waiting_id, false AS is_new
                FROM kpis_unresolvedreference u JOIN (
                    SELECT %(source)s AS source, external_id, id FROM affected
                    UNION SELECT source, external_id, row_id FROM kpis_externalidentity WHERE entity = %(entity)s
                ) t ON t.source = u.source AND t.external_id = u.external_id
                WHERE u.fact = %(fact)s AND u.field = %(field)s AND u.entity = %(entity)s
                """,
                {"source": self.source, "entity": self.resource.code, "fact": fact, "field": name},
            )
            self.cursor.execute(
                f"UPDATE {MODELS[fact]._meta.db_table} f SET {name}_id = l.target_id FROM linked l WHERE f.id = l.id"
            )
            self.cursor.execute("DELETE FROM kpis_unresolvedreference u USING linked l WHERE u.id = l.waiting_id")
            dependents.mark(self.cursor, fact, rows="linked")
            self.cursor.execute("DROP TABLE linked")

    def unresolved(self) -> tuple[Unresolved, ...]:
        self.cursor.execute(
            "SELECT u.field, u.external_id, count(*) FROM incoming n"
            f" JOIN {self.table} f ON f.source = %s AND f.external_id = n.external_id"
            " JOIN kpis_unresolvedreference u ON u.fact = %s AND u.fact_id = f.id AND u.field = ANY(n.present)"
            " GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2",
            [self.source, self.resource.code],
        )
        return tuple(Unresolved(*row) for row in self.cursor.fetchall())


def _told(old: str, new: str, name: str, path: str = "", *, column: str = "") -> str:
    """SQL for {"name": [old, new]} where the two differ, else {}."""
    left, right = f"{old}.{column or name}{path}", f"{new}.{column or name}{path}"
    return (
        f"CASE WHEN {left} IS DISTINCT FROM {right}"
        f" THEN jsonb_build_object('{name}', jsonb_build_array({left}, {right})) ELSE '{{}}'::jsonb END"
    )


def _default(column: "models.Field[Any, Any]") -> str | None:
    """The SQL literal that stands for "not given" in a column that cannot be null."""
    if column.null:
        return None
    if not column.has_default():
        return "''" if isinstance(column, models.CharField | models.TextField) else None
    value = column.get_default()
    return sql.Literal(json.dumps(value) if isinstance(value, list | dict) else value).as_string()


def _cover(
    cursor: CursorWrapper, resource: Resource, reading: Reading, *, source: str, is_delivery: bool, now: datetime
) -> None:
    """Note the earliest date of what this source delivers, and, for a delivery by push, that it has just come."""
    dates = [
        value.date() if isinstance(value, datetime) else value
        for row in reading.rows
        for name in resource.dates
        for value in [row.values.get(name)]
        if isinstance(value, date)
    ]
    cursor.execute(
        "INSERT INTO kpis_factstream (source, fact, covered_from, last_success_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (source, fact) DO UPDATE SET"
        " covered_from = least(kpis_factstream.covered_from, excluded.covered_from),"
        " last_success_at = coalesce(excluded.last_success_at, kpis_factstream.last_success_at)",
        [source, resource.code, min(dates, default=None), now if is_delivery else None],
    )
