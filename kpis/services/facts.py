"""The one door for facts: a batch of records is read, compared with what is stored, and written.

One transaction; fact writes of a company wait for one another. How a batch is written stands in services.fact_batch.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection, models, transaction
from django.db.backends.utils import CursorWrapper

from kpis.engine.record_batch import read_records
from kpis.engine.resources import RESOURCES, Resource
from kpis.services.fact_batch import Batch, BulkResult
from kpis.services.incoming import Prepared, prepared
from kpis.services.sealing import seal_address
from kpis.services.streams import tell_read
from kpis.services.waiting_references import Unresolved
from tenants.context import current_company
from tenants.outbox.services import emit
from tenants.settings.selectors import company_settings

__all__ = ["BulkResult", "UnknownResourceError", "Unresolved", "store_facts", "upsert_facts"]


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
    batch = prepared(definition, reading)
    return store_facts(resource=resource, source=source, batch=batch, actor=actor, run=run, now=now)


def store_facts(
    *,
    resource: str,
    source: str,
    batch: Prepared,
    actor: models.Model | None = None,
    run: int | None = None,
    is_remapped: bool = False,
    now: datetime,
) -> BulkResult:
    """Store records of one resource that were read and prepared already, as `upsert_facts` does.

    `is_remapped` notes that changes are our own: what was kept is understood in another way.
    """
    definition = RESOURCES[resource]
    with transaction.atomic(), connection.cursor() as cursor:
        result = Batch(cursor, definition, source, now).store(batch, actor=actor, run=run, is_remapped=is_remapped)
        if result.is_changed:
            emit(topic="facts.changed", company_id=current_company().pk)
        _cover(cursor, definition, batch, source=source, is_delivery=run is None, now=now)
    return result


def _cover(
    cursor: CursorWrapper, resource: Resource, batch: Prepared, *, source: str, is_delivery: bool, now: datetime
) -> None:
    """Note the earliest date of what this source delivers, and, for a delivery by push, that it has just come."""
    cursor.execute(
        "WITH before AS (SELECT last_success_at FROM kpis_factstream WHERE source = %s AND fact = %s)"
        " INSERT INTO kpis_factstream (source, fact, covered_from, last_success_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (source, fact) DO UPDATE SET"
        " covered_from = least(kpis_factstream.covered_from, excluded.covered_from),"
        " last_success_at = coalesce(excluded.last_success_at, kpis_factstream.last_success_at)"
        " RETURNING (SELECT last_success_at FROM before)",
        [source, resource.code, source, resource.code, batch.covers_from, now if is_delivery else None],
    )
    if is_delivery:
        tell_read(before=cursor.fetchone()[0], now=now)
