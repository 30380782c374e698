"""What the OpenAPI document says about all addresses alike: groups, common headers, errors."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import force_instance
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from kpis.api.idempotency import HEADER, IdempotentMixin
from kpis.api.problems import CONTENT_TYPE, ProblemSerializer
from kpis.api.serializers import Selectable

FIELDS = OpenApiParameter("fields", OpenApiTypes.STR, description="Only these fields, separated by commas.")
IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER, OpenApiTypes.STR, OpenApiParameter.HEADER, description="A call repeated with it within a day is done once."
)
IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="The ETag that was read; 412 when it is stale."
)
PREFIX_LENGTH = len(["", "api", "v1"])


class ApiSchema(AutoSchema):
    """Describes an operation of `/api/v1/`."""

    def get_tags(self) -> list[str]:
        """One group per noun."""
        return [self.path.split("/")[PREFIX_LENGTH]]

    def get_override_parameters(self) -> list[Any]:
        """The headers and the field selection that every address knows."""
        common = []
        if self.method == "GET" and isinstance(self._shown(), Selectable):
            common.append(FIELDS)
        if self.method == "POST" and isinstance(self.view, IdempotentMixin):
            common.append(IDEMPOTENCY_KEY)
        if self.method in ("PATCH", "PUT", "DELETE"):
            common.append(IF_MATCH)
        return [*super().get_override_parameters(), *common]

    def _shown(self) -> Any:
        """What the address shows: one of it, or each of its list."""
        serializer = force_instance(self.get_response_serializers())
        return getattr(serializer, "child", serializer)

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        problem = self._get_response_for_code(ProblemSerializer, "default", [CONTENT_TYPE], direction)
        return {**bodies, "default": {**problem, "description": "A problem (RFC 9457)."}}
