"""How many calls a day were made where the source counts them and does not tell: one count for all workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.cache import caches
from django.utils import timezone

from integrations.connectors.base import Usage
from integrations.connectors.http import Budget
from integrations.connectors.quota import LARGEST_SHARE

# kintone's day, wherever its customers are.
ZONE, BEGINS_AT = ZoneInfo("Asia/Tokyo"), timedelta(hours=9)
KEPT_SECONDS = 2 * 24 * 3600


@dataclass
class CountedCalls:
    """Counts the calls of a day of each app of `account`, and refuses beyond our share of `most` until the day is over.

    A kind of call is the app it goes to; one that is no app ("calls") is not counted. Every call is taken from
    `budget` besides, as "calls". `apps` are those that the connection reads.
    """

    budget: Budget
    account: str
    most: int
    apps: Sequence[str] = ()

    def __post_init__(self) -> None:
        self._seen: dict[str, int] = {}

    @property
    def usage(self) -> Usage:
        """Of the app with the most calls, as this process saw it last; before its first call, as the others count."""
        return Usage(max(self._seen.values()) if self._seen else self._most_counted(), self.most)

    def take(self, name: str) -> float:
        if name.isdigit():
            now = timezone.now()
            if self._counted(name, now) > self.most * LARGEST_SHARE:
                return _until_end(now)
        return self.budget.take("calls")

    def _most_counted(self) -> int:
        cache: Any = caches["default"]
        now = timezone.now()
        return max(
            (int(each) for each in cache.get_many([self._key(app, now) for app in self.apps]).values()), default=0
        )

    def _key(self, app: str, now: datetime) -> str:
        return f"calls:{self.account}:{app}:{_day_of(now)}"

    def _counted(self, app: str, now: datetime) -> int:
        """How many calls this one makes; a call that is refused is not made, and not counted."""
        cache: Any = caches["default"]
        key = self._key(app, now)
        cache.add(key, 0, KEPT_SECONDS)
        count = int(cache.incr(key))
        if count > self.most * LARGEST_SHARE:
            cache.decr(key)
        self._seen[app] = min(count, int(self.most * LARGEST_SHARE))
        return count


def _day_of(moment: datetime) -> str:
    return (moment.astimezone(ZONE) - BEGINS_AT).date().isoformat()


def _until_end(moment: datetime) -> float:
    """The seconds until the source's day is over."""
    begun = moment.astimezone(ZONE) - BEGINS_AT
    tomorrow = begun.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (tomorrow - begun).total_seconds()
