"""Targets and entered values."""

from dataclasses import replace
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyViewSet
from kpis.api.filters import ManualEntryFilter, TargetFilter
from kpis.api.targets import (
    ManualEntrySerializer,
    TargetBatchSerializer,
    TargetRevisionSerializer,
    TargetSerializer,
    TargetsSerializer,
)
from kpis.api.versions import answer
from kpis.models import ManualEntry, Target, TargetRevision
from kpis.permissions import check_reach, check_typing
from kpis.services.entries import enter_value, withdraw_value
from kpis.services.targets import TargetEntry, TargetError, set_targets
from tenants.capabilities import Capability


class SeenViewSet(CompanyViewSet):
    """Rows that belong to the company or to one member of a dimension: only those the caller may see."""

    def get_queryset(self) -> QuerySet[Any]:
        """Rows of the company and of members in sight."""
        rows = super().get_queryset()
        for dimension, members in self.sight.members.items():
            rows = rows.filter(~Q(dimension=dimension) | Q(member__in=members))
        return rows


@extend_schema_view(list=extend_schema(summary="Targets"), retrieve=extend_schema(summary="One target"))
class TargetViewSet(SeenViewSet):
    """Targets at the frequency of their node; other grains are derived in the matrix.

    A target that was removed is in no list; by its id it is there, with `value` null and its revisions.
    """

    serializer_class = TargetSerializer
    filterset_class = TargetFilter
    queryset = Target.with_removed.select_related("node__tree", "member").annotate(
        reason=Subquery(TargetRevision.objects.filter(target=OuterRef("pk")).order_by("-number").values("reason")[:1])
    )
    capabilities = {
        "list": Capability.READ_RESULTS,
        "retrieve": Capability.READ_RESULTS,
        "revisions": Capability.READ_RESULTS,
        "create": Capability.SET_TARGETS,
        "partial_update": Capability.SET_TARGETS,
        "bulk": Capability.SET_TARGETS,
    }

    def filter_queryset(self, queryset: QuerySet[Target]) -> QuerySet[Target]:
        rows = super().filter_queryset(queryset)
        return rows.exclude(value=None) if self.action == "list" else rows

    @extend_schema(summary="Set a target")
    def create(self, request: Request) -> Response:
        """Set the target of a node for one period; setting it again is a revision, and so is removing it (null).

        Answers 409 `needs_approval` where the caller's change has to be proposed (`target-requests/`) instead.
        """
        target = self._set([self.checked()])[0]
        return self.created(target.pk)

    @extend_schema(summary="Change a target")
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change value, upper bound or both, with the reason; its place stays."""
        target = self.row_to_change()
        given = self.checked(instance=target, partial=True)
        kept = {name: getattr(target, name) for name in ("node", "period_start", "dimension", "member", "line")}
        values = {name: given.get(name, getattr(target, name)) for name in ("value", "upper")}
        if values["value"] is None:
            values["upper"] = given.get("upper")
        self._set([{**kept, **values, "reason": given.get("reason", "")}])
        return answer(request, self.shown(target.pk))

    @extend_schema(summary="Set many targets", request=TargetBatchSerializer, responses=TargetsSerializer)
    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        """Set up to 5,000 targets, all or none; errors name the place in the list (`records.3.value`)."""
        batch = request.data if isinstance(request.data, dict) else {"records": request.data}
        serializer = TargetBatchSerializer(data=batch, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        set_rows = self._set(serializer.validated_data["records"], path="records")
        rows = self.get_queryset().filter(pk__in=[row.pk for row in set_rows]).order_by("pk")
        return Response(TargetsSerializer({"results": rows}, context=self.get_serializer_context()).data)

    @extend_schema(summary="Revisions of a target", responses=TargetRevisionSerializer(many=True))
    @action(detail=True, filterset_class=None)
    def revisions(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every setting of a target: what, by whom, why."""
        page = self.paginate_queryset(self._revisions())
        shown = TargetRevisionSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)

    def _revisions(self) -> QuerySet[TargetRevision]:
        rows = self.get_object().revisions.select_related("actor", "request")
        return rows.prefetch_related("request__decisions__actor")

    def _set(self, rows: list[dict[str, Any]], *, path: str = "") -> tuple[Target, ...]:
        """Set all or none; faults are named by `path` and place, or by field alone where there is one target only."""
        sight = self.sight
        for row in rows:
            check_reach(self.request.user, self.scope, sight, row["dimension"], row["member"], [row["node"]])
        entries = [TargetEntry(**row) for row in rows]
        try:
            return set_targets(entries=entries, actor=self.actor, now=timezone.now())
        except TargetError as refusal:
            if not refusal.issues:
                raise
            issues = [
                replace(issue, field=f"{path}.{issue.field}" if path else issue.field.partition(".")[2])
                for issue in refusal.issues
            ]
            raise TargetError(issues=issues) from refusal


@extend_schema_view(list=extend_schema(summary="Entered values"), retrieve=extend_schema(summary="One entered value"))
class ManualEntryViewSet(SeenViewSet):
    """Values of manual metrics."""

    serializer_class = ManualEntrySerializer
    filterset_class = ManualEntryFilter
    queryset = ManualEntry.objects.select_related("metric", "member", "entered_by")
    lookup_field = "pk"
    lookup_value_converter = "int"
    capabilities = {
        "list": Capability.READ_RESULTS,
        "retrieve": Capability.READ_RESULTS,
        "create": Capability.ENTER_VALUES,
        "destroy": Capability.ENTER_VALUES,
    }

    @extend_schema(summary="Enter a value")
    def create(self, request: Request) -> Response:
        """Enter the value of a manual metric for one period, or why there is none; entering it again corrects it."""
        fields = self.checked()
        nodes = fields["metric"].nodes.select_related("responsible", "deputy")
        check_typing(request.user, self.scope, self.sight, fields["dimension"], fields["member"], nodes)
        entry = enter_value(**fields, actor=self.actor, now=timezone.now())
        return answer(request, self.shown(entry.pk), code=status.HTTP_201_CREATED)

    @extend_schema(summary="Take a value back")
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take back what was entered: the value is open again."""
        entry = self.row_to_change()
        nodes = entry.metric.nodes.select_related("responsible", "deputy")
        check_typing(request.user, self.scope, self.sight, entry.dimension, entry.member, nodes)
        withdraw_value(entry=entry, actor=self.actor, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
