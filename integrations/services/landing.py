"""What sources said, kept as they said it: the latest of each record, for as long as its connection keeps it.

Mail addresses are sealed in it, as they are among the facts; what else tells of a person and is read by no mapping is
left out. A record that was deleted or merged away at the source keeps its id only. So does one that is too old, and
every record of a connection that keeps nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection as database

from integrations.connectors.masking import NOTHING_READ, Columns, masked, may_be_personal
from integrations.models import Connection, RawRecord
from kpis.services.incoming import NULL, copy_in, escaped
from kpis.services.sealing import seal_address

_ENCODER = DjangoJSONEncoder(ensure_ascii=False, separators=(",", ":"))
# What PostgreSQL cannot keep in JSON: NUL, and the halves of characters.
_UNKEEPABLE = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000|[\ud800-\udfff]")
# A long list as one parameter: quoting thousands of them one by one costs more than the query.
_FIND = (
    "SELECT external_id, digest, is_gone FROM integrations_rawrecord"
    " WHERE connection_id = %s AND stream = %s AND external_id = ANY(ARRAY(SELECT jsonb_array_elements_text(%s)))"
)
_COLUMNS = "connection_id, stream, external_id, payload, digest, is_gone, received_at"


class Said(NamedTuple):
    """What a source said about one record, written for COPY after its id, and the mark by which it is known again."""

    text: str
    mark: tuple[str, bool]


_GONE, _THERE = ("", True), ("", False)


def heard(
    told: Iterable[tuple[str, Mapping[str, Any] | None]], *, keeps: bool, columns: Columns = NOTHING_READ
) -> dict[str, Said]:
    """What is kept of records, by external id; None: that it is gone. Asks the database nothing.

    What tells of persons is masked, as `columns` are read.
    """
    return {name: _said(escaped(name), values, keeps=keeps, columns=columns) for name, values in told}


def land(*, connection: Connection, stream: str, said: Mapping[str, Said], now: datetime) -> None:
    """Remember what a source said, where that differs from the last time."""
    known = _known(connection, stream, list(said))
    fresh = {name: line for name, line in said.items() if name not in known}
    other = {name: line for name, line in said.items() if name in known and known[name] != line.mark}
    head, tail = f"{connection.pk}\t{escaped(stream)}\t", f"\t{now.isoformat()}\n"
    with database.cursor() as cursor:
        if fresh:
            text = head + f"{tail}{head}".join(line.text for line in fresh.values()) + tail
            copy_in(cursor, f"COPY integrations_rawrecord ({_COLUMNS}) FROM STDIN", text)
        if other:
            cursor.execute(
                "CREATE TEMPORARY TABLE landed (external_id text, payload jsonb, digest text, is_gone bool)"
                " ON COMMIT DROP"
            )
            text = "".join(f"{line.text}\n" for line in other.values())
            copy_in(cursor, "COPY landed FROM STDIN", text)
            cursor.execute(
                "UPDATE integrations_rawrecord r SET payload = l.payload, digest = l.digest, is_gone = l.is_gone,"
                " received_at = %s FROM landed l"
                " WHERE r.connection_id = %s AND r.stream = %s AND r.external_id = l.external_id",
                [now, connection.pk, stream],
            )
            cursor.execute("DROP TABLE landed")


def raw_payloads(*, connection_id: int, stream: str, external_ids: Sequence[str]) -> dict[str, Any]:
    """What the source said last about these records, by external id, as far as it is kept."""
    found = RawRecord.objects.filter(connection_id=connection_id, stream=stream, external_id__in=list(external_ids))
    found = found.exclude(payload=None)
    return dict(found.values_list("external_id", "payload"))


def forget(*, connection: Connection, now: datetime) -> int:
    """Drop what was received longer ago than the connection keeps it; returns how many records."""
    before = now - timedelta(days=connection.keep_days)
    old = RawRecord.objects.filter(connection=connection, received_at__lt=before).exclude(payload=None)
    return old.update(payload=None, digest="")


def _said(name: str, values: Mapping[str, Any] | None, *, keeps: bool, columns: Columns) -> Said:
    if values is None:
        return Said(f"{name}\t{NULL}\t\tt", _GONE)
    if not keeps:
        return Said(f"{name}\t{NULL}\t\tf", _THERE)
    payload = _ENCODER.encode(values)
    if may_be_personal(values, payload):
        payload = _ENCODER.encode(masked(values, columns, seal_address))
    try:
        content = payload.encode()
    except UnicodeEncodeError:
        content = b""
    if not content or b"\\u0000" in content:
        payload = _UNKEEPABLE.sub("\\1\ufffd", payload)
        content = payload.encode()
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return Said(f"{name}\t{escaped(payload)}\t{digest}\tf", (digest, False))


def _known(connection: Connection, stream: str, external_ids: list[str]) -> dict[str, tuple[str, bool]]:
    """The marks of these records as they are kept now."""
    with database.cursor() as cursor:
        cursor.execute(_FIND, [connection.pk, stream, json.dumps(external_ids)])
        return {external_id: (digest, is_gone) for external_id, digest, is_gone in cursor.fetchall()}
