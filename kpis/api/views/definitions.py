"""Metrics, trees and nodes."""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyViewSet
from kpis.api.filters import MetricFilter, NodeFilter, TreeFilter
from kpis.api.serializers import (
    IssuesSerializer,
    MetricSerializer,
    MetricVersionSerializer,
    NodeSerializer,
    TreeSerializer,
)
from kpis.api.versions import answer
from kpis.api.views.editing import NodeEditing, TreeEditing
from kpis.engine.tree import severity
from kpis.models import KpiNode, KpiTree, Metric, MetricVersion
from kpis.selectors.trees import tree_issues
from kpis.services.definitions import create_metric, update_metric
from kpis.services.trees import create_node, create_tree, delete_node, update_node, update_tree
from tenants.capabilities import Capability

CAPABILITIES = {
    "list": Capability.READ_RESULTS,
    "retrieve": Capability.READ_RESULTS,
    "create": Capability.MANAGE_DEFINITIONS,
    "partial_update": Capability.MANAGE_DEFINITIONS,
    "destroy": Capability.MANAGE_DEFINITIONS,
}


@extend_schema_view(list=extend_schema(summary="Metrics"), retrieve=extend_schema(summary="One metric"))
class MetricViewSet(CompanyViewSet):
    """What is measured. `spec` is the newest definition; older ones are its versions."""

    serializer_class = MetricSerializer
    filterset_class = MetricFilter
    capabilities = {**CAPABILITIES, "versions": Capability.READ_RESULTS}

    def get_queryset(self) -> QuerySet[Metric]:
        """Metrics with their newest definition."""
        newest = MetricVersion.objects.filter(metric=OuterRef("pk")).order_by("-number")
        return Metric.objects.annotate(
            spec=Subquery(newest.values("spec")[:1]), effective_from=Subquery(newest.values("effective_from")[:1])
        )

    @extend_schema(summary="Create a metric")
    def create(self, request: Request) -> Response:
        """A metric with its first definition."""
        fields = self.checked()
        fields.pop("reason", None)
        metric = create_metric(**fields, actor=self.actor, now=timezone.now())
        return self.created(metric.pk)

    @extend_schema(summary="Change a metric")
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A `spec` with `effective_from` is a new version from that period on; without, it corrects the newest."""
        metric = self.row_to_change()
        fields = self.checked(instance=metric, partial=True)
        fields.pop("code", None)
        update_metric(metric=metric, **fields, actor=self.actor, now=timezone.now())
        return answer(request, self.shown(metric.pk))

    @extend_schema(summary="Versions of a metric", responses=MetricVersionSerializer(many=True))
    @action(detail=True, filterset_class=None)
    def versions(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every definition the metric has had."""
        versions = self.get_object().versions.select_related("created_by")
        page = self.paginate_queryset(versions)
        shown = MetricVersionSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)


@extend_schema_view(list=extend_schema(summary="Trees"), retrieve=extend_schema(summary="One tree"))
class TreeViewSet(TreeEditing):
    """KPI trees."""

    queryset = KpiTree.objects.all()
    serializer_class = TreeSerializer
    filterset_class = TreeFilter
    capabilities = {**CAPABILITIES, **TreeEditing.editing, "issues": Capability.READ_RESULTS}

    @extend_schema(summary="Create a tree")
    def create(self, request: Request) -> Response:
        """An empty tree, as a draft."""
        tree = create_tree(**self.checked(), actor=self.actor, now=timezone.now())
        return self.created(tree.pk)

    @extend_schema(summary="Change a tree")
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Name, year, style or official line."""
        tree = self.row_to_change()
        fields = self.checked(instance=tree, partial=True)
        update_tree(tree=tree, **fields, actor=self.actor, now=timezone.now())
        return answer(request, self.shown(tree.pk))

    @extend_schema(summary="Issues of a tree", responses=IssuesSerializer)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def issues(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What is missing or wrong in a tree."""
        found = [
            {
                "field": issue.field,
                "code": issue.code,
                "message": issue.translated(gettext),
                "severity": severity(issue),
            }
            for issue in tree_issues(self.get_object())
        ]
        return Response(IssuesSerializer({"results": found}).data)


@extend_schema_view(list=extend_schema(summary="Nodes"), retrieve=extend_schema(summary="One node"))
class NodeViewSet(NodeEditing):
    """The places of a tree."""

    queryset = KpiNode.objects.select_related("tree", "parent", "metric", "responsible", "responsible_user")
    serializer_class = NodeSerializer
    filterset_class = NodeFilter
    capabilities = {**CAPABILITIES, **NodeEditing.editing}

    @extend_schema(summary="Create a node")
    def create(self, request: Request) -> Response:
        """A place in a tree."""
        node = create_node(**self.checked(), actor=self.actor, now=timezone.now())
        return self.created(node.pk)

    @extend_schema(summary="Change a node")
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Anything but its tree."""
        node = self.row_to_change()
        fields = self.checked(instance=node, partial=True)
        fields.pop("tree", None)
        update_node(node=node, **fields, actor=self.actor, now=timezone.now())
        return answer(request, self.shown(node.pk))

    @extend_schema(summary="Remove a node")
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Remove a node and what hangs below it; refused where closed numbers hang on one of them."""
        delete_node(node=self.row_to_change(), actor=self.actor, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
