"""Lists by cursor: stable while rows are added, as cheap on the last page as on the first."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request


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
