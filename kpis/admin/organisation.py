"""Teams, people and who is where. Writes go through the same door as deliveries of other systems."""

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils import timezone

from kpis.admin.base import ReadOnlyAdmin, ServiceAdmin, ServiceForm
from kpis.admin.facts import TombstoneFilter, UnmatchedFilter
from kpis.engine.issues import gettext_noop
from kpis.models import Person, PersonLink, Team, TeamLeader, TeamMembership
from kpis.models.sourced import Sourced
from kpis.services.facts import upsert_facts
from kpis.services.people import link_login, remove_team_leader, set_team_leader
from kpis.services.refusal import RefusedError

TYPED = "manual"


class RecordRefusedError(RefusedError):
    """The door for records did not take this one."""

    code = "record_refused"


class SourcedForm(ServiceForm):
    """A row of the organisation, stored as one record of its source; rows typed here have the source `manual`."""

    resource: str
    references: tuple[str, ...] = ()

    def write(self) -> models.Model:
        """Send the form as one record."""
        row = self.instance
        source = row.source if row.pk else TYPED
        external_id = row.external_id if row.pk else self.cleaned_data["external_id"]
        if not row.pk and type(row).objects.filter(source=TYPED, external_id=external_id).exists():
            raise RecordRefusedError(gettext_noop("The id %(id)s is taken. Choose another one."), id=external_id)
        record = {"external_id": external_id} | {name: self.sent(name) for name in self.record_fields()}
        result = upsert_facts(
            resource=self.resource, source=source, records=[record], actor=self.actor, now=timezone.now()
        )
        for rejection in result.rejected:
            raise RecordRefusedError(issues=rejection.issues)
        return type(row).objects.get(source=source, external_id=external_id)

    def record_fields(self) -> list[str]:
        """The fields of the form that are fields of the record."""
        return [name for name in self.fields if name not in ("external_id", "user")]

    def sent(self, name: str) -> Any:
        """One field as the record carries it."""
        value = self.cleaned_data[name]
        if isinstance(value, Sourced):
            return {"source": value.source, "external_id": value.external_id}
        if isinstance(value, models.QuerySet):
            return [{"source": each.source, "external_id": each.external_id} for each in value]
        return None if value == "" else value


class PersonForm(SourcedForm):
    """A person and, if there is one, the login."""

    resource = "people"

    class Meta:
        model = Person
        fields = ("external_id", "name", "employee_code", "email", "hired_on", "left_on", "user")

    def write(self) -> Person:
        """Store the person, then the login."""
        return link_login(person=super().write(), user=self.cleaned_data["user"], actor=self.actor)


class TeamForm(SourcedForm):
    """A team. A parent that changes is a reorganisation: end this team and let a successor begin."""

    resource = "teams"

    class Meta:
        model = Team
        fields = ("external_id", "name", "parent", "region", "starts_on", "ends_on", "succeeds")


class MembershipForm(SourcedForm):
    """A person's place in a team."""

    resource = "memberships"

    class Meta:
        model = TeamMembership
        fields = ("external_id", "person", "team", "starts_on", "ends_on", "credited", "share")


class LeaderForm(ServiceForm):
    """Who leads a team."""

    class Meta:
        model = TeamLeader
        fields = ("team", "person", "is_deputy", "starts_on", "ends_on")

    def write(self) -> TeamLeader:
        """Name the leader."""
        return set_team_leader(leader_id=self.instance.pk, **self.cleaned_data, actor=self.actor)


class SourcedAdmin(ServiceAdmin):
    """Rows that other systems deliver and people may type or correct; the id stays as it is."""

    list_filter: tuple[Any, ...] = (UnmatchedFilter, TombstoneFilter, "source")

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> list[str]:
        return ["external_id"] if obj else []


@admin.register(Person)
class PersonAdmin(SourcedAdmin):
    """People of the sales organisation."""

    form = PersonForm
    list_display = ("name", "employee_code", "email", "hired_on", "left_on", "user", "source", "external_id")
    list_select_related = ("user",)
    search_fields = ("name", "employee_code", "email", "external_id")
    autocomplete_fields = ("user",)
    date_hierarchy = "hired_on"


@admin.register(PersonLink)
class PersonLinkAdmin(ReadOnlyAdmin):
    """Which people of several sources are one person, and why. The page of links joins and parts them."""

    list_display = ("person", "same_as", "rule", "decided_at", "decided_by", "undone_at", "undone_by")
    list_select_related = ("person", "same_as", "decided_by", "undone_by")
    list_filter = ("rule",)
    search_fields = ("person__name", "person__external_id", "same_as__name", "same_as__external_id")
    date_hierarchy = "decided_at"


@admin.register(Team)
class TeamAdmin(SourcedAdmin):
    """Teams."""

    form = TeamForm
    list_display = ("name", "parent", "region", "starts_on", "ends_on", "source", "external_id")
    list_select_related = ("parent",)
    list_filter = (*SourcedAdmin.list_filter, "region")
    search_fields = ("name", "external_id")
    autocomplete_fields = ("parent", "succeeds")
    date_hierarchy = "starts_on"


@admin.register(TeamMembership)
class TeamMembershipAdmin(SourcedAdmin):
    """Who is in which team, from when to when."""

    form = MembershipForm
    list_display = ("person", "team", "starts_on", "ends_on", "credited", "share", "source")
    list_select_related = ("person", "team")
    list_filter = (*SourcedAdmin.list_filter, "credited", "team")
    search_fields = ("person__name", "team__name", "external_id")
    autocomplete_fields = ("person", "team")
    date_hierarchy = "starts_on"


@admin.register(TeamLeader)
class TeamLeaderAdmin(ServiceAdmin):
    """Leaders of teams and their deputies."""

    form = LeaderForm
    list_display = ("team", "person", "is_deputy", "starts_on", "ends_on")
    list_select_related = ("team", "person")
    list_filter = ("is_deputy", "team")
    search_fields = ("team__name", "person__name")
    autocomplete_fields = ("team", "person")
    date_hierarchy = "starts_on"

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return self.has_change_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: TeamLeader) -> None:
        """Take the leadership away."""
        remove_team_leader(leader=obj, actor=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[TeamLeader]) -> None:
        """Take several away."""
        for leader in queryset:
            remove_team_leader(leader=leader, actor=request.user)
