"""The share of a source's calls of a day that is ours: its other integrations need the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from integrations.connectors.base import Usage
from integrations.connectors.http import Budget

LARGEST_SHARE = 0.8


class DailyShare:
    """The calls of a day as the source's latest answer told; `take` refuses where too many are used, by whomever.

    It stands before the budget of the connection, which spreads the calls that are made. `refilled_in`: the seconds
    until there are calls again.
    """

    def __init__(self, budget: Budget, refilled_in: Callable[[], float]) -> None:
        self.budget = budget
        self._refilled_in = refilled_in
        self._is_ignored = False
        self.used = self.limit = 0

    @property
    def usage(self) -> Usage | None:
        """None where the source has told nothing yet."""
        return Usage(self.used, self.limit) if self.limit else None

    def take(self, name: str) -> float:
        if self.limit and self.used > self.limit * LARGEST_SHARE and not self._is_ignored:
            return self._refilled_in()
        return self.budget.take(name)

    @contextmanager
    def ignored(self) -> Iterator[None]:
        """For the few calls that find out how the source is."""
        self._is_ignored = True
        try:
            yield
        finally:
            self._is_ignored = False
