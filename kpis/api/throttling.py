"""How many calls a key or a login may make; what is too much is answered with 429 and Retry-After."""

import logging
import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 60


def principal_of(request: Request) -> str:
    """A name for who is calling, stable over calls: the API key, else the user."""
    key = getattr(request.auth, "pk", None)
    return f"key-{key}" if key is not None else f"user-{request.user.pk}"


class PrincipalThrottle(BaseThrottle):
    """One allowance a minute per key or user and company (the cache prefixes the company).

    Counted by one atomic step in the cache, so that a high allowance costs no more than a low one.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whoever is not known passes: he is refused anyway. Where the cache is away nobody is counted."""
        if not request.user or not request.user.is_authenticated:
            return True
        place = f"calls:{principal_of(request)}:{int(time.time() // WINDOW_SECONDS)}"
        try:
            cache.add(place, 0, 2 * WINDOW_SECONDS)
            return cache.incr(place) <= settings.API_CALLS_PER_MINUTE
        except RedisError:
            logger.warning("calls.uncounted")
            return True

    def wait(self) -> float:
        """Seconds until the next allowance."""
        return WINDOW_SECONDS - time.time() % WINDOW_SECONDS
