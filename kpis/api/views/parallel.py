"""Parallel checks of typed and automatic values."""

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyViewSet
from kpis.api.parallel import (
    CheckTableSerializer,
    ParallelCheckFilter,
    ParallelCheckSerializer,
    StopSerializer,
    SwitchSerializer,
)
from kpis.api.versions import answer
from kpis.models import ParallelCheck
from kpis.selectors.parallel import read_check
from kpis.services.parallel import start_check, stop_check, switch_to_automatic
from tenants.capabilities import Capability


@extend_schema_view(list=extend_schema(summary="Parallel checks"), retrieve=extend_schema(summary="One parallel check"))
class ParallelCheckViewSet(CompanyViewSet):
    """A typed metric beside the automatic one that is to take its place."""

    serializer_class = ParallelCheckSerializer
    filterset_class = ParallelCheckFilter
    queryset = ParallelCheck.objects.select_related("metric", "candidate", "started_by", "ended_by")
    cursor_ordering = "-started_at"
    capabilities = {
        "list": Capability.READ_RESULTS,
        "retrieve": Capability.READ_RESULTS,
        "months": Capability.READ_RESULTS,
        "create": Capability.MANAGE_DEFINITIONS,
        "switch": Capability.MANAGE_DEFINITIONS,
        "stop": Capability.MANAGE_DEFINITIONS,
    }

    @extend_schema(summary="Start a parallel check")
    def create(self, request: Request) -> Response:
        """Set an automatic metric beside a typed one; nothing changes before the switch."""
        check = start_check(**self.checked(), actor=self.actor, now=timezone.now())
        return self.created(check.pk)

    @extend_schema(summary="Months of a parallel check", responses=CheckTableSerializer)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def months(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The last twelve months that are over: typed, automatic, difference."""
        check = self.get_object()
        node = check.metric.nodes.select_related("tree").order_by("-tree__fiscal_year").first()
        if node is None:
            raise Http404
        return Response(CheckTableSerializer(read_check(check, node.tree, now=timezone.now())).data)

    @extend_schema(summary="Switch to automatic", request=SwitchSerializer, responses=ParallelCheckSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def switch(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Make the automatic definition the metric's from a month on; earlier months stay as they were typed."""
        given = SwitchSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        check = switch_to_automatic(
            check=self.get_object(), **given.validated_data, actor=self.actor, now=timezone.now()
        )
        return answer(request, self.shown(check.pk))

    @extend_schema(summary="End without a switch", request=StopSerializer, responses=ParallelCheckSerializer)
    @action(detail=True, methods=["post"], filterset_class=None)
    def stop(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End the check; people go on typing."""
        given = StopSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        check = stop_check(check=self.get_object(), **given.validated_data, actor=self.actor, now=timezone.now())
        return answer(request, self.shown(check.pk))
