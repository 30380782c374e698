"""What a company has cached: keys that begin with its schema, so that no other can read it; nothing waits for it."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.cache import cache
from django.db import connection
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


def company_key(key: str, key_prefix: str, version: int) -> str:
    return f"{connection.schema_name}:{key_prefix}:{version}:{key}"


def find(key: str) -> Any:
    """What is kept under a key, None where there is nothing or the cache is away."""
    return find_many([key]).get(key)


def find_many(keys: Iterable[str]) -> dict[str, Any]:
    """Key → what is kept, for those that are; nothing where the cache is away."""
    try:
        found: dict[str, Any] = cache.get_many(keys)
    except RedisError:
        logger.warning("cache.away")
        return {}
    return found


def keep(key: str, value: object, seconds: float) -> None:
    """Keep a value for this long, unless the cache is away."""
    keep_many({key: value}, seconds)


def keep_many(values: Mapping[str, object], seconds: float) -> None:
    """The same for several."""
    try:
        cache.set_many(values, seconds)
    except RedisError:
        logger.warning("cache.away")
