"""The values that wait to be typed."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.inputs import InputRequestPageSerializer, InputRequestParameters, InputRequestSerializer
from kpis.api.pagination import PAGE_PARAMETERS, ListPages
from kpis.selectors.inputs import open_inputs, read_inputs
from tenants.capabilities import Capability, Scope


class InputRequestsView(CompanyAPIView):
    """Open values of periods that are over."""

    capabilities = {"get": Capability.ENTER_VALUES}

    @extend_schema(
        summary="Values that wait to be typed",
        parameters=[InputRequestParameters, *PAGE_PARAMETERS],
        responses=InputRequestPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """The caller's own, overdue first; a system with a key, and who asks for it and types for all, sees all."""
        parameters = InputRequestParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        is_all = self.scope == Scope.ALL and (parameters.validated_data["everybody"] or self.actor is None)
        rows = open_inputs(read_inputs(today=timezone.localdate()), None if is_all else request.user)
        pages = ListPages()
        page = pages.paginate_queryset(rows, request, view=self)
        return pages.get_paginated_response(InputRequestSerializer(page, many=True).data)
