"""Connections over the API: set up, send files, look, import, read what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.parsers import JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from integrations.api.answers import as_problem, check_result, refusals_answered
from integrations.api.mappings import (
    FieldsQuerySerializer,
    MappingsSerializer,
    SourceFieldsSerializer,
    SourcePreviewRequestSerializer,
    mapping_of,
)
from integrations.api.proposals import PresetProposalSerializer, PresetQuerySerializer
from integrations.api.serializers import (
    CheckResultSerializer,
    CompareRequestSerializer,
    ConnectionSerializer,
    HookSerializer,
    KeptSerializer,
    OpenedHookSerializer,
    OpenHookSerializer,
    PreviewSerializer,
    RejectedQuerySerializer,
    RejectedRecordSerializer,
    ResyncRequestSerializer,
    SyncRequestSerializer,
    SyncRunSerializer,
    UploadSerializer,
)
from integrations.choices import ConnectionKind, Trigger, describe_problem
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import StreamMapping, check_mapping
from integrations.models import Connection, RejectedRecord, SyncRun, Upload
from integrations.selectors.comparisons import held_back
from integrations.selectors.connections import with_problems
from integrations.selectors.hooks import hook_state
from integrations.selectors.kept import kept_by
from integrations.selectors.plans import current_mappings, preview, read_plan
from integrations.selectors.rejections import standing_rejections, with_rejected_count
from integrations.services.comparing import request_comparison
from integrations.services.connections import (
    change_source,
    create_connection,
    create_source,
    pause_connection,
    resume_connection,
    save_mappings,
    set_frequency,
    set_keep_days,
    set_stream_frequencies,
)
from integrations.services.hooks import close_hook, hook_kind, open_hook
from integrations.services.inspection import Remark, check_source, preview_source, sample_stream
from integrations.services.presets import propose_preset
from integrations.services.resync import remap, resync
from integrations.services.runs import request_run, sync_now
from integrations.services.sources import is_pulled
from integrations.services.uploads import IncomingFile, receive_files
from kpis.api.base import CompanyViewSet
from kpis.api.problems import FieldError, Problem
from kpis.api.versions import answer, check_if_match
from tenants.capabilities import Capability

ACTIONS = (
    *("list", "retrieve", "create", "partial_update"),
    *(
        "test",
        "preview",
        "fields",
        "proposal",
        "mappings",
        "replace_mappings",
        "sync",
        "resync",
        "compare",
        "kept",
        "remap",
    ),
    *("runs", "rejected"),
    *("hook", "open_hook", "close_hook"),
)


@extend_schema_view(list=extend_schema(summary="Connections"), retrieve=extend_schema(summary="One connection"))
class ConnectionViewSet(CompanyViewSet):
    """Where data comes from."""

    queryset = with_rejected_count(with_problems(Connection.objects.all()))
    serializer_class = ConnectionSerializer
    capabilities: ClassVar[dict[str, str]] = dict.fromkeys(ACTIONS, Capability.MANAGE_CONNECTIONS)

    @extend_schema(summary="Set a connection up")
    def create(self, request: Request) -> Response:
        given = self.get_serializer(data=request.data)
        given.is_valid(raise_exception=True)
        values = dict(given.validated_data)
        values.pop("stream_every", None)
        paused, keep_days, now = values.pop("is_paused"), values.pop("keep_days"), timezone.now()
        with refusals_answered():
            if values["kind"] == ConnectionKind.FILE:
                del values["kind"]
                made = create_connection(**values, now=now)
            else:
                made = create_source(**{"secrets": {}, **values}, now=now)
        set_keep_days(connection=made, days=keep_days, now=now)
        if paused:
            pause_connection(connection=made, now=now)
        return self.created(made.pk)

    @extend_schema(summary="Change how often data is due, how long it is kept, the source, credentials; pause, resume")
    @transaction.atomic
    def partial_update(self, request: Request, id: Any) -> Response:
        connection = self.row_to_change()
        given = self.get_serializer(connection, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        now = timezone.now()
        access = {
            name: given.validated_data[name] for name in ("description", "secrets") if name in given.validated_data
        }
        if access:
            with refusals_answered():
                change_source(connection=connection, **access, now=now)
        if "every" in given.validated_data:
            set_frequency(connection=connection, every=given.validated_data["every"], now=now)
        if "stream_every" in given.validated_data:
            with refusals_answered():
                set_stream_frequencies(connection=connection, minutes=given.validated_data["stream_every"], now=now)
        if "keep_days" in given.validated_data:
            set_keep_days(connection=connection, days=given.validated_data["keep_days"], now=now)
        if "is_paused" in given.validated_data:
            change = pause_connection if given.validated_data["is_paused"] else resume_connection
            change(connection=connection, now=now)
        return answer(request, self.shown(connection.pk))

    @extend_schema(
        summary="Can the last delivery, or the source, be read?", request=None, responses=CheckResultSerializer
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, id: Any) -> Response:
        connection = self.get_object()
        if is_pulled(connection):
            return Response(check_result(check_source(connection=connection, today=timezone.localdate()).remarks))
        last = Upload.objects.filter(connection=connection).order_by("-id").first()
        try:
            read_plan(upload=last, connection=connection)
        except ConnectorError as error:
            return Response(check_result([Remark(error.code, True, describe_problem(error.code, error.params))]))
        return Response(check_result([]))

    @extend_schema(
        summary="Send files, or look at the source, and see what would be stored",
        request={"multipart/form-data": UploadSerializer, "application/json": SourcePreviewRequestSerializer},
        responses=PreviewSerializer,
    )
    @action(detail=True, methods=["post"], parser_classes=[MultiPartParser, JSONParser])
    def preview(self, request: Request, id: Any) -> Response:
        connection = self.get_object()
        if is_pulled(connection):
            return self._preview_source(request, connection)
        given = UploadSerializer(data={"uploads": request.FILES.getlist("uploads")})
        given.is_valid(raise_exception=True)
        files = [IncomingFile(each.name, each) for each in given.validated_data["uploads"]]
        try:
            upload = receive_files(
                connection=connection, files=files, trigger=Trigger.UPLOAD, actor=self.actor, now=timezone.now()
            )
            streams = preview(upload=upload, connection=connection)
        except ConnectorError as error:
            raise as_problem(error) from error
        return Response(PreviewSerializer({"upload": upload.public_id, "streams": streams}).data)

    @extend_schema(
        summary="The fields that a stream of the source really has",
        responses=SourceFieldsSerializer,
        parameters=[OpenApiParameter("stream", OpenApiTypes.STR, required=True, description="The source's stream.")],
    )
    @action(detail=True, methods=["get"])
    def fields(self, request: Request, id: Any) -> Response:
        connection = self._source()
        given = FieldsQuerySerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        try:
            sample = sample_stream(connection=connection, stream=given.validated_data["stream"])
        except ConnectorError as error:
            raise as_problem(error) from error
        return Response(SourceFieldsSerializer(sample).data)

    @extend_schema(
        summary="What a preset comes to at this source, to be put in force as mappings",
        responses=PresetProposalSerializer,
        parameters=[OpenApiParameter("preset", OpenApiTypes.STR, required=True, description="One of the kind's.")],
    )
    @action(detail=True, methods=["get"])
    def proposal(self, request: Request, id: Any) -> Response:
        connection = self._source()
        given = PresetQuerySerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        try:
            with refusals_answered():
                found = propose_preset(connection=connection, preset=given.validated_data["preset"])
        except ConnectorError as error:
            raise as_problem(error) from error
        return Response(PresetProposalSerializer(found).data)

    @extend_schema(summary="How streams become records", responses=MappingsSerializer)
    @action(detail=True, methods=["get"])
    def mappings(self, request: Request, id: Any) -> Response:
        return self._mappings(self.get_object())

    @extend_schema(summary="Put these mappings in force", request=MappingsSerializer, responses=MappingsSerializer)
    @mappings.mapping.put
    def replace_mappings(self, request: Request, id: Any) -> Response:
        connection = self.get_object()
        check_if_match(request, self._mappings(connection).data)
        given = MappingsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = [mapping_of(each) for each in given.validated_data["mappings"]]
        with refusals_answered():
            save_mappings(connection=connection, mappings=wanted, now=timezone.now())
        return self._mappings(connection)

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
            raise as_problem(error) from error
        return Response(SyncRunSerializer(run).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(summary="What can be mapped again without asking the source", responses=KeptSerializer)
    @action(detail=True, methods=["get"], url_path="remap")
    def kept(self, request: Request, id: Any) -> Response:
        return Response(KeptSerializer(kept_by(connection=self.get_object())).data)

    @extend_schema(
        summary="Map again what is kept, without asking the source", request=None, responses={202: SyncRunSerializer}
    )
    @kept.mapping.post
    def remap(self, request: Request, id: Any) -> Response:
        try:
            run = remap(connection=self.get_object(), actor=self.actor, now=timezone.now())
        except ConnectorError as error:
            raise as_problem(error) from error
        return Response(SyncRunSerializer(run).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Read a source again, from a moment on or from its beginning",
        request=ResyncRequestSerializer,
        responses={202: SyncRunSerializer},
    )
    @action(detail=True, methods=["post"])
    def resync(self, request: Request, id: Any) -> Response:
        connection = self._source()
        given = ResyncRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        run = resync(
            connection=connection, since=given.validated_data.get("since"), actor=self.actor, now=timezone.now()
        )
        return Response(SyncRunSerializer(run).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        summary="Compare what is here with the source: fetch what is missing, withdraw what is gone",
        request=CompareRequestSerializer,
        responses={202: SyncRunSerializer},
    )
    @action(detail=True, methods=["post"])
    def compare(self, request: Request, id: Any) -> Response:
        connection = self._source()
        given = CompareRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        confirmed = given.validated_data.get("confirm")
        run = request_comparison(
            connection=connection,
            allowed=held_back(connection=connection, run=confirmed) if confirmed else None,
            trigger=Trigger.MANUAL,
            actor=self.actor,
            now=timezone.now(),
        )
        return Response(SyncRunSerializer(run).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(summary="What came of the calls of the source", responses=HookSerializer)
    @action(detail=True, methods=["get"])
    def hook(self, request: Request, id: Any) -> Response:
        return Response(HookSerializer(hook_state(connection=self._calling_source())).data)

    @extend_schema(
        summary="Open a new address for the calls of the source; its secret is shown only now",
        request=OpenHookSerializer,
        responses={201: OpenedHookSerializer},
    )
    @hook.mapping.post
    def open_hook(self, request: Request, id: Any) -> Response:
        connection = self._calling_source()
        given = OpenHookSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        with refusals_answered():
            opened = open_hook(connection=connection, secret=given.validated_data["secret"], now=timezone.now())
        kind = hook_kind(connection)
        parts = [opened.hook.token, *([opened.secret] if kind is not None and kind.is_secret_in_address else [])]
        address = request.build_absolute_uri(reverse("hook_call", args=parts))
        return Response({"address": address, "secret": opened.secret}, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Take no calls of the source any more", responses={204: None})
    @hook.mapping.delete
    def close_hook(self, request: Request, id: Any) -> Response:
        close_hook(connection=self._calling_source(), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="Imports, the newest first", responses=SyncRunSerializer(many=True))
    @action(detail=True, methods=["get"])
    def runs(self, request: Request, id: Any) -> Response:
        self.cursor_ordering = "-id"
        return self._page(SyncRun.objects.filter(connection=self.get_object()), SyncRunSerializer)

    @extend_schema(
        summary="Rows that are still not imported, whichever import refused them, or those of one import",
        responses=RejectedRecordSerializer(many=True),
        parameters=[
            OpenApiParameter("run", OpenApiTypes.UUID, description="All of this import; default: what still stands.")
        ],
    )
    @action(detail=True, methods=["get"])
    def rejected(self, request: Request, id: Any) -> Response:
        connection = self.get_object()
        given = RejectedQuerySerializer(data=request.query_params)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data.get("run")
        if wanted is None:
            return self._page(standing_rejections(connection=connection), RejectedRecordSerializer)
        run = get_object_or_404(SyncRun, connection=connection, public_id=wanted)
        return self._page(RejectedRecord.objects.filter(run=run).select_related("run"), RejectedRecordSerializer)

    def _mappings(self, connection: Connection) -> Response:
        shown = MappingsSerializer({"mappings": [asdict(each) for each in current_mappings(connection=connection)]})
        return answer(self.request, shown.data)

    def _source(self) -> Connection:
        """The addressed connection, which has to be one that is called."""
        connection: Connection = self.get_object()
        if not is_pulled(connection):
            raise Problem(
                status=status.HTTP_409_CONFLICT, code="not_a_source", detail=_("Only a source that is called has this.")
            )
        return connection

    def _calling_source(self) -> Connection:
        """The addressed connection, whose source has to be one that calls."""
        connection = self._source()
        if hook_kind(connection) is None:
            message = _("This source does not say how it calls. Describe it first.")
            raise Problem(status=status.HTTP_409_CONFLICT, code="does_not_call", detail=message)
        return connection

    def _preview_source(self, request: Request, connection: Connection) -> Response:
        given = SourcePreviewRequestSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            mapping = _wanted_mapping(connection, given.validated_data)
            seen = preview_source(connection=connection, mapping=mapping)
        except ConnectorError as error:
            raise as_problem(error) from error
        return Response(PreviewSerializer({"upload": None, "streams": [seen]}).data)

    def _page(self, rows: QuerySet[Any], shape: type[Any]) -> Response:
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(shape(page, many=True, context=self.get_serializer_context()).data)


def _wanted_mapping(connection: Connection, given: dict[str, Any]) -> StreamMapping:
    """The mapping in force that is named, or the one that is to be tried. Raises ConnectorError, Problem."""
    if "mapping" in given:
        mapping = mapping_of(given["mapping"])
        check_mapping(mapping)
        return mapping
    known = {each.stream: each for each in current_mappings(connection=connection)}
    if given["stream"] not in known:
        text = _("There is no mapping “%(stream)s”. Use one of: %(known)s.")
        message = text % {"stream": given["stream"], "known": ", ".join(known) or "—"}
        errors = [FieldError("stream", "unknown", message)]
        raise Problem(status=status.HTTP_400_BAD_REQUEST, code="invalid", detail=message, errors=errors)
    return known[given["stream"]]
