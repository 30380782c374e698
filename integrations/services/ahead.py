"""Working out what comes next while the database stores what came before."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor  # noqa: TID251 - it is kept off the database
from contextvars import copy_context
from typing import NoReturn, TypeVar

from django.db import DatabaseError, connections

from tenants.context import current_company, tenant_context
from tenants.models import Company

Item = TypeVar("Item")
# One is worked out while the one before it is stored; with one more there is always something to do beside.
ITEMS_AHEAD = 1
# Seconds until a thread that computes lets the other one go on, which has an answer of the database in its hands.
SWITCH_SECONDS = 0.000_1


def ahead(items: Iterator[Item]) -> Generator[Item]:
    """Items in order, worked out by a thread beside, which knows the same company and language.

    Working them out asks the database nothing (DatabaseError); what that raises is raised here in its turn. Close the
    iterator to be sure that nothing goes on: contextlib.closing.
    """
    with ThreadPoolExecutor(max_workers=1, initializer=_stay_off_the_database) as thread:

        def begin() -> Future[Item | None]:
            return thread.submit(copy_context().run, _next_for, current_company(), items)

        coming = deque(begin() for _ in range(ITEMS_AHEAD))
        usual = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        try:
            while (item := coming.popleft().result()) is not None:
                coming.append(begin())
                yield item
        finally:
            sys.setswitchinterval(usual)
            thread.shutdown(wait=False, cancel_futures=True)


def _next_for(company: Company, items: Iterator[Item]) -> Item | None:
    with tenant_context(company):
        return next(items, None)


def _stay_off_the_database() -> None:
    """A connection of this thread would be outside the transaction, and nobody would close it."""
    for each in connections.all():
        each.connect = _refuse  # type: ignore[method-assign]


def _refuse() -> NoReturn:
    raise DatabaseError("What is worked out ahead asks the database nothing.")
