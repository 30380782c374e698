"""What is done to whole trees and places beyond changing their fields."""

from typing import Any

from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyViewSet
from kpis.api.editing import (
    BenchmarkReviewSerializer,
    CopySerializer,
    FindingsSerializer,
    FromTemplateSerializer,
    GuidanceSerializer,
    MoveSerializer,
)
from kpis.api.fields import node_or_error
from kpis.api.serializers import NodeSerializer, TreeSerializer
from kpis.api.signals import SignalParameters, SignalsSerializer, signals_data
from kpis.api.versions import answer
from kpis.engine.templates import TEMPLATES
from kpis.selectors.details import Segment, read_trend
from kpis.selectors.fitness import open_findings, read_guidance
from kpis.selectors.movements import judge_trend, read_connection
from kpis.services.copies import copy_tree
from kpis.services.fitness import review_benchmark
from kpis.services.templates import draft_template
from kpis.services.trees import activate_tree, move_node, retire_tree, step_node
from tenants.capabilities import Capability


class TreeEditing(CompanyViewSet):
    """The life of a tree."""

    editing = {
        "activate": Capability.MANAGE_DEFINITIONS,
        "retire": Capability.MANAGE_DEFINITIONS,
        "copy": Capability.MANAGE_DEFINITIONS,
        "from_template": Capability.MANAGE_DEFINITIONS,
        "findings": Capability.MANAGE_DEFINITIONS,
    }

    @extend_schema(summary="Activate a tree", request=None, responses=TreeSerializer)
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Put a tree in force; what keeps it from it, missing people, first targets and data too, comes as errors."""
        tree = self.get_object()
        activate_tree(tree=tree, actor=self.actor, now=timezone.now())
        return answer(request, self.shown(tree.pk))

    @extend_schema(summary="Retire a tree", request=None, responses=TreeSerializer)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take a tree out of force; its closed numbers stay."""
        tree = self.get_object()
        retire_tree(tree=tree, actor=self.actor, now=timezone.now())
        return answer(request, self.shown(tree.pk))

    @extend_schema(
        summary="Copy a tree to another fiscal year", request=CopySerializer, responses={201: TreeSerializer}
    )
    @action(detail=True, methods=["post"])
    def copy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A draft with the same places, people and reasons, and, where growth is given, with targets."""
        tree = self.get_object()
        made = copy_tree(tree=tree, **_checked(CopySerializer, request), actor=self.actor, now=timezone.now())
        return self.created(made.pk)

    @extend_schema(
        summary="Draft a tree from a template", request=FromTemplateSerializer, responses={201: TreeSerializer}
    )
    @action(detail=False, methods=["post"], url_path="from-template")
    def from_template(self, request: Request) -> Response:
        """A draft of the tree of a sales style."""
        asked = _checked(FromTemplateSerializer, request)
        made = draft_template(
            template=TEMPLATES[asked["template"]],
            fiscal_year=asked["fiscal_year"],
            name=asked["name"],
            language=get_language() or "ja",
            actor=self.actor,
            now=timezone.now(),
        )
        return self.created(made.pk)

    @extend_schema(summary="Findings about the KPIs of a tree", responses=FindingsSerializer)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def findings(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What is open about each KPI: missing facts as faults, everything else as remarks with a due date."""
        found = open_findings(self.get_object(), today=timezone.localdate())
        return Response(FindingsSerializer({"results": found}).data)


class NodeEditing(CompanyViewSet):
    """Places of a tree: where they stand, and the guidance beside their targets."""

    editing = {
        "move": Capability.MANAGE_DEFINITIONS,
        "guidance": Capability.READ_RESULTS,
        "signals": Capability.READ_RESULTS,
        "review": Capability.MANAGE_DEFINITIONS,
    }

    @extend_schema(summary="Move a node", request=MoveSerializer, responses=NodeSerializer)
    @action(detail=True, methods=["post"])
    def move(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Hang a node, with what is below it, below a parent at a position, or move it one step."""
        node = self.row_to_change()
        asked = _checked(MoveSerializer, request)
        acting: dict[str, Any] = {"actor": self.actor, "now": timezone.now()}
        if "step" in asked:
            step_node(node=node, step=asked["step"], **acting)
        else:
            parent = node_or_error(asked["parent"], node.tree, field="parent") if asked["parent"] else None
            move_node(node=node, parent=parent, position=asked["position"], **acting)
        return answer(request, self.shown(node.pk))

    @extend_schema(summary="Guidance beside a KPI", responses=GuidanceSerializer)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def guidance(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Benchmarks with their caveats, the own last twelve months, and who consulted them."""
        return Response(GuidanceSerializer(read_guidance(self.get_object(), today=timezone.localdate())).data)

    @extend_schema(summary="Signals of a KPI", parameters=[SignalParameters], responses=SignalsSerializer)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def signals(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Whether its last period moved as it always does, and whether it runs ahead of the KGI."""
        node = self.get_object()
        if node.metric is None:
            raise NotFound(_("%(name)s is a KSF, which has no number. Ask for a KPI.") % {"name": node.name})
        parameters = SignalParameters(data=request.query_params)
        parameters.is_valid(raise_exception=True)
        asked, now = parameters.validated_data, timezone.now()
        if asked["member"] is not None and not self.sight.allows(asked["dimension"], asked["member"].pk):
            raise PermissionDenied
        segment = Segment(asked["dimension"], asked["member"])
        trend = read_trend(node, segment, asked["period"], now=now)
        judged = judge_trend(trend, asked["period"], today=timezone.localdate(now))
        connection = read_connection(node, segment, asked["period"], now=now)
        return Response(SignalsSerializer(signals_data(judged, connection)).data)

    @extend_schema(
        summary="Confirm that a benchmark was consulted",
        request=BenchmarkReviewSerializer,
        responses={201: BenchmarkReviewSerializer},
    )
    @action(detail=True, methods=["post"], url_path="benchmark-review")
    def review(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Say that the benchmark of a KPI was consulted, or that the own history says more; with a note."""
        node = self.get_object()
        asked = _checked(BenchmarkReviewSerializer, request)
        made = review_benchmark(node=node, **asked, actor=self.actor, now=timezone.now())
        return Response(BenchmarkReviewSerializer(made).data, status=status.HTTP_201_CREATED)


def _checked(shape: Any, request: Request) -> dict[str, Any]:
    """The request's body, read and found valid."""
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
