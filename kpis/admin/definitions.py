"""What is measured, and where it stands in a tree."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminSingleDateWidget, UnfoldAdminTextareaWidget

from kpis.admin.base import ServiceAdmin, ServiceForm
from kpis.models import KpiNode, KpiTree, Metric, MetricVersion
from kpis.services.definitions import create_metric, update_metric
from kpis.services.refusal import RefusedError
from kpis.services.trees import (
    activate_tree,
    create_node,
    create_tree,
    delete_node,
    retire_tree,
    update_node,
    update_tree,
)


class MetricForm(ServiceForm):
    """A metric with its newest definition; with a date the definition holds from that period on."""

    spec = forms.JSONField(
        label=_("Definition"),
        widget=UnfoldAdminTextareaWidget,
        help_text=_("As the API takes it. The metric catalogue leads to a form for it."),
    )
    effective_from = forms.DateField(label=_("Effective from"), required=False, widget=UnfoldAdminSingleDateWidget)

    reason = forms.CharField(
        label=_("Reason"), required=False, help_text=_("Why typed values are replaced without a parallel check")
    )

    class Meta:
        model = Metric
        fields = ("code", "name", "unit", "direction", "accumulation", "achievement_formula")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        newest = self.instance.versions.order_by("-number").first() if self.instance.pk else None
        if newest is not None:
            self.initial |= {"spec": newest.spec, "effective_from": newest.effective_from}

    def write(self) -> Metric:
        """Create the metric, or change it and its definition."""
        fields = self.whole() | {name: self.cleaned_data[name] for name in ("spec", "effective_from")}
        if self.instance.pk is None:
            return create_metric(**fields, actor=self.actor, now=timezone.now())
        fields.pop("code")
        reason = self.cleaned_data["reason"]
        return update_metric(metric=self.instance, **fields, reason=reason, actor=self.actor, now=timezone.now())


class VersionForm(ServiceForm):
    """A definition that holds from a period on."""

    class Meta:
        model = MetricVersion
        fields = ("metric", "spec", "effective_from", "reason")

    def write(self) -> MetricVersion:
        """Define the metric anew."""
        fields = self.whole()
        metric = update_metric(**fields, actor=self.actor, now=timezone.now())
        return metric.versions.get(effective_from=fields["effective_from"])


class TreeForm(ServiceForm):
    """A tree."""

    class Meta:
        model = KpiTree
        fields = ("name", "fiscal_year", "style", "official_line")

    def write(self) -> KpiTree:
        """Make or change the tree."""
        fields = self.whole()
        if self.instance.pk is None:
            return create_tree(**fields, actor=self.actor, now=timezone.now())
        tree = KpiTree.objects.get(pk=self.instance.pk)
        return update_tree(tree=tree, **fields, actor=self.actor, now=timezone.now())


class NodeForm(ServiceForm):
    """A place in a tree; without code or name it takes the metric's."""

    class Meta:
        model = KpiNode
        fields = (
            "tree",
            "parent",
            "level",
            "code",
            "name",
            "metric",
            "responsible",
            "responsible_user",
            "frequency",
            "entered_for",
            "due_business_day",
            "deputy",
            "link",
            "position",
            "controllable_by",
            "status_rules",
            "reason",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("code", "name", "entered_for"):
            self.fields[name].required = False

    def write(self) -> KpiNode:
        """Make or change the node."""
        fields = self.whole()
        tree, user = fields.pop("tree"), fields.pop("responsible_user")
        fields["responsible"] = fields["responsible"] or user
        if self.instance.pk is not None:
            node = KpiNode.objects.get(pk=self.instance.pk)
            return update_node(node=node, **fields, actor=self.actor, now=timezone.now())
        for name in ("code", "name"):
            if not fields[name]:
                fields.pop(name)
        return create_node(tree=tree, **fields, actor=self.actor, now=timezone.now())


class VersionInline(TabularInline):
    """The definitions of a metric over time."""

    model = MetricVersion
    extra = 0
    can_delete = False
    fields = readonly_fields = ("number", "spec", "effective_from", "created_by", "created_at")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Metric)
class MetricAdmin(ServiceAdmin):
    """Metrics. A code stays: formulas name it."""

    form = MetricForm
    inlines = (VersionInline,)
    list_display = ("code", "name", "unit", "direction", "accumulation", "created_at")
    list_filter = ("unit", "accumulation", "direction")
    search_fields = ("code", "name")
    date_hierarchy = "created_at"

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["code"] if obj else []


@admin.register(MetricVersion)
class MetricVersionAdmin(ServiceAdmin):
    """Definitions. Metric and date of one stay; another date is another definition."""

    form = VersionForm
    list_display = ("metric", "number", "effective_from", "created_by", "created_at")
    list_select_related = ("metric", "created_by")
    list_filter = ("metric",)
    search_fields = ("metric__code", "metric__name")
    autocomplete_fields = ("metric",)
    date_hierarchy = "created_at"

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["metric", "effective_from"] if obj else []


@admin.register(KpiTree)
class KpiTreeAdmin(ServiceAdmin):
    """Trees."""

    form = TreeForm
    actions = ("activate", "retire")
    list_display = ("name", "fiscal_year", "style", "official_line", "status", "created_at")
    list_filter = ("status", "fiscal_year", "style")
    search_fields = ("name",)
    date_hierarchy = "created_at"

    @admin.action(description=_("Activate"), permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[KpiTree]) -> None:
        """Put trees in force."""
        for tree in queryset:
            try:
                activate_tree(tree=tree, actor=request.user, now=timezone.now())
            except RefusedError as refusal:
                self.message_user(request, f"{tree}: {refusal}", messages.ERROR)

    @admin.action(description=_("Retire"), permissions=["change"])
    def retire(self, request: HttpRequest, queryset: QuerySet[KpiTree]) -> None:
        """Take trees out of force."""
        for tree in queryset:
            retire_tree(tree=tree, actor=request.user, now=timezone.now())


@admin.register(KpiNode)
class KpiNodeAdmin(ServiceAdmin):
    """Places in trees."""

    form = NodeForm
    list_display = ("name", "code", "tree", "level", "parent", "metric", "responsible", "frequency", "link")
    list_select_related = ("tree", "parent", "metric", "responsible")
    list_filter = ("tree", "level", "frequency", "link")
    search_fields = ("name", "code", "metric__code")
    autocomplete_fields = ("tree", "parent", "metric", "responsible")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return ["tree"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_change_permission(request, obj)

    def delete_model(self, request: HttpRequest, obj: KpiNode) -> None:
        """Remove a node with what hangs below it."""
        try:
            delete_node(node=obj, actor=request.user, now=timezone.now())
        except RefusedError as refusal:
            self.message_user(request, str(refusal), messages.ERROR)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[KpiNode]) -> None:
        """Remove several; one that went with its parent is done already."""
        for pk in list(queryset.values_list("pk", flat=True)):
            for node in KpiNode.objects.filter(pk=pk):
                self.delete_model(request, node)
