"""Deciding the next chunk while the database is busy with the one before it.

A full chunk means that more is coming at once: the next one is fetched before the one at hand is stored, and decided
while the database writes. A source that gives little at a time is stored as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Fetched = TypeVar("Fetched")
Decided = TypeVar("Decided")


@dataclass(frozen=True)
class _Failure:
    """Why nothing more could be fetched; raised when its turn has come."""

    error: Exception


class Ahead(Generic[Fetched, Decided]):
    """Chunks as they were decided, in order.

    `is_full` says whether to fetch on before a chunk is stored. `decide` is called once for each chunk that is given
    out; `try_early` may decide without the database, None where it cannot.
    """

    def __init__(
        self,
        chunks: Iterator[Fetched],
        *,
        is_full: Callable[[Fetched], bool],
        decide: Callable[[Fetched], Decided],
        try_early: Callable[[Fetched], Decided | None],
    ) -> None:
        self._chunks = chunks
        self._is_full = is_full
        self._decide = decide
        self._try_early = try_early
        self._next: Fetched | _Failure | None = None
        self._early: Decided | None = None

    def __iter__(self) -> Iterator[Decided]:
        """What cannot be fetched is raised after all before it was given out."""
        while (chunk := self._taken()) is not None:
            early, self._early = self._early, None
            decided = early if early is not None else self._decide(chunk)
            if self._is_full(chunk):
                self._fetch()
            yield decided

    def meanwhile(self) -> None:
        """Decide what is fetched already, if anything is. Without the database, whose connection is busy.

        What goes wrong with it goes wrong again, and is raised, when its turn has come.
        """
        if self._early is None and self._next is not None and not isinstance(self._next, _Failure):
            with suppress(Exception):
                self._early = self._try_early(self._next)

    def _taken(self) -> Fetched | None:
        if self._next is None:
            return next(self._chunks, None)
        taken, self._next = self._next, None
        if isinstance(taken, _Failure):
            raise taken.error
        return taken

    def _fetch(self) -> None:
        try:
            self._next = next(self._chunks, None)
        except Exception as error:
            self._next = _Failure(error)
