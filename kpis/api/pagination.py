"""Lists by cursor: stable while rows are added, as cheap on the last page as on the first."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

PAGE_PARAMETERS = (
    OpenApiParameter("cursor", OpenApiTypes.STR, description="Where to go on, from next or previous."),
    OpenApiParameter("limit", OpenApiTypes.INT, description="At most 500."),
)


class CursorPages(CursorPagination):
    """`?limit=` (at most 500) and `?cursor=`; a view may name its `cursor_ordering`, unique or nearly so."""

    page_size = 100
    max_page_size = 500
    page_size_query_param = "limit"
    ordering = "pk"

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        """The view's own order, else by primary key."""
        return (getattr(view, "cursor_ordering", self.ordering),)

    def get_page_size(self, request: Request) -> int:
        """The number asked for; more than 500 gives 500."""
        asked = request.query_params.get(self.page_size_query_param)
        if asked is None:
            return self.page_size
        if not asked.isascii() or not asked.isdigit() or int(asked) == 0:
            raise ValidationError({"limit": _("limit is a whole number from 1 to 500.")}, code="invalid")
        return min(int(asked), self.max_page_size)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """The place to go on from; a cursor that is not ours is a fault of the request."""
        try:
            return super().decode_cursor(request)
        except NotFound as error:
            message = _("This cursor is not one of ours: follow next and previous.")
            raise ValidationError({"cursor": message}, code="invalid") from error

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A page in the OpenAPI document."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }


class ListPages(CursorPages):
    """The same for rows that are computed and have no key: the cursor counts them."""

    offset_cutoff = None

    def paginate_queryset(self, queryset: Sequence[Any], request: Request, view: Any = None) -> list[Any]:
        """One page of the rows."""
        self.request = request
        self.base_url = request.build_absolute_uri()
        self.page_size = self.get_page_size(request)
        cursor = self.decode_cursor(request)
        self.start = cursor.offset if cursor else 0
        rows = queryset[self.start : self.start + self.page_size + 1]
        self.has_next, self.has_previous = len(rows) > self.page_size, self.start > 0
        return list(rows[: self.page_size])

    def get_next_link(self) -> str | None:
        """The page after this one."""
        return self._link(self.start + self.page_size) if self.has_next else None

    def get_previous_link(self) -> str | None:
        """The page before this one."""
        return self._link(max(self.start - self.page_size, 0)) if self.has_previous else None

    def _link(self, offset: int) -> str:
        return self.encode_cursor(Cursor(offset=offset, reverse=False, position=None))
