"""Rejections that stand no more, because their records were decided anew."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from django.db import connection
from django.db.models import Q

from integrations.models import RejectedRecord, SyncRun

# A long list as one parameter: quoting thousands of them one by one costs more than the query.
_SETTLE = (
    "UPDATE integrations_rejectedrecord SET is_standing = false"
    " WHERE connection_id = %s AND stream = %s AND is_standing"
    " AND record_id = ANY(ARRAY(SELECT left(jsonb_array_elements_text(%s), 200))) AND record_id <> ''"
)


# What may differ in the name of a file that comes again: days, numbers, and what stands around them.
_VARYING = re.compile(r"[\d\s_().（）-]+")


def settle(*, run: SyncRun, stream: str, records: Sequence[str], file: str = "") -> None:
    """Let go of what a mapping has rejected of these records: they are being stored, deleted or rejected anew.

    A `file` takes the place of those that were called alike: all that earlier runs have rejected of them goes, and all
    rows without an id, which are known by nothing else.
    """
    standing = RejectedRecord.objects.filter(connection_id=run.connection_id, stream=stream, is_standing=True)
    if not standing.exists():
        return
    if file:
        earlier = standing.exclude(run=run)
        names = set(earlier.values_list("file_name", flat=True))
        # What was mapped again is of no file but of the mapping.
        alike = [name for name in names if name == stream or _is_alike(name, file)]
        earlier.filter(Q(file_name__in=alike) | Q(record_id="")).update(is_standing=False)
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, [run.connection_id, stream, json.dumps(list(records))])


def _is_alike(name: str, other: str) -> bool:
    return _VARYING.sub("", name.casefold()) == _VARYING.sub("", other.casefold())
