"""References to rows of this floor."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kpis.api.fields import Number


@extend_schema_field(OpenApiTypes.UUID)
class PublicId(serializers.Field):
    """Another row by its id; which ones may be named stands in the context under `among`."""

    default_error_messages = {"does_not_exist": _("There is no “{value}” here.")}

    def __init__(self, *, among: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.among = among

    def to_internal_value(self, data: Any) -> Any:
        rows: QuerySet[Any] = self.context[self.among]
        try:
            found = rows.filter(public_id=uuid.UUID(str(data))).first()
        except ValueError:
            found = None
        if found is None:
            self.fail("does_not_exist", value=data)
        return found

    def to_representation(self, value: Any) -> str:
        return str(value.public_id)


class Measured(Number):
    """A number of a cell, read only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_digits": 34, "decimal_places": 14, "read_only": True, **options})
