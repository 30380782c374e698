"""Proposing targets, and deciding on what was proposed."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyViewSet
from kpis.api.target_requests import (
    CommentSerializer,
    RequestedTargetsSerializer,
    TargetRequestFilter,
    TargetRequestSerializer,
)
from kpis.api.versions import answer
from kpis.models import TargetRequest
from kpis.permissions import check_reach
from kpis.selectors.approvals import Approver
from kpis.selectors.target_requests import visible_requests, with_content
from kpis.services.target_requests import approve_request, request_targets, return_request, withdraw_request
from kpis.services.targets import TargetEntry, TargetError
from tenants.capabilities import Capability


@extend_schema_view(
    list=extend_schema(summary="Target change requests"), retrieve=extend_schema(summary="One target change request")
)
class TargetRequestViewSet(CompanyViewSet):
    """Proposed targets: what the caller proposed, and what was proposed below."""

    serializer_class = TargetRequestSerializer
    filterset_class = TargetRequestFilter
    queryset = TargetRequest.objects.all()
    capabilities = {
        "list": Capability.SET_TARGETS,
        "retrieve": Capability.SET_TARGETS,
        "create": Capability.SET_TARGETS,
        "withdraw": Capability.SET_TARGETS,
        "approve": Capability.APPROVE_TARGETS,
        "send_back": Capability.APPROVE_TARGETS,
    }

    @cached_property
    def approver(self) -> Approver:
        """How the caller stands among those who decide."""
        return Approver.load(user=self.request.user, today=timezone.localdate())

    def get_queryset(self) -> QuerySet[TargetRequest]:
        """The requests in the caller's sight."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return with_content(visible_requests(approver=self.approver))

    def get_serializer_context(self) -> dict[str, Any]:
        context = super().get_serializer_context()
        return context if getattr(self, "swagger_fake_view", False) else {**context, "approver": self.approver}

    @extend_schema(summary="Propose targets", request=RequestedTargetsSerializer)
    def create(self, request: Request) -> Response:
        """Propose up to 5,000 targets of one tree together. Where no approval is needed they hold at once."""
        context = {**self.get_serializer_context(), "visible": visible_requests(approver=self.approver)}
        serializer = RequestedTargetsSerializer(data=request.data, context=context)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        for row in given["records"]:
            check_reach(request.user, self.scope, self.sight, row["dimension"], row["member"], [row["node"]])
        entries = [TargetEntry(**{**row, "reason": given["reason"]}) for row in given["records"]]
        made = _propose(entries, reason=given["reason"], answers=given["answers"], actor=self.actor)
        return self.created(made.pk)

    @extend_schema(summary="Approve proposed targets", request=CommentSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Agree; with the last missing step the targets hold, from their periods on."""
        return self._decided(approve_request)

    @extend_schema(summary="Return proposed targets", request=CommentSerializer)
    @action(detail=True, methods=["post"], url_path="return")
    def send_back(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Send back with a comment; the proposer answers with a new request."""
        return self._decided(return_request)

    @extend_schema(summary="Withdraw proposed targets", request=None)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take the own request back."""
        row = withdraw_request(request=self.get_object(), actor=self.actor)
        return answer(request, self.shown(row.pk))

    def _decided(self, decide: Any) -> Response:
        row = self.get_object()
        serializer = CommentSerializer(data=self.request.data)
        serializer.is_valid(raise_exception=True)
        comment = serializer.validated_data["comment"]
        decide(request=row, comment=comment, actor=self.actor, now=timezone.now())
        return answer(self.request, self.shown(row.pk))


def _propose(
    entries: Sequence[TargetEntry], *, reason: str, answers: TargetRequest | None, actor: Any
) -> TargetRequest:
    """Faults are named by their place in the list, as where targets are set."""
    try:
        return request_targets(entries=entries, reason=reason, answers=answers, actor=actor, now=timezone.now())
    except TargetError as refusal:
        issues = [replace(issue, field=f"records.{issue.field}") for issue in refusal.issues]
        raise TargetError(issues=issues) from refusal
