"""What lists can be narrowed by. `node` takes an id, or a code together with `tree`."""

from __future__ import annotations

from typing import Any

import django_filters as filters
from django.db.models import Q
from django.utils import timezone

from kpis.api.fields import node_or_error
from kpis.api.filters import ReferenceFilter
from kpis.choices import DimensionCode, Grain
from kpis.selectors.references import find_tree
from reviews.choices import ActionStatus, MeetingStatus, MissStatus
from reviews.models import Action, Meeting, Miss


class NodeFilter(filters.FilterSet):
    """By the node, or by its tree."""

    tree = ReferenceFilter(find=find_tree, field_name="node__tree")
    node = filters.CharFilter(method="by_node")

    def by_node(self, queryset: Any, name: str, value: str) -> Any:
        """Rows of one node."""
        return queryset.filter(node=node_or_error(value, find_tree(self.data.get("tree", ""))))


class MissFilter(NodeFilter):
    """Misses by KPI, state and period."""

    status = filters.ChoiceFilter(choices=MissStatus.choices)
    asked = filters.BooleanFilter()
    grain = filters.ChoiceFilter(choices=Grain.choices)
    period_start = filters.DateFilter()
    dimension = filters.ChoiceFilter(choices=DimensionCode.choices)
    member = filters.CharFilter(field_name="member__code")

    class Meta:
        model = Miss
        fields: tuple[str, ...] = ()


class ActionFilter(NodeFilter):
    """Actions by KPI, miss, state and person."""

    status = filters.ChoiceFilter(choices=ActionStatus.choices)
    miss = filters.UUIDFilter(field_name="miss__public_id")
    owner = filters.UUIDFilter(method="by_owner")
    overdue = filters.BooleanFilter(method="by_due_date")

    class Meta:
        model = Action
        fields: tuple[str, ...] = ()

    def by_owner(self, queryset: Any, name: str, value: Any) -> Any:
        """Actions of a person or a login."""
        return queryset.filter(Q(owner__public_id=value) | Q(owner_user__public_id=value))

    def by_due_date(self, queryset: Any, name: str, value: bool) -> Any:
        """Unfinished and past its due date, or not."""
        overdue = Action.objects.overdue(timezone.localdate())
        return queryset.filter(pk__in=overdue) if value else queryset.exclude(pk__in=overdue)


class MeetingFilter(filters.FilterSet):
    """Meetings by series and state."""

    series = filters.UUIDFilter(field_name="series__public_id")
    status = filters.ChoiceFilter(choices=MeetingStatus.choices)

    class Meta:
        model = Meeting
        fields: tuple[str, ...] = ()
