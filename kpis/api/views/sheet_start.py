"""Start from Excel: previewed, then made, whole or not at all."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.sheet_start import (
    SheetInput,
    SheetPreviewSerializer,
    SheetStartInput,
    StartedSerializer,
    preview_data,
    read_sheet_input,
)
from kpis.selectors.sheet_start import plan_start
from kpis.services.sheet_start import start_from_sheet
from tenants.capabilities import Capability, require


class _SheetView(CompanyAPIView):
    """Who makes metrics, targets and values alike."""

    capabilities = {"post": Capability.MANAGE_DEFINITIONS}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        for capability in (Capability.SET_TARGETS, Capability.ENTER_VALUES):
            require(request.user, capability)

    def asked(self, shape: Any) -> dict[str, Any]:
        serializer = shape(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


class SheetPreviewView(_SheetView):
    """What a client's cross-tab says, and what it would make."""

    @extend_schema(summary="Preview a sheet", request=SheetInput, responses=SheetPreviewSerializer)
    def post(self, request: Request) -> Response:
        """Nothing is stored. Months run across; KPIs, people or teams and kinds of numbers run down."""
        reading, choices = read_sheet_input(self.asked(SheetInput))
        plan = plan_start(reading, choices, today=timezone.localdate())
        return Response(SheetPreviewSerializer(preview_data(reading, plan)).data)


class SheetStartView(_SheetView):
    """A client's cross-tab becomes metrics, nodes, targets and actuals."""

    @extend_schema(summary="Start from a sheet", request=SheetStartInput, responses={201: StartedSerializer})
    def post(self, request: Request) -> Response:
        """Make what was previewed; the same sheet again changes nothing."""
        asked = self.asked(SheetStartInput)
        reading, choices = read_sheet_input(asked)
        started = start_from_sheet(
            reading=reading,
            choices=choices,
            seen=asked["seen"],
            source=_("From the sheet “%(name)s”") % {"name": asked["name"]},
            actor=self.actor,
            now=timezone.now(),
        )
        return Response(StartedSerializer(started).data, status=status.HTTP_201_CREATED)
