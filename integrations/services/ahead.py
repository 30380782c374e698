"""Deciding the next chunk while the database stores the one before it.

A full chunk means that more is coming at once: the next one is fetched before the one at hand is stored, and decided
by a thread beside while the database writes. A source that gives little at a time is stored as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor  # noqa: TID251 - it is kept off the database
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

from django.db import DatabaseError, connections

from tenants.context import current_company, tenant_context
from tenants.models import Company

Fetched = TypeVar("Fetched")
Decided = TypeVar("Decided")
Result = TypeVar("Result")


class Beside:
    """A thread beside this one, for work that asks the database nothing; it knows the same company and language."""

    def __enter__(self) -> Beside:
        self._threads = ThreadPoolExecutor(max_workers=1, initializer=_stay_off_the_database)
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)

    def begin(self, work: Callable[..., Result], *arguments: Any) -> Future[Result]:
        return self._threads.submit(copy_context().run, _work_for, current_company(), work, *arguments)


def one_ahead(items: Iterator[Result]) -> Iterator[Result]:
    """Items in order, each worked out while the one before it is used; working them out asks the database nothing."""
    with Beside() as beside:
        coming = beside.begin(next, items, None)
        while (item := coming.result()) is not None:
            coming = beside.begin(next, items, None)
            yield item


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
        self._early: Future[Decided | None] | None = None
        self._beside = Beside()

    def __iter__(self) -> Iterator[Decided]:
        """What cannot be fetched is raised after all before it was given out."""
        with self._beside:
            while (chunk := self._taken()) is not None:
                decided = self._decided_early() or self._decide(chunk)
                if self._is_full(chunk):
                    self._fetch()
                yield decided

    def decide_ahead(self) -> None:
        """Begin to decide what is fetched already, if anything is."""
        if self._next is not None and not isinstance(self._next, _Failure):
            self._early = self._beside.begin(self._try_early, self._next)

    def _decided_early(self) -> Decided | None:
        """What went wrong with it goes wrong again, and is raised, when it is decided in its turn."""
        early, self._early = self._early, None
        # What is raised while waiting is meant for this thread (the time of a task is over), and is not held back.
        return None if early is None or early.exception() else early.result()

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


def _work_for(company: Company, work: Callable[..., Result], *arguments: Any) -> Result:
    with tenant_context(company):
        return work(*arguments)


def _stay_off_the_database() -> None:
    """A connection of this thread would be outside the transaction, and nobody would close it."""
    for each in connections.all():
        each.connect = _refuse  # type: ignore[method-assign]


def _refuse() -> NoReturn:
    raise DatabaseError("What is worked out ahead asks the database nothing.")
