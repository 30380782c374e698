"""The bulk doors: other systems push facts, as CONTRACT "Bulk facts" says."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from integrations.connectors.catalogue import ORDER
from kpis.api.base import CompanyAPIView
from kpis.api.problems import Problem
from kpis.engine.record_batch import Rejection
from kpis.services.facts import BulkResult, UnknownResourceError, upsert_facts
from kpis.services.recompute import recompute
from tenants.capabilities import Capability

MAX_RECORDS = 5_000


class BulkRequestSerializer(serializers.Serializer[Any]):
    """What a bulk door takes; each record has the fields of its resource."""

    source = serializers.CharField(max_length=60, help_text="Who says so; external ids are unique within a source.")
    records = serializers.ListField(child=serializers.JSONField(allow_null=True), max_length=MAX_RECORDS)
    mode = serializers.ChoiceField(choices=["upsert"], default="upsert")

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):
            message = _("There is no such field here. Known: %(known)s.") % {"known": ", ".join(self.fields)}
            raise serializers.ValidationError({name: [message] for name in unknown}, code="unknown")
        return super().to_internal_value(data)


class BulkErrorSerializer(serializers.Serializer[Any]):
    """One fault of one record."""

    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class BulkRejectionSerializer(serializers.Serializer[Any]):
    """A record that was not stored."""

    index = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    errors = BulkErrorSerializer(many=True)


class BulkUnresolvedSerializer(serializers.Serializer[Any]):
    """A reference that points at nothing yet."""

    field = serializers.CharField()
    reference = serializers.CharField()
    count = serializers.IntegerField()


class BulkResultSerializer(serializers.Serializer[Any]):
    """What became of the records."""

    inserted = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    deleted = serializers.IntegerField()
    rejected = BulkRejectionSerializer(many=True)
    unresolved = BulkUnresolvedSerializer(many=True)


class BulkFactsView(CompanyAPIView):
    """Insert, change and delete facts of one resource; the same call again changes nothing."""

    capabilities = {"post": Capability.MANAGE_CONNECTIONS}

    @extend_schema(
        summary="Bulk upsert of facts",
        request=BulkRequestSerializer,
        responses=BulkResultSerializer,
        parameters=[
            OpenApiParameter("resource", OpenApiTypes.STR, OpenApiParameter.PATH, enum=list(ORDER)),
            OpenApiParameter("wait", OpenApiTypes.BOOL, description="1: answer when the matrix shows it."),
        ],
    )
    def post(self, request: Request, resource: str) -> Response:
        if int(request.headers.get("Content-Length") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise Problem(
                status=status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
                code="too_large",
                detail=_("The request is larger than %(limit)s MB. Send fewer records at a time.")
                % {"limit": settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1_048_576},
            )
        body = BulkRequestSerializer(data=request.data)
        if resource not in ORDER:
            raise _unknown(resource)
        body.is_valid(raise_exception=True)
        now = timezone.now()
        try:
            result = upsert_facts(
                resource=resource,
                source=body.validated_data["source"],
                records=body.validated_data["records"],
                actor=self.actor,
                now=now,
            )
        except UnknownResourceError as error:
            raise _unknown(resource) from error
        if request.query_params.get("wait") in ("1", "true"):
            recompute(now=now)
        return Response(_shown(result))


def _shown(result: BulkResult) -> dict[str, Any]:
    return {
        "inserted": result.inserted,
        "updated": result.updated,
        "unchanged": result.unchanged,
        "deleted": result.deleted,
        "rejected": [_rejection(each) for each in result.rejected],
        "unresolved": [
            {"field": each.field, "reference": each.reference, "count": each.count} for each in result.unresolved
        ],
    }


def _rejection(rejection: Rejection) -> dict[str, Any]:
    errors = [{"field": issue.field, "code": issue.code, "message": issue.translated(_)} for issue in rejection.issues]
    return {"index": rejection.index, "external_id": rejection.external_id, "errors": errors}


def _unknown(resource: str) -> Problem:
    return Problem(
        status=status.HTTP_404_NOT_FOUND,
        code="unknown_resource",
        detail=_("There is no resource “%(name)s”. Known: %(known)s.") % {"name": resource, "known": ", ".join(ORDER)},
    )
