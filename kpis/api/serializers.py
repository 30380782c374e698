"""The shapes of CONTRACT.md: what goes out, and what may come in."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import (
    ActorField,
    MemberReference,
    MetricReference,
    NodeReference,
    Number,
    OpenObject,
    PersonReference,
    ResponsibleReference,
    ShownName,
    TreeReference,
    node_or_error,
    remembered,
)
from kpis.choices import (
    Accumulation,
    AchievementFormula,
    DimensionCode,
    Direction,
    EnteredFor,
    Grain,
    Level,
    Link,
    PeriodState,
    Style,
    TargetLine,
    TreeStatus,
    Unit,
)
from kpis.engine.inputs import LATEST_DUE_DAY
from kpis.models import KpiTree, Period
from kpis.selectors.references import find_member

OFFICIAL = ("official", _("Official"))
FREQUENCIES = [(each.value, each.label) for each in (Grain.MONTH, Grain.WEEK)]
LINES = [*TargetLine.choices, OFFICIAL]


class Selectable(serializers.Serializer):
    """A shape of which a reader may ask for some fields: `?fields=id,name`."""

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> serializers.ListSerializer:
        """Refuse unknown names even where the list is empty."""
        rows = super().many_init(*args, **kwargs)
        rows.child.get_fields()
        return rows

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        request = self.context.get("request")
        asked = request.query_params.get("fields") if request is not None and request.method == "GET" else None
        if not asked:
            return fields
        wanted = [name.strip() for name in asked.split(",")]
        unknown = [name for name in wanted if name not in fields]
        if unknown:
            message = _("There is no field %(unknown)s. There are: %(known)s.")
            raise serializers.ValidationError(
                {"fields": message % {"unknown": ", ".join(unknown), "known": ", ".join(fields)}}, code="unknown"
            )
        return {name: fields[name] for name in wanted}


class MetricSerializer(Selectable):
    """A metric with its newest definition."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    code = serializers.SlugField(max_length=60)
    name = serializers.CharField(max_length=200)
    unit = serializers.ChoiceField(Unit.choices)
    direction = serializers.ChoiceField(Direction.choices, default=Direction.UP)
    accumulation = serializers.ChoiceField(Accumulation.choices)
    achievement_formula = serializers.ChoiceField(
        AchievementFormula.choices,
        default=AchievementFormula.DIFFERENCE,
        help_text=_("How achievement is counted where lower is better."),
    )
    spec = OpenObject(help_text=_("The definition, by kind: simple, ratio, formula, manual."))
    effective_from = serializers.DateField(
        allow_null=True, default=None, help_text=_("The definition holds from the period that starts on this date.")
    )
    reason = serializers.CharField(
        write_only=True,
        required=False,
        allow_blank=True,
        max_length=500,
        help_text=_("Why a source is trusted in the place of typed values without a parallel check."),
    )


class MetricVersionSerializer(Selectable):
    """One definition of a metric."""

    number = serializers.IntegerField()
    spec = OpenObject()
    effective_from = serializers.DateField(allow_null=True)
    created_by = ActorField(allow_null=True)
    created_at = serializers.DateTimeField()
    reason = serializers.CharField(allow_blank=True)


class TreeSerializer(Selectable, serializers.ModelSerializer):
    """A KPI tree."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    fiscal_year = serializers.IntegerField(min_value=1950, max_value=2199)
    style = serializers.ChoiceField(Style.choices, allow_null=True, default=None)
    official_line = serializers.ChoiceField(TargetLine.choices, default=TargetLine.TARGET)
    status = serializers.ChoiceField(TreeStatus.choices, read_only=True)

    class Meta:
        model = KpiTree
        fields = ("id", "name", "fiscal_year", "style", "official_line", "status")


class IssueSerializer(serializers.Serializer):
    """One finding of a validator: where, which, and a sentence."""

    field = serializers.CharField(help_text=_("The code of the node; empty for the whole tree."))
    code = serializers.CharField()
    message = serializers.CharField()
    severity = serializers.ChoiceField(
        [(each, each) for each in ("blocks", "fact", "advice")],
        help_text=_("Whether it blocks activation, is one of the five facts of a KPI, or is advice."),
    )


class PageSerializer(serializers.Serializer):
    """A page of a computed list."""

    next = serializers.URLField(allow_null=True, default=None)
    previous = serializers.URLField(allow_null=True, default=None)


class IssuesSerializer(PageSerializer):
    """What keeps a tree from being activated."""

    results = IssueSerializer(many=True)


class NodeSerializer(Selectable):
    """A place in a tree."""

    id = serializers.UUIDField(source="public_id", read_only=True)
    tree = TreeReference()
    parent = NodeReference(allow_null=True, default=None)
    level = serializers.ChoiceField(Level.choices)
    code = serializers.SlugField(max_length=60, required=False, help_text=_("Default: the metric's code, else a slug."))
    name = serializers.CharField(max_length=200, required=False, help_text=_("Default: the metric's name."))
    metric = MetricReference(allow_null=True, default=None)
    responsible = ResponsibleReference(allow_null=True, default=None)
    frequency = serializers.ChoiceField(FREQUENCIES, default=Grain.MONTH)
    entered_for = serializers.ChoiceField(
        EnteredFor.choices, default=EnteredFor.COMPANY, help_text=_("Whose values are typed, where values are typed.")
    )
    due_business_day = serializers.IntegerField(
        min_value=1,
        max_value=LATEST_DUE_DAY,
        allow_null=True,
        default=None,
        help_text=_("By which business day after the period they are; null = when it becomes provisional."),
    )
    deputy = PersonReference(
        allow_null=True, default=None, help_text=_("Who types them when the KPI owner is away or late.")
    )
    link = serializers.ChoiceField(Link.choices, default=Link.INFLUENCE)
    position = serializers.IntegerField(min_value=0, max_value=32767, default=0)
    controllable_by = OpenObject(default=dict, help_text=_("Function → full, partial or none."))
    reason = serializers.CharField(allow_blank=True, default="")
    status_rules = serializers.ListField(
        child=OpenObject(),
        default=list,
        help_text=_(
            "Own rules for the status, the first that applies decides: status, measure (pace, achievement or value),"
            " op (gte, gt, lte, lt) and limit."
        ),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find the parent within the tree, and ask for the name that no metric gives."""
        tree = attrs.get("tree") or self.instance.tree
        if attrs.get("parent"):
            attrs["parent"] = node_or_error(attrs["parent"], tree, field="parent")
        if not self.partial and "name" not in attrs and attrs["metric"] is None:
            raise serializers.ValidationError({"name": self.fields["name"].error_messages["required"]}, code="required")
        return attrs


class PeriodSerializer(Selectable):
    """One period of the fiscal calendar; `end` is exclusive."""

    id = serializers.UUIDField(source="public_id")
    grain = serializers.ChoiceField(Grain.choices)
    start = serializers.DateField(source="start_date")
    end = serializers.DateField(source="end_date")
    label = serializers.SerializerMethodField()
    state = serializers.ChoiceField(PeriodState.choices)
    fiscal_year = serializers.IntegerField(source="fiscal_year.start_year")
    open_restatement_count = serializers.SerializerMethodField(
        help_text=_("How many nodes changed after closing and wait for a decision, as they were last compared.")
    )

    def get_label(self, period: Period) -> str:
        return self.context["labels"](period)

    def get_open_restatement_count(self, period: Period) -> int:
        return self.context["late_counts"].get((period.grain, period.start_date), 0)


class CellNumbersSerializer(serializers.Serializer):
    """What a cell says."""

    value = Number(max_digits=34, decimal_places=14, allow_null=True)
    numerator = Number(max_digits=34, decimal_places=14, allow_null=True)
    denominator = Number(max_digits=34, decimal_places=14, allow_null=True)
    absence = serializers.CharField(allow_null=True)


class RefusalSerializer(serializers.Serializer):
    """Why a locked number stands although it would be another one today; who said so, and when."""

    reason = serializers.CharField()
    actor = ActorField()
    decided_at = serializers.DateTimeField()


class RestatementSerializer(serializers.Serializer):
    """A locked cell that would say something else today; `refusal` where that was refused, else it is open."""

    node = NodeReference(source="cell.node")
    tree = serializers.UUIDField(source="cell.node.tree.public_id")
    code = serializers.CharField(source="cell.node.code")
    grain = serializers.ChoiceField(Grain.choices, source="cell.grain")
    period_start = serializers.DateField(source="cell.period_start")
    dimension = serializers.ChoiceField(DimensionCode.choices, source="cell.dimension")
    member = MemberReference(source="cell.member", allow_null=True)
    locked = CellNumbersSerializer()
    live = CellNumbersSerializer()
    locked_at = serializers.DateTimeField(source="cell.locked_at")

    refusal = RefusalSerializer(allow_null=True)


class RestatementPageSerializer(PageSerializer):
    """A page of restatements."""

    results = RestatementSerializer(many=True)


class PartRecordSerializer(serializers.Serializer):
    """One fact; `before` and `after` are the monthly amounts of a contract at the start and the end of a window."""

    fact = serializers.CharField()
    source = serializers.CharField()
    external_id = serializers.CharField()
    name = serializers.CharField()
    account = serializers.CharField()
    owner = serializers.CharField()
    date = serializers.DateField()
    weight = Number()
    amount = Number(allow_null=True)
    before = Number(allow_null=True)
    after = Number(allow_null=True)
    result = serializers.CharField()
    url = serializers.CharField()


class RecordSerializer(PartRecordSerializer):
    """One fact, or customer with its `records` (at most ten), behind a number; `weight` and `amount` are its part.

    The shares of all records add up to the side of the cell; of a median each is a case, null where it is not known.
    """

    share = Number(allow_null=True)
    records = PartRecordSerializer(many=True)


class RecordPageSerializer(PageSerializer):
    """A page of records; `total` is what those of all pages give: the side of the cell, null without any."""

    total = Number(allow_null=True)
    results = RecordSerializer(many=True)


class ReasonSerializer(serializers.Serializer):
    """Why a period changes its state; re-opening needs it."""

    reason = serializers.CharField(allow_blank=True, default="")


class DimensionSerializer(Selectable):
    """One way to divide numbers. `attribute` and `is_active` are said of seg1 to seg5 only."""

    code = serializers.ChoiceField(DimensionCode.choices, read_only=True)
    name = ShownName(max_length=80, allow_blank=True, help_text=_("Empty goes back to the built-in name."))
    attribute = serializers.CharField(
        max_length=80,
        allow_blank=True,
        required=False,
        help_text=_("The key of attributes that fills a segment of the company; naming one puts it into use."),
    )
    is_active = serializers.BooleanField(required=False)


class ChangedDimensionSerializer(DimensionSerializer):
    """A dimension after a change, with what is to be known about it."""

    remarks = serializers.ListField(child=serializers.CharField())


class SegmentFieldSerializer(serializers.Serializer):
    """A key of attributes: how many records have a value (of each resource in `by_resource`), and how many values."""

    key = serializers.CharField()
    record_count = serializers.IntegerField()
    value_count = serializers.IntegerField()
    examples = serializers.ListField(child=serializers.CharField())
    by_resource = serializers.DictField(child=serializers.IntegerField())


class SegmentFieldsSerializer(serializers.Serializer):
    """What can fill a segment, the most frequent first."""

    results = SegmentFieldSerializer(many=True)


class MemberSerializer(Selectable):
    """One value of a dimension."""

    code = serializers.CharField(read_only=True)
    name = serializers.CharField(max_length=200)
    parent = serializers.CharField(source="parent.code", default=None, read_only=True, allow_null=True)
    aliases = serializers.ListField(child=serializers.CharField(), read_only=True)
    is_active = serializers.BooleanField(read_only=True)
    is_unassigned = serializers.BooleanField(read_only=True)


def with_member(attrs: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    """The member's code replaced by the member, which every dimension but the company needs."""
    if "member" not in attrs:
        return attrs
    code, dimension = attrs["member"], attrs["dimension"]
    if dimension == DimensionCode.COMPANY:
        if code is not None:
            raise serializers.ValidationError({"member": _("The company has no members; leave it null.")})
        return attrs
    if code is None:
        raise serializers.ValidationError({"member": _("Name the member of the dimension by its code.")})
    attrs["member"] = remembered(context, find_member, dimension=dimension, code=code)
    if attrs["member"] is None:
        message = _("There is no “%(value)s” in %(dimension)s.") % {"value": code, "dimension": dimension}
        raise serializers.ValidationError({"member": message}, code="does_not_exist")
    return attrs
