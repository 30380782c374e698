"""How fast a source may be called: one bucket of calls in Redis, shared by all workers of the company."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.cache import caches

# The bucket fills with time up to its size; a caller that finds it empty goes into debt and is told how long to wait.
# Redis gives the time, so that all workers agree on it.
TAKE = """
local rate, size = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local kept = redis.call('HMGET', KEYS[1], 'calls', 'at')
local calls, at = tonumber(kept[1] or size), tonumber(kept[2] or now)
calls = math.min(size, calls + math.max(0, now - at) * rate) - 1
if -calls / rate > tonumber(ARGV[3]) then
    return tostring(-calls / rate)
end
redis.call('HSET', KEYS[1], 'calls', tostring(calls), 'at', tostring(now))
redis.call('EXPIRE', KEYS[1], math.ceil(size / rate) + 60)
return tostring(math.max(0, -calls / rate))
"""
# A caller that would have to wait longer than this does not queue: its debt would delay the others for nothing.
LONGEST_QUEUE_SECONDS = 20


@dataclass(frozen=True)
class Rate:
    """`calls` in `seconds`, which may all be made at once."""

    calls: int
    seconds: float


@dataclass(frozen=True)
class SharedBudget:
    """The budget of one account at one source. `rates` by kind of call; a kind that is not there is free."""

    account: str
    rates: dict[str, Rate]

    def take(self, name: str) -> float:
        """Take one call of a kind; returns how many seconds to wait before making it."""
        rate = self.rates.get(name)
        if rate is None:
            return 0.0
        key = caches["default"].make_key(f"budget:{self.account}:{name}")
        return float(self._redis.eval(TAKE, 1, key, rate.calls / rate.seconds, rate.calls, LONGEST_QUEUE_SECONDS))

    @cached_property
    def _redis(self) -> Any:
        cache: Any = caches["default"]
        return cache._cache.get_client(None, write=True)
