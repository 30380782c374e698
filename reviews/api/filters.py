"""What lists can be narrowed by."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError

from reviews.api.fields import as_uuid, find_node
from reviews.choices import ActionStatus, MeetingStatus, MissStatus
from reviews.models import Action, Meeting, Miss


class NodeFilterSet(filters.FilterSet):
    """`?node=` takes an id, or a code with `tree=`; `tree=` alone takes the whole tree."""

    node = filters.CharFilter(method="of_node", label="node's id, or its code with tree=")
    tree = filters.UUIDFilter(field_name="node__tree__public_id")

    def of_node(self, queryset: Any, _name: str, value: str) -> Any:
        node = find_node(value, self.data.get("tree"))
        if node is None:
            message = _("There is no such KPI. Send its id, or its code together with tree=.")
            raise ValidationError({"node": message}, code="not_found")
        return queryset.filter(node=node)


class MissFilterSet(NodeFilterSet):
    """Misses by KPI, state and period."""

    status = filters.ChoiceFilter(choices=MissStatus.choices)
    asked = filters.BooleanFilter()
    grain = filters.CharFilter()
    period_start = filters.DateFilter()
    dimension = filters.CharFilter()

    class Meta:
        model = Miss
        fields: list[str] = []


class ActionFilterSet(NodeFilterSet):
    """Actions by KPI, state and person."""

    status = filters.ChoiceFilter(choices=ActionStatus.choices)
    miss = filters.UUIDFilter(field_name="miss__public_id")
    owner = filters.UUIDFilter(method="of_owner")
    overdue = filters.BooleanFilter(method="is_overdue")

    class Meta:
        model = Action
        fields: list[str] = []

    def of_owner(self, queryset: Any, _name: str, value: Any) -> Any:
        owner = as_uuid(value)
        return queryset.filter(owner__public_id=owner) | queryset.filter(owner_user__public_id=owner)

    def is_overdue(self, queryset: Any, _name: str, value: bool) -> Any:
        overdue = queryset.overdue(timezone.localdate())
        return overdue if value else queryset.exclude(pk__in=overdue.values("pk"))


class MeetingFilterSet(filters.FilterSet):
    """Meetings by series and state."""

    series = filters.UUIDFilter(field_name="series__public_id")
    status = filters.ChoiceFilter(choices=MeetingStatus.choices)

    class Meta:
        model = Meeting
        fields: list[str] = []
