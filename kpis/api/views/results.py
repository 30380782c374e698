"""What was achieved: the matrix, the records behind a cell, and what differs from locked values."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.matrices import MatrixSerializer, matrix_data
from kpis.api.pagination import PAGE_PARAMETERS, ListPages
from kpis.api.queries import MatrixParameters, RestatementParameters
from kpis.api.serializers import RestatementPageSerializer, RestatementSerializer
from kpis.selectors.calendar import period_namer
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.restatements import find_restatements
from tenants.capabilities import Capability


def _read(serializer: type[Any], request: Request) -> dict[str, Any]:
    parameters = serializer(data=request.query_params, context={"request": request})
    parameters.is_valid(raise_exception=True)
    return parameters.validated_data


class MatrixView(CompanyAPIView):
    """Nodes by members by periods."""

    capabilities = {"get": Capability.READ_RESULTS}

    @extend_schema(summary="Matrix", parameters=[MatrixParameters], responses=MatrixSerializer)
    def get(self, request: Request) -> Response:
        """Value, target, achievement and status of every cell; a value that is null has a code in `absence`."""
        asked = _read(MatrixParameters, request)
        live = asked.pop("live")
        visible = self.sight.members.get(asked["dimension"])
        query = MatrixQuery(**asked, is_live=live, member_ids=visible)
        return Response(matrix_data(build_matrix(query, now=timezone.now()), period_namer()))


class RestatementsView(CompanyAPIView):
    """Closed numbers that would be others today, because facts changed after they were locked."""

    capabilities = {"get": Capability.READ_LOCKED_VALUES}

    @extend_schema(
        summary="Restatements",
        operation_id="restatements_list",
        parameters=[RestatementParameters, *PAGE_PARAMETERS],
        responses=RestatementPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Locked and live numbers of every cell that differs."""
        asked = _read(RestatementParameters, request)
        visible = self.sight.members.get(asked["dimension"])
        pages = ListPages()
        rows = find_restatements(**asked, member_ids=visible, now=timezone.now())
        page = pages.paginate_queryset(rows, request)
        return pages.get_paginated_response(RestatementSerializer(page, many=True).data)
