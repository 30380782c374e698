"""Filters of the lists. `node` takes an id, or a code together with `tree`."""

from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import node_or_error
from kpis.choices import DimensionCode, Grain, Level, PeriodState, RestatementVerdict, TargetLine, TreeStatus, Unit
from kpis.models import (
    BackCalculation,
    DimensionMember,
    FactChange,
    ForecastCall,
    KpiNode,
    KpiTree,
    ManualEntry,
    Metric,
    Period,
    RestatementDecision,
    Target,
)
from kpis.selectors.references import find_metric, find_tree


class ReferenceFilter(filters.CharFilter):
    """A filter by an id or a code; what is not found is a fault of the request, not an empty list."""

    def __init__(self, *, find: Any, **options: Any) -> None:
        super().__init__(**options)
        self.find = find

    def filter(self, qs: QuerySet, value: str) -> QuerySet:
        if not value:
            return qs
        found = self.find(value)
        if found is None:
            message = _("There is no “%(value)s” here.") % {"value": value}
            raise serializers.ValidationError({self.parent_name: message}, code="does_not_exist")
        return qs.filter(**{self.field_name: found})

    @property
    def parent_name(self) -> str:
        """The name under which the request carries this filter."""
        return self.field_name.rsplit("__", 1)[-1]


class MetricFilter(filters.FilterSet):
    """Metrics."""

    code = filters.CharFilter()
    unit = filters.ChoiceFilter(choices=Unit.choices)
    search = filters.CharFilter(field_name="name", lookup_expr="icontains")

    class Meta:
        model = Metric
        fields = ("code", "unit")


class TreeFilter(filters.FilterSet):
    """Trees."""

    fiscal_year = filters.NumberFilter()
    status = filters.ChoiceFilter(choices=TreeStatus.choices)

    class Meta:
        model = KpiTree
        fields = ("fiscal_year", "status")


class BackCalculationFilter(filters.FilterSet):
    """Applied back-calculations."""

    tree = ReferenceFilter(find=find_tree, field_name="tree")

    class Meta:
        model = BackCalculation
        fields = ("tree", "scenario")


class NodeFilter(filters.FilterSet):
    """Nodes."""

    tree = ReferenceFilter(find=find_tree, field_name="tree")
    metric = ReferenceFilter(find=find_metric, field_name="metric")
    level = filters.ChoiceFilter(choices=Level.choices)
    code = filters.CharFilter()

    class Meta:
        model = KpiNode
        fields = ("tree", "metric", "level", "code")


class TargetFilter(filters.FilterSet):
    """Targets."""

    tree = ReferenceFilter(find=find_tree, field_name="node__tree")
    node = filters.CharFilter(method="by_node")
    dimension = filters.ChoiceFilter(choices=DimensionCode.choices)
    member = filters.CharFilter(field_name="member__code")
    line = filters.ChoiceFilter(choices=TargetLine.choices)
    period_start = filters.DateFilter()

    class Meta:
        model = Target
        fields = ("tree", "node", "dimension", "member", "line", "period_start")

    def by_node(self, queryset: QuerySet[Target], name: str, value: str) -> QuerySet[Target]:
        """Targets of one node."""
        tree = find_tree(self.data.get("tree", ""))
        return queryset.filter(node=node_or_error(value, tree))


class CallFilter(filters.FilterSet):
    """Managers' calls."""

    tree = ReferenceFilter(find=find_tree, field_name="node__tree")
    node = filters.CharFilter(method="by_node")
    grain = filters.ChoiceFilter(choices=Grain.choices)
    dimension = filters.ChoiceFilter(choices=DimensionCode.choices)
    member = filters.CharFilter(field_name="member__code")
    period_start = filters.DateFilter()

    class Meta:
        model = ForecastCall
        fields = ("tree", "node", "grain", "dimension", "member", "period_start")

    def by_node(self, queryset: QuerySet[ForecastCall], name: str, value: str) -> QuerySet[ForecastCall]:
        """Calls about one node."""
        tree = find_tree(self.data.get("tree", ""))
        return queryset.filter(node=node_or_error(value, tree))


class ManualEntryFilter(filters.FilterSet):
    """Entered values."""

    metric = ReferenceFilter(find=find_metric, field_name="metric")
    grain = filters.ChoiceFilter(choices=[(each.value, each.label) for each in (Grain.MONTH, Grain.WEEK)])
    period_start = filters.DateFilter()
    dimension = filters.ChoiceFilter(choices=DimensionCode.choices)
    member = filters.CharFilter(field_name="member__code")

    class Meta:
        model = ManualEntry
        fields = ("metric", "grain", "period_start", "dimension", "member")


class PeriodFilter(filters.FilterSet):
    """Periods whose start lies in [from, to)."""

    grain = filters.ChoiceFilter(choices=Grain.choices)
    state = filters.ChoiceFilter(choices=PeriodState.choices)

    class Meta:
        model = Period
        fields = ("grain", "state")


# `from` is a word of Python, so the two bounds are declared by their names in the request.
PeriodFilter.base_filters["from"] = filters.DateFilter(field_name="start_date", lookup_expr="gte")
PeriodFilter.base_filters["to"] = filters.DateFilter(field_name="start_date", lookup_expr="lt")


class DecisionFilter(filters.FilterSet):
    """Decisions about restatements."""

    tree = ReferenceFilter(find=find_tree, field_name="node__tree")
    node = filters.CharFilter(method="by_node")
    grain = filters.ChoiceFilter(choices=Grain.choices)
    period_start = filters.DateFilter()
    verdict = filters.ChoiceFilter(choices=RestatementVerdict.choices)

    class Meta:
        model = RestatementDecision
        fields = ("tree", "node", "grain", "period_start", "verdict")

    def by_node(self, queryset: QuerySet[RestatementDecision], name: str, value: str) -> QuerySet[RestatementDecision]:
        """Decisions about one node."""
        return queryset.filter(node=node_or_error(value, find_tree(self.data.get("tree", ""))))


class MemberFilter(filters.FilterSet):
    """Members of a dimension."""

    is_active = filters.BooleanFilter()
    search = filters.CharFilter(field_name="name", lookup_expr="icontains")

    class Meta:
        model = DimensionMember
        fields = ("is_active",)


class ChangeFilter(filters.FilterSet):
    """Changes of facts."""

    since = filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    resource = filters.CharFilter(field_name="fact")

    class Meta:
        model = FactChange
        fields = ("since", "resource")
