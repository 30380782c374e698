"""Thin: what somebody may see, one service call, the shape."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.idempotency import IdempotentMixin
from kpis.models import DimensionMember, KpiNode, Person
from reviews.api.fields import find_node
from reviews.api.filters import ActionFilterSet, MeetingFilterSet, MissFilterSet
from reviews.api.refusals import actor_of, as_problem
from reviews.api.serializers import (
    ActionSerializer,
    AgendaItemSerializer,
    AgendaKpiSerializer,
    AnswerSerializer,
    DecisionSerializer,
    MeetingSerializer,
    MinutesSerializer,
    MissSerializer,
    SeriesSerializer,
)
from reviews.models import Action, Decision, Meeting, MeetingSeries, Miss
from reviews.selectors.meetings import agenda_of
from reviews.selectors.sight import (
    answerable_misses,
    changeable_actions,
    may_read_meetings,
    possible_owners,
    visible_actions,
    visible_misses,
)
from reviews.services.actions import log_action, update_action
from reviews.services.meetings import add_kpi, close_meeting, open_meeting, record_decision, save_minutes
from reviews.services.misses import answer_miss
from reviews.services.schedule import plan_meeting, reschedule_meeting, save_series
from tenants.accounts.models import User
from tenants.capabilities import Capability, require


class PublicIdViewSet(IdempotentMixin, viewsets.GenericViewSet):
    """Rows addressed by their public id."""

    lookup_field = "public_id"
    lookup_url_kwarg = "id"
    lookup_value_converter = "uuid"


class MissViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, PublicIdViewSet):
    """Misses; answering one is the only change."""

    queryset = Miss.objects.none()
    serializer_class = MissSerializer
    filterset_class = MissFilterSet

    def get_queryset(self) -> QuerySet[Miss]:
        require(self.request.user, Capability.READ_RESULTS)
        misses = visible_misses(self.request.user, today=timezone.localdate())
        return misses.select_related("node", "member", "case")

    @extend_schema(request=AnswerSerializer, responses=MissSerializer)
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, id: Any) -> Response:
        """End a miss."""
        require(request.user, Capability.ANSWER_MISSES)
        misses = answerable_misses(request.user, today=timezone.localdate()).select_related("node", "member", "case")
        miss = get_object_or_404(misses, public_id=id)
        sent = AnswerSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with as_problem():
            answer_miss(miss=miss, actor=actor_of(request.user), now=timezone.now(), **sent.validated_data)
        return Response(MissSerializer(miss).data)


class ActionViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, PublicIdViewSet):
    """Improvement actions."""

    queryset = Action.objects.none()
    serializer_class = ActionSerializer
    filterset_class = ActionFilterSet

    def get_queryset(self) -> QuerySet[Action]:
        today = timezone.localdate()
        reading = self.request.method in ("GET", "HEAD")
        if not reading:
            require(self.request.user, Capability.LOG_ACTIONS)
        actions = (visible_actions if reading else changeable_actions)(self.request.user, today=today)
        return actions.select_related("miss", "node__metric", "member", "owner", "owner_user", "effect_metric")

    def get_serializer_context(self) -> dict[str, Any]:
        answerable = answerable_misses(self.request.user, today=timezone.localdate())
        return {**super().get_serializer_context(), "answerable": answerable.select_related("node__metric", "member")}

    def create(self, request: Request) -> Response:
        """Log an improvement action about `miss`, or about `node` (id, or code with `tree`), `dimension`, `member`."""
        require(request.user, Capability.LOG_ACTIONS)
        sent = self.get_serializer(data=request.data)
        sent.is_valid(raise_exception=True)
        values = {**_about(request, sent.validated_data.get("miss")), **sent.validated_data}
        values |= _owner(request, values.pop("owner", None))
        with as_problem():
            logged = log_action(actor=actor_of(request.user), now=timezone.now(), **values)
        return Response(self.get_serializer(logged).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=ActionSerializer(partial=True), responses=ActionSerializer)
    def partial_update(self, request: Request, id: Any) -> Response:
        """Change an improvement action; what it was before is kept."""
        changed = self.get_object()
        sent = self.get_serializer(changed, data=request.data, partial=True)
        sent.is_valid(raise_exception=True)
        values = dict(sent.validated_data)
        if "miss" in values:
            raise ValidationError({"miss": _("The miss of an improvement action cannot be changed.")}, code="read_only")
        if "owner" in values:
            values |= _owner(request, values.pop("owner"))
        with as_problem():
            changed = update_action(logged=changed, actor=actor_of(request.user), now=timezone.now(), **values)
        return Response(self.get_serializer(changed).data)


class SeriesViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, PublicIdViewSet):
    """Meeting series."""

    queryset = MeetingSeries.objects.none()
    serializer_class = SeriesSerializer
    filterset_class = None

    def get_queryset(self) -> QuerySet[MeetingSeries]:
        _may_use_meetings(self.request)
        return MeetingSeries.objects.all()

    def create(self, request: Request) -> Response:
        """A new series; its next meeting is planned at once."""
        require(request.user, Capability.RUN_MEETINGS)
        sent = self.get_serializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with as_problem():
            series = save_series(now=timezone.now(), **sent.validated_data)
        return Response(self.get_serializer(series).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=SeriesSerializer(partial=True), responses=SeriesSerializer)
    def partial_update(self, request: Request, id: Any) -> Response:
        """Change a series; its planned meeting moves with it."""
        series = self.get_object()
        sent = self.get_serializer(series, data=request.data, partial=True)
        sent.is_valid(raise_exception=True)
        with as_problem():
            series = save_series(series=series, now=timezone.now(), **sent.validated_data)
        return Response(self.get_serializer(series).data)


class MeetingViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, PublicIdViewSet):
    """Meetings: planned, held, closed."""

    queryset = Meeting.objects.none()
    serializer_class = MeetingSerializer
    filterset_class = MeetingFilterSet

    def get_queryset(self) -> QuerySet[Meeting]:
        _may_use_meetings(self.request)
        return Meeting.objects.select_related("series")

    def create(self, request: Request) -> Response:
        """An extra meeting of a series."""
        require(request.user, Capability.RUN_MEETINGS)
        sent = self.get_serializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with as_problem():
            meeting = plan_meeting(**sent.validated_data)
        return Response(self.get_serializer(meeting).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=MeetingSerializer(partial=True), responses=MeetingSerializer)
    def partial_update(self, request: Request, id: Any) -> Response:
        """Move a planned meeting."""
        meeting = self.get_object()
        sent = self.get_serializer(meeting, data=request.data, partial=True)
        sent.is_valid(raise_exception=True)
        if "series" in sent.validated_data and sent.validated_data["series"] != meeting.series:
            raise ValidationError({"series": _("A meeting stays in its series.")}, code="read_only")
        if "scheduled_at" in sent.validated_data:
            with as_problem():
                reschedule_meeting(meeting=meeting, scheduled_at=sent.validated_data["scheduled_at"])
        return Response(self.get_serializer(meeting).data)

    @extend_schema(request=None, responses=MeetingSerializer)
    @action(detail=True, methods=["post"])
    def open(self, request: Request, id: Any) -> Response:
        """Begin: the numbers of the agenda are frozen."""
        meeting = self.get_object()
        with as_problem():
            open_meeting(meeting=meeting, actor=actor_of(request.user), now=timezone.now())
        return Response(self.get_serializer(meeting).data)

    @extend_schema(request=None, responses=MeetingSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, id: Any) -> Response:
        """End: undecided points go to the series' next meeting."""
        meeting = self.get_object()
        with as_problem():
            close_meeting(meeting=meeting, actor=actor_of(request.user), now=timezone.now())
        return Response(self.get_serializer(meeting).data)

    @extend_schema(responses=AgendaItemSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def agenda(self, request: Request, id: Any) -> Response:
        """The points of the meeting in order."""
        rows = agenda_of(self.get_object(), now=timezone.now())
        return Response({"results": AgendaItemSerializer(rows, many=True).data, "next": None, "previous": None})

    @extend_schema(request=AgendaKpiSerializer, responses={201: AgendaItemSerializer})
    @agenda.mapping.post
    def add_to_agenda(self, request: Request, id: Any) -> Response:
        """Put a KPI on the agenda by hand."""
        meeting = self.get_object()
        sent = AgendaKpiSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        node = _node(sent.validated_data["node"], sent.validated_data.get("tree"))
        with as_problem():
            item = add_kpi(meeting=meeting, node=node, now=timezone.now())
        row = next(row for row in agenda_of(meeting, now=timezone.now()) if row.item == item)
        return Response(AgendaItemSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=DecisionSerializer(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def decisions(self, request: Request, id: Any) -> Response:
        """What was decided, in order."""
        taken = Decision.objects.filter(agenda_item__meeting=self.get_object()).select_related("agenda_item", "action")
        return Response({"results": DecisionSerializer(taken, many=True).data, "next": None, "previous": None})

    @extend_schema(request=DecisionSerializer, responses={201: DecisionSerializer})
    @decisions.mapping.post
    def decide(self, request: Request, id: Any) -> Response:
        """Write down a decision; an unanswered miss is answered by it."""
        items = self.get_object().agenda_items.select_related("miss__node", "action", "node")
        sent = DecisionSerializer(data=request.data, context={"items": items})
        sent.is_valid(raise_exception=True)
        values = dict(sent.validated_data)
        item = values.pop("agenda_item")
        with as_problem():
            decision = record_decision(item=item, actor=actor_of(request.user), now=timezone.now(), **values)
        return Response(DecisionSerializer(decision).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses=MinutesSerializer, filters=False)
    @action(detail=True, methods=["get"])
    def minutes(self, request: Request, id: Any) -> Response:
        """The minutes and their version."""
        return Response(_minutes(self.get_object()))

    @extend_schema(request=MinutesSerializer, responses=MinutesSerializer)
    @minutes.mapping.put
    def put_minutes(self, request: Request, id: Any) -> Response:
        """Save the minutes."""
        meeting = self.get_object()
        sent = MinutesSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with as_problem():
            meeting = save_minutes(
                meeting=meeting,
                text=sent.validated_data["text"],
                base_version=sent.validated_data.get("version"),
                now=timezone.now(),
            )
        return Response(_minutes(meeting))


def _may_use_meetings(request: Request) -> None:
    if request.method not in ("GET", "HEAD"):
        require(request.user, Capability.RUN_MEETINGS)
    elif not may_read_meetings(request.user):
        raise PermissionDenied(_("Your role does not allow this. Ask an owner of your company."))


def _minutes(meeting: Meeting) -> dict[str, Any]:
    shown = {"text": meeting.minutes, "version": meeting.minutes_version, "saved_at": meeting.minutes_saved_at}
    return dict(MinutesSerializer(shown).data)


def _node(reference: Any, tree: Any) -> KpiNode:
    node = find_node(str(reference), str(tree) if tree else None)
    if node is None:
        message = _("There is no such KPI. Send its id, or its code together with tree.")
        raise ValidationError({"node": message}, code="not_found")
    return node


def _about(request: Request, miss: Miss | None) -> dict[str, Any]:
    """The node and segment of an action that has no miss; one with a miss takes them from it."""
    if miss is not None:
        return {}
    if not request.data.get("node"):
        raise ValidationError({"node": _("Name the miss or the KPI which it is about.")}, code="required")
    node = _node(request.data["node"], request.data.get("tree") or request.query_params.get("tree"))
    dimension, code = str(request.data.get("dimension") or "company"), request.data.get("member")
    if dimension == "company":
        return {"node": node}
    member = DimensionMember.objects.filter(dimension__code=dimension, code=str(code)).first()
    if member is None:
        raise ValidationError({"member": _("This dimension has no such member.")}, code="not_found")
    return {"node": node, "dimension": dimension, "member": member}


def _owner(request: Request, owner: Person | User | None) -> dict[str, Any]:
    """Person and login in charge; without a name the one who asks. Only people within reach can be named."""
    actor = actor_of(request.user)
    if owner is None:
        return {"owner": None, "owner_user": actor}
    if isinstance(owner, User):
        person = Person.objects.filter(user=owner).first()
        if person is None:
            if actor is not None and owner != actor and require(actor, Capability.LOG_ACTIONS) != "all":
                raise PermissionDenied(_("You cannot give an improvement action to this person."))
            return {"owner": None, "owner_user": owner}
        owner = person
    if not possible_owners(request.user, today=timezone.localdate()).filter(pk=owner.pk).exists():
        raise PermissionDenied(_("You cannot give an improvement action to this person."))
    return {"owner": owner, "owner_user": None}
