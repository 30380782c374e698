"""Closed numbers that would be others today: which, and what was decided about them."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyAPIView
from kpis.api.filters import DecisionFilter
from kpis.api.pagination import PAGE_PARAMETERS, ListPages
from kpis.api.queries import RestatementParameters
from kpis.api.restatements import DecisionListSerializer, DecisionRequestSerializer, RestatementDecisionSerializer
from kpis.api.serializers import RestatementPageSerializer, RestatementSerializer
from kpis.api.views.targets import SeenViewSet
from kpis.models import RestatementDecision
from kpis.selectors.restatements import find_restatements
from kpis.services.restatements import decide_restatements
from tenants.capabilities import Capability


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
        """Locked and live numbers of every cell that differs, and whether the difference was refused."""
        parameters = RestatementParameters(data=request.query_params, context={"request": request})
        parameters.is_valid(raise_exception=True)
        asked = parameters.validated_data
        visible = self.sight.members.get(asked["dimension"])
        pages = ListPages()
        rows = find_restatements(**asked, member_ids=visible, now=timezone.now())
        page = pages.paginate_queryset(rows, request)
        return pages.get_paginated_response(RestatementSerializer(page, many=True).data)


@extend_schema_view(
    list=extend_schema(summary="Decisions about restatements"), retrieve=extend_schema(summary="One decision")
)
class DecisionViewSet(SeenViewSet):
    """What was decided about closed numbers that would be others today; never changed or removed."""

    serializer_class = RestatementDecisionSerializer
    filterset_class = DecisionFilter
    queryset = RestatementDecision.objects.select_related("node", "member", "actor")
    capabilities = {
        "list": Capability.READ_LOCKED_VALUES,
        "retrieve": Capability.READ_LOCKED_VALUES,
        "create": Capability.CLOSE_PERIODS,
    }

    @extend_schema(
        summary="Decide about restatements",
        request=DecisionRequestSerializer,
        responses={status.HTTP_201_CREATED: DecisionListSerializer},
    )
    def create(self, request: Request) -> Response:
        """Approved: what is live is locked, the old number stays in the decision. Refused: the locked one stands."""
        asked = DecisionRequestSerializer(data=request.data, context={"request": request})
        asked.is_valid(raise_exception=True)
        made = decide_restatements(**asked.validated_data, actor=self.actor, now=timezone.now())
        rows = self.get_serializer(made, many=True).data
        return Response({"results": rows}, status=status.HTTP_201_CREATED)
