"""How many calls a key or a login may make; what is too much is answered with 429 and Retry-After."""

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


def principal_of(request: Request) -> str:
    """A name for who is calling, stable over calls: the API key, else the user."""
    key = getattr(request.auth, "pk", None)
    return f"key-{key}" if key is not None else f"user-{request.user.pk}"


class PrincipalThrottle(SimpleRateThrottle):
    """One allowance per key or user and company (the cache prefixes the company)."""

    scope = "principal"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """None lets pass: whoever is not known is refused anyway."""
        if not request.user or not request.user.is_authenticated:
            return None
        return self.cache_format % {"scope": self.scope, "ident": principal_of(request)}
