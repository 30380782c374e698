"""What comparing a source with what is here came to: which records are missing, which are too many. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from integrations.connectors.base import Record
from integrations.connectors.changes import ids_of
from integrations.connectors.mapping import StreamMapping

# More records than this, of which they are more than this share, are not withdrawn without a person: a right that was
# taken away from the credentials looks the same as a deletion.
ALWAYS_FINE = 20
LARGEST_SHARE = 10  # in percent


@dataclass(frozen=True)
class Comparison:
    """One stream, by the ids of its records. `surplus`: what is here and not at the source."""

    listed_count: int
    known_count: int
    missing: frozenset[str]
    surplus: frozenset[str]

    def may_withdraw(self, allowed: int = 0) -> bool:
        """Whether the surplus may be taken for deleted; `allowed` is how many a person has agreed to.

        A source that lists nothing at all is never believed, whatever little there is.

        >>> gone = frozenset({"B"})
        >>> Comparison(1, 2, frozenset(), gone).may_withdraw(), Comparison(0, 1, frozenset(), gone).may_withdraw()
        (True, False)
        """
        count = len(self.surplus)
        if count <= allowed:
            return True
        return self.listed_count > 0 and (count <= ALWAYS_FINE or count * 100 <= self.known_count * LARGEST_SHARE)


def is_called_alike(mapping: StreamMapping, sample: Mapping[str, Mapping[str, Any]], zone: ZoneInfo) -> bool:
    """Whether what a mapping gives is called as the record it comes from, judged by some records of the stream."""
    return all(
        ids_of(mapping, [Record(external_id, payload)], zone) == {external_id}
        for external_id, payload in sample.items()
    )
