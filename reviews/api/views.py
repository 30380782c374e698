"""Thin: what somebody may see, one service call, the shape."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.base import CompanyViewSet
from kpis.api.versions import answer
from kpis.models import Person
from reviews.api.filters import ActionFilter, MeetingFilter, MissFilter
from reviews.api.serializers import (
    ActionSerializer,
    AgendaItemSerializer,
    AgendaKpiSerializer,
    AgendaSerializer,
    AnswerSerializer,
    DecisionSerializer,
    DecisionsSerializer,
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
from tenants.capabilities import Capability, Scope

READS = {"list": Capability.READ_RESULTS, "retrieve": Capability.READ_RESULTS}
MEETING_READS = ("list", "retrieve", "agenda", "decisions", "minutes")


@extend_schema_view(list=extend_schema(summary="Misses"), retrieve=extend_schema(summary="One miss"))
class MissViewSet(CompanyViewSet):
    """Misses with the numbers of the moment; answering one is the only change."""

    serializer_class = MissSerializer
    filterset_class = MissFilter
    queryset = Miss.objects.select_related("node", "member", "case")
    capabilities = {**READS, "answer": Capability.ANSWER_MISSES}

    def get_queryset(self) -> QuerySet[Miss]:
        """Misses in sight; to be answered: those within reach."""
        within = answerable_misses if self.action == "answer" else visible_misses
        return super().get_queryset().filter(pk__in=within(self.request.user, today=timezone.localdate()))

    @extend_schema(summary="Answer a miss", request=AnswerSerializer, responses=MissSerializer)
    @action(detail=True, methods=["post"])
    def answer(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End a miss, and with it the older ones of the same case."""
        miss = self.get_object()
        sent = AnswerSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        answer_miss(miss=miss, actor=self.actor, now=timezone.now(), **sent.validated_data)
        return answer(request, self.shown(miss.pk))


@extend_schema_view(
    list=extend_schema(summary="Improvement actions"), retrieve=extend_schema(summary="One improvement action")
)
class ActionViewSet(CompanyViewSet):
    """Improvement actions."""

    serializer_class = ActionSerializer
    filterset_class = ActionFilter
    queryset = Action.objects.select_related("miss", "node__metric", "member", "owner", "owner_user", "effect_metric")
    capabilities = {**READS, "create": Capability.LOG_ACTIONS, "partial_update": Capability.LOG_ACTIONS}

    def get_queryset(self) -> QuerySet[Action]:
        """Actions in sight; to be changed: those within reach."""
        within = changeable_actions if self.action == "partial_update" else visible_actions
        return super().get_queryset().filter(pk__in=within(self.request.user, today=timezone.localdate()))

    def get_serializer_context(self) -> dict[str, Any]:
        """An action answers a miss, so only misses within reach can be named."""
        misses = answerable_misses(self.request.user, today=timezone.localdate())
        return {**super().get_serializer_context(), "misses": misses.select_related("node__metric", "member")}

    @extend_schema(summary="Log an improvement action")
    def create(self, request: Request) -> Response:
        """Log an action about a miss, which it answers, or about a node; without an owner it is the caller's own."""
        values = self.checked()
        owner = self._owner(values.pop("owner", None))
        logged = log_action(actor=self.actor, now=timezone.now(), **owner, **values)
        return self.created(logged.pk)

    @extend_schema(summary="Change an improvement action")
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change an action; what it was before is kept."""
        logged = self.row_to_change()
        values = self.checked(instance=logged, partial=True)
        if "miss" in values:
            raise ValidationError({"miss": _("The miss of an improvement action cannot be changed.")}, code="read_only")
        if "owner" in values:
            values |= self._owner(values.pop("owner"))
        update_action(logged=logged, actor=self.actor, now=timezone.now(), **values)
        return answer(request, self.shown(logged.pk))

    def _owner(self, owner: Person | User | None) -> dict[str, Any]:
        """Person and login in charge. Raises PermissionDenied for somebody beyond reach."""
        if owner is None or owner == self.actor:
            return {"owner": None, "owner_user": self.actor}
        if isinstance(owner, User):
            person = Person.objects.filter(user=owner, deleted_at__isnull=True).first()
            if person is None and self.scope == Scope.ALL:
                return {"owner": None, "owner_user": owner}
            owner = person
        within = possible_owners(self.request.user, today=timezone.localdate())
        if owner is None or not within.filter(pk=owner.pk).exists():
            raise PermissionDenied(_("You cannot give an improvement action to this person."))
        return {"owner": owner, "owner_user": None}


class _MeetingsViewSet(CompanyViewSet):
    """Read by those who run meetings and by whoever reads every result."""

    def get_queryset(self) -> QuerySet[Any]:
        """All rows. Raises PermissionDenied."""
        if not may_read_meetings(self.request.user):
            raise PermissionDenied(_("Your role does not allow this. Ask an owner of your company."))
        return super().get_queryset()


@extend_schema_view(list=extend_schema(summary="Meeting series"), retrieve=extend_schema(summary="One meeting series"))
class SeriesViewSet(_MeetingsViewSet):
    """Meeting series."""

    serializer_class = SeriesSerializer
    queryset = MeetingSeries.objects.all()
    capabilities = {**READS, "create": Capability.RUN_MEETINGS, "partial_update": Capability.RUN_MEETINGS}

    @extend_schema(summary="Begin a meeting series")
    def create(self, request: Request) -> Response:
        """A new series; its next meeting is planned at once."""
        return self.created(save_series(now=timezone.now(), **self.checked()).pk)

    @extend_schema(summary="Change a meeting series")
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change a series; a new rhythm moves its planned meeting."""
        series = self.row_to_change()
        changes = self.checked(instance=series, partial=True)
        save_series(series=series, now=timezone.now(), **changes)
        return answer(request, self.shown(series.pk))


@extend_schema_view(list=extend_schema(summary="Meetings"), retrieve=extend_schema(summary="One meeting"))
class MeetingViewSet(_MeetingsViewSet):
    """Meetings: planned, in session, closed."""

    serializer_class = MeetingSerializer
    filterset_class = MeetingFilter
    queryset = Meeting.objects.select_related("series")
    capabilities = {
        **dict.fromkeys(MEETING_READS, Capability.READ_RESULTS),
        **dict.fromkeys(
            ("create", "partial_update", "open", "close", "add_to_agenda", "decide", "put_minutes"),
            Capability.RUN_MEETINGS,
        ),
    }

    def get_serializer_context(self) -> dict[str, Any]:
        """Any series can be named."""
        return {**super().get_serializer_context(), "series": MeetingSeries.objects.all()}

    @extend_schema(summary="Plan an extra meeting")
    def create(self, request: Request) -> Response:
        """A further meeting of a series; its agenda makes itself."""
        return self.created(plan_meeting(**self.checked()).pk)

    @extend_schema(summary="Move a planned meeting")
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change when a planned meeting is held."""
        meeting = self.row_to_change()
        changes = self.checked(instance=meeting, partial=True)
        if changes.get("series", meeting.series) != meeting.series:
            raise ValidationError({"series": _("A meeting stays in its series.")}, code="read_only")
        if "scheduled_at" in changes:
            reschedule_meeting(meeting=meeting, scheduled_at=changes["scheduled_at"])
        return answer(request, self.shown(meeting.pk))

    @extend_schema(summary="Open a meeting", request=None, responses=MeetingSerializer)
    @action(detail=True, methods=["post"])
    def open(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Begin: the numbers of the agenda are frozen."""
        meeting = open_meeting(meeting=self.get_object(), actor=self.actor, now=timezone.now())
        return answer(request, self.shown(meeting.pk))

    @extend_schema(summary="Close a meeting", request=None, responses=MeetingSerializer)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """End: undecided points go to the series' next meeting."""
        meeting = close_meeting(meeting=self.get_object(), actor=self.actor, now=timezone.now())
        return answer(request, self.shown(meeting.pk))

    @extend_schema(summary="Agenda", responses=AgendaSerializer, filters=False)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def agenda(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The points of the meeting in order."""
        rows = agenda_of(self.get_object(), now=timezone.now())
        return _whole(AgendaItemSerializer(rows, many=True).data)

    @extend_schema(
        summary="Put a KPI on the agenda", request=AgendaKpiSerializer, responses={201: AgendaItemSerializer}
    )
    @agenda.mapping.post
    def add_to_agenda(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Add a point by hand."""
        meeting = self.get_object()
        sent = AgendaKpiSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        item = add_kpi(meeting=meeting, now=timezone.now(), **sent.validated_data)
        row = next(row for row in agenda_of(meeting, now=timezone.now()) if row.item == item)
        return Response(AgendaItemSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Decisions", responses=DecisionsSerializer, filters=False)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def decisions(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What was decided, in order."""
        taken = Decision.objects.filter(agenda_item__meeting=self.get_object()).select_related("agenda_item", "action")
        return _whole(DecisionSerializer(taken, many=True).data)

    @extend_schema(summary="Record a decision", request=DecisionSerializer, responses={201: DecisionSerializer})
    @decisions.mapping.post
    def decide(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Write down a decision; an unanswered miss is answered by it."""
        items = self.get_object().agenda_items.select_related("miss__node", "action", "node")
        sent = DecisionSerializer(data=request.data, context={"items": items, "actions": Action.objects.all()})
        sent.is_valid(raise_exception=True)
        values = dict(sent.validated_data)
        decision = record_decision(item=values.pop("agenda_item"), actor=self.actor, now=timezone.now(), **values)
        return Response(DecisionSerializer(decision).data, status=status.HTTP_201_CREATED)

    @extend_schema(summary="Minutes", responses=MinutesSerializer, filters=False)
    @action(detail=True, filterset_class=None, pagination_class=None)
    def minutes(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The minutes and their version."""
        return Response(MinutesSerializer(self.get_object()).data)

    @extend_schema(summary="Save the minutes", request=MinutesSerializer, responses=MinutesSerializer)
    @minutes.mapping.put
    def put_minutes(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Save the minutes of a meeting that is not closed."""
        meeting = self.get_object()
        sent = MinutesSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        meeting = save_minutes(
            meeting=meeting,
            text=sent.validated_data["minutes"],
            base_version=sent.validated_data.get("minutes_version"),
            now=timezone.now(),
        )
        return Response(MinutesSerializer(meeting).data)


def _whole(rows: Any) -> Response:
    """A list that is never long, in the shape of a page."""
    return Response({"results": rows, "next": None, "previous": None})
