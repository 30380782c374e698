"""Records that carry the same fields, held as columns: many thousands pass from a source to the database so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload


@dataclass(frozen=True, slots=True)
class RecordTable(Sequence[dict[str, Any]]):
    """`size` records, each of which has every field of `columns`; one is put together when somebody asks for it.

    >>> table = RecordTable({"external_id": ["D1", "D2"], "amount": [3, None]}, 2)
    >>> table[1], len(table)
    ({'external_id': 'D2', 'amount': None}, 2)
    """

    columns: Mapping[str, Sequence[Any]]
    size: int

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Any]]) -> RecordTable:
        """Records (at least one) whose fields are the same, in the same order."""
        columns = zip(*(record.values() for record in records), strict=True)
        return cls(dict(zip(records[0], columns, strict=True)), len(records))

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, place: slice) -> RecordTable: ...

    def __getitem__(self, place: int | slice) -> dict[str, Any] | RecordTable:
        if isinstance(place, slice):
            return RecordTable(
                {name: column[place] for name, column in self.columns.items()}, len(range(self.size)[place])
            )
        return {name: column[place] for name, column in self.columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if not self.columns:
            return iter([{} for _ in range(self.size)])
        return (dict(zip(self.columns, each, strict=True)) for each in zip(*self.columns.values(), strict=True))
