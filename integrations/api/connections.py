"""Connections over the API: set up, send files, look, import, read what came of it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from integrations.api.serializers import (
    CheckResultSerializer,
    ConnectionSerializer,
    PreviewSerializer,
    RejectedQuerySerializer,
    RejectedRecordSerializer,
    SyncRequestSerializer,
    SyncRunSerializer,
    UploadSerializer,
)
from integrations.choices import Trigger, describe_problem
from integrations.connectors.errors import ConnectorError
from integrations.models import Connection, RejectedRecord, SyncRun, Upload
from integrations.selectors.plans import preview, read_plan
from integrations.services.connections import (
    ConnectionRequestError,
    create_connection,
    pause_connection,
    resume_connection,
    set_frequency,
)
from integrations.services.runs import request_run, sync_now
from integrations.services.uploads import IncomingFile, receive_files
from kpis.api.base import CompanyViewSet
from kpis.api.problems import FieldError, Problem
from kpis.api.versions import answer
from tenants.capabilities import Capability

ACTIONS = ("list", "retrieve", "create", "partial_update", "test", "preview", "sync", "runs", "rejected")


@extend_schema_view(list=extend_schema(summary="Connections"), retrieve=extend_schema(summary="One connection"))
class ConnectionViewSet(CompanyViewSet):
    """Where data comes from."""

    queryset = Connection.objects.all()
    serializer_class = ConnectionSerializer
    capabilities: ClassVar[dict[str, str]] = dict.fromkeys(ACTIONS, Capability.MANAGE_CONNECTIONS)

    @extend_schema(summary="Set a file connection up")
    def create(self, request: Request) -> Response:
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = dict(given.validated_data)
        paused, now = values.pop("is_paused"), timezone.now()
        try:
            made = create_connection(**values, now=now)
        except ConnectionRequestError as error:
            raise Problem(
                status=status.HTTP_400_BAD_REQUEST,
                code="invalid",
                detail=str(error),
                errors=[FieldError(error.field, "invalid", str(error))],
            ) from error
        if paused:
            pause_connection(connection=made, now=now)
        return self.created(made.pk)

    @extend_schema(summary="Change how often data is due, pause or resume")
    def partial_update(self, request: Request, id: Any) -> Response:
        connection = self.row_to_change()
        given = self.get_serializer(connection, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        now = timezone.now()
        if "every" in given.validated_data:
            set_frequency(connection=connection, every=given.validated_data["every"], now=now)
        if "is_paused" in given.validated_data:
            change = pause_connection if given.validated_data["is_paused"] else resume_connection
            change(connection=connection, now=now)
        return answer(request, self.shown(connection.pk))

    @extend_schema(summary="Can the last delivery be read?", request=None, responses=CheckResultSerializer)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, id: Any) -> Response:
        connection = self.get_object()
        last = Upload.objects.filter(connection=connection).order_by("-id").first()
        try:
            read_plan(upload=last, connection=connection)
        except ConnectorError as error:
            message = describe_problem(error.code, error.params)
            return Response({"ok": False, "code": error.code, "message": message})
        return Response({"ok": True, "code": "", "message": ""})

    @extend_schema(
        summary="Send files and see what they would bring", request=UploadSerializer, responses=PreviewSerializer
    )
    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser])
    def preview(self, request: Request, id: Any) -> Response:
        connection = self.get_object()
        given = UploadSerializer(data={"uploads": request.FILES.getlist("uploads")})
        given.is_valid(raise_exception=True)
        files = [IncomingFile(each.name, each) for each in given.validated_data["uploads"]]
        try:
            upload = receive_files(
                connection=connection, files=files, trigger=Trigger.UPLOAD, actor=self.actor, now=timezone.now()
            )
            streams = preview(upload=upload, connection=connection)
        except ConnectorError as error:
            raise _as_problem(error) from error
        return Response(PreviewSerializer({"upload": upload.public_id, "streams": streams}).data)

    @extend_schema(summary="Import", request=SyncRequestSerializer, responses={202: SyncRunSerializer})
    @action(detail=True, methods=["post"])
    def sync(self, request: Request, id: Any) -> Response:
        connection, now = self.get_object(), timezone.now()
        given = SyncRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data.get("upload")
        try:
            if wanted is None:
                run = sync_now(connection=connection, actor=self.actor, now=now)
            else:
                upload = get_object_or_404(Upload, connection=connection, public_id=wanted)
                run = request_run(
                    connection=connection, upload=upload, trigger=Trigger.UPLOAD, actor=self.actor, now=now
                )
        except ConnectorError as error:
            raise _as_problem(error) from error
        return Response(SyncRunSerializer(run).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(summary="Imports, the newest first", responses=SyncRunSerializer(many=True))
    @action(detail=True, methods=["get"])
    def runs(self, request: Request, id: Any) -> Response:
        self.cursor_ordering = "-id"
        return self._page(SyncRun.objects.filter(connection=self.get_object()), SyncRunSerializer)

    @extend_schema(
        summary="Rows that were not imported",
        responses=RejectedRecordSerializer(many=True),
        parameters=[OpenApiParameter("run", OpenApiTypes.UUID, description="Of this import; default: the last one.")],
    )
    @action(detail=True, methods=["get"])
    def rejected(self, request: Request, id: Any) -> Response:
        runs = SyncRun.objects.filter(connection=self.get_object()).order_by("-id")
        given = RejectedQuerySerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data.get("run")
        run = get_object_or_404(runs, public_id=wanted) if wanted else runs.first()
        return self._page(RejectedRecord.objects.filter(run=run).select_related("run"), RejectedRecordSerializer)

    def _page(self, rows: QuerySet[Any], shape: type[Any]) -> Response:
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(shape(page, many=True, context=self.get_serializer_context()).data)


def _as_problem(error: ConnectorError) -> Problem:
    return Problem(
        status=status.HTTP_400_BAD_REQUEST, code=error.code, detail=describe_problem(error.code, error.params)
    )
