"""What the addresses of this floor share: a capability for each method, and who acts."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.views import APIView

from integrations.api.authentication import KeyCaller
from tenants.capabilities import require


class CallerMixin:
    """An address whose methods each need a capability; a method without one is not allowed."""

    capabilities: ClassVar[dict[str, str]] = {}
    request: Request

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        capability = self.capabilities.get((request.method or "").lower())
        if capability is not None:
            require(request.user, capability)

    @property
    def actor(self) -> Any:
        """The person who acts; None for an API key."""
        return None if isinstance(self.request.user, KeyCaller) else self.request.user


class DataAPIView(CallerMixin, APIView):
    """One address of its own kind."""
