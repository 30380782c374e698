"""What may be asked of the matrix and of the records behind a cell, checked field by field."""

from datetime import date, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from kpis.api.fields import TreeReference, node_or_error
from kpis.choices import DIMENSIONS, DimensionCode, Grain, TargetLine
from kpis.engine.sides import NUMERATOR, SIDES
from kpis.engine.specs import Snapshot
from kpis.models import KpiTree, Metric, Period
from kpis.selectors.grounds import CellAddress, find_kept, find_operand, find_sides, find_spec, names_of
from kpis.selectors.references import find_member

OFFICIAL = "official"
LONGEST = timedelta(days=366 * 20)


def check_stretch(attrs: dict[str, Any]) -> dict[str, Any]:
    """The attributes, unless start to end is empty or more than anybody can read. Raises ValidationError."""
    start, end = attrs["start"], attrs["end"]
    if start >= end:
        raise serializers.ValidationError({"to": _("to must lie after from: from is inclusive, to exclusive.")})
    if end - start > LONGEST:
        raise serializers.ValidationError({"to": _("At most 20 years at once. Ask in parts.")}, code="too_long")
    return attrs


class ResultQuery(serializers.Serializer):
    """A tree, a grain, and a stretch of time: periods whose start lies in [from, to)."""

    tree = TreeReference()
    grain = serializers.ChoiceField(Grain.choices)
    dimension = serializers.ChoiceField(DimensionCode.choices, default=DimensionCode.COMPANY)

    def get_fields(self) -> dict[str, serializers.Field]:
        return {
            **super().get_fields(),
            "from": serializers.DateField(source="start", help_text=_("Inclusive.")),
            "to": serializers.DateField(source="end", help_text=_("Exclusive.")),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return check_stretch(attrs)


class MatrixParameters(ResultQuery):
    """The parameters of the matrix."""

    org = serializers.ChoiceField([("then", _("as it was")), ("now", _("as it is now"))], default="then")
    nodes = serializers.CharField(required=False, help_text=_("Codes, separated by commas; default all."))
    line = serializers.ChoiceField([*TargetLine.choices, (OFFICIAL, _("Official"))], default=OFFICIAL)
    live = serializers.BooleanField(default=False, help_text=_("Closed periods as they would be today."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse codes that the tree does not have."""
        attrs = super().validate(attrs)
        asked = [code.strip() for code in attrs.pop("nodes", "").split(",") if code.strip()]
        known = set(attrs["tree"].nodes.values_list("code", flat=True))
        unknown = [code for code in asked if code not in known]
        if unknown:
            message = _("The tree has no node %(codes)s.") % {"codes": ", ".join(unknown)}
            raise serializers.ValidationError({"nodes": message}, code="does_not_exist")
        return {**attrs, "codes": tuple(dict.fromkeys(asked)) or None}


class CellParameters(serializers.Serializer):
    """The parameters that name one cell."""

    tree = TreeReference(required=False, default=None)
    node = serializers.CharField(help_text=_("The id; or the code, together with tree."))
    period_start = serializers.DateField()
    grain = serializers.ChoiceField(Grain.choices)
    dimension = serializers.ChoiceField(DimensionCode.choices, default=DimensionCode.COMPANY)
    member = serializers.CharField(required=False, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find node, period and member."""
        node = node_or_error(attrs["node"], attrs["tree"])
        period = find_asked_period(attrs["grain"], attrs["period_start"])
        member = find_asked_member(attrs["dimension"], attrs["member"])
        return {**attrs, "node": node, "period": period, "member": member}


class RecordParameters(CellParameters):
    """The parameters of the records behind one cell; `as_of` asks for those that were counted at a moment.

    `operand` asks for a metric that the node's formula names, in the same cell.
    """

    side = serializers.ChoiceField(SIDES, default=NUMERATOR)
    operand = serializers.CharField(required=False, default=None, help_text=_("The code of a metric of the formula."))
    as_of = serializers.DateTimeField(required=False, default=None, help_text=_("A moment that has passed."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find also what stands on this side of the metric; of what was written down on a day, as of that day."""
        attrs = super().validate(attrs)
        metric = _asked_metric(attrs["node"], attrs["operand"], attrs["period"])
        cell = CellAddress(metric, attrs["period"], attrs["dimension"], attrs["member"])
        sides = find_sides(metric, cell.period)
        if attrs["side"] not in sides:
            raise serializers.ValidationError({"side": _no_records(cell, tuple(sides))}, code="not_applicable")
        return {
            "side": sides[attrs["side"]],
            "period": cell.period,
            "dimension": cell.dimension,
            "member": cell.member,
            "as_of": _written_at(cell, attrs["node"].tree) or attrs["as_of"],
        }


def _asked_metric(node: Any, operand: str | None, period: Period) -> Metric:
    """The node's metric, or the one of its formula that is asked for. Raises ValidationError."""
    if node.metric is None:
        message = _("%(node)s has no number, so no records stand behind it.") % {"node": node.code}
        raise serializers.ValidationError({"node": message}, code="not_applicable")
    if operand is None:
        return node.metric
    found = find_operand(node.metric, operand, day=period.start_date)
    if found is None:
        message = _("The formula of %(node)s names no metric %(code)s.") % {"node": node.code, "code": operand}
        raise serializers.ValidationError({"operand": message}, code="does_not_exist")
    return found


def _no_records(cell: CellAddress, sides: tuple[str, ...]) -> str:
    """Why a side has no records, and what to ask for instead."""
    code, names = cell.metric.code, names_of(cell.metric, day=cell.period.start_date)
    if names:
        message = _("%(metric)s is made of other numbers. Ask for one of them by operand: %(codes)s.")
        return message % {"metric": code, "codes": ", ".join(dict.fromkeys(names))}
    if sides:
        message = _("%(metric)s has no records on this side. Ask for one of: %(sides)s.")
        return message % {"metric": code, "sides": ", ".join(sides)}
    return _("%(metric)s has no records of its own in this period.") % {"metric": code}


def _written_at(cell: CellAddress, tree: KpiTree) -> datetime | None:
    """When the number was written down, of a metric that shows what was. Raises ValidationError where nothing was."""
    if not isinstance(find_spec(cell.metric, day=cell.period.start_date), Snapshot):
        return None
    kept = find_kept(cell, tree)
    if kept is None:
        message = _("Nothing was written down of %(metric)s in this period.") % {"metric": cell.metric.code}
        raise serializers.ValidationError({"node": message}, code="not_applicable")
    return kept.taken_at


def find_asked_period(grain: str, start: date) -> Period:
    """The period that begins on a day. Raises ValidationError."""
    period = Period.objects.filter(grain=grain, start_date=start).first()
    if period is None:
        message = _("%(date)s is not the start of a %(grain)s of your calendar; see periods.")
        values = {"date": start, "grain": grain}
        raise serializers.ValidationError({"period_start": message % values}, code="does_not_exist")
    return period


def find_asked_member(dimension: str, code: str | None, *, field: str = "member") -> Any:
    """The member of a dimension by its code, None for the company. Raises ValidationError at `field`."""
    if (dimension == DimensionCode.COMPANY) != (code is None):
        message = _("Name the member of the dimension by its code; the company has none.")
        raise serializers.ValidationError({field: message})
    if code is None:
        return None
    member = find_member(dimension=dimension, code=code)
    if member is None:
        message = _("There is no “%(value)s” in %(dimension)s.") % {"value": code, "dimension": dimension}
        raise serializers.ValidationError({field: message}, code="does_not_exist")
    return member


class Stretch(serializers.Serializer):
    """From when to when, either of which may be left open."""

    def get_fields(self) -> dict[str, serializers.Field]:
        return {
            **super().get_fields(),
            "from": serializers.DateField(source="start", required=False, default=None, help_text=_("Inclusive.")),
            "to": serializers.DateField(source="end", required=False, default=None, help_text=_("Exclusive.")),
        }


class RestatementParameters(Stretch):
    """Which locked cells are compared with live ones."""

    tree = TreeReference(required=False, default=None)
    grain = serializers.ChoiceField(Grain.choices, default=Grain.MONTH)
    dimension = serializers.ChoiceField(DimensionCode.choices, default=DimensionCode.COMPANY)


class BreakdownParameters(serializers.Serializer):
    """A metric by two dimensions: periods whose start lies in [from, to)."""

    metric = serializers.SlugRelatedField(
        slug_field="code", queryset=Metric.objects.all(), help_text=_("The code of the metric.")
    )
    by = serializers.CharField(help_text=_("Two dimensions, separated by a comma, as team,product."))
    grain = serializers.ChoiceField(Grain.choices)

    def get_fields(self) -> dict[str, serializers.Field]:
        return {
            **super().get_fields(),
            "from": serializers.DateField(source="start", help_text=_("Inclusive.")),
            "to": serializers.DateField(source="end", help_text=_("Exclusive.")),
        }

    def validate_by(self, value: str) -> tuple[str, str]:
        """Refuse anything but two different dimensions."""
        named = tuple(each.strip() for each in value.split(","))
        if len(named) != 2 or named[0] == named[1] or not set(named) <= set(DIMENSIONS):
            message = _("Name two different ones of %(dimensions)s.") % {"dimensions": ", ".join(DIMENSIONS)}
            raise serializers.ValidationError(message)
        return named[0], named[1]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return check_stretch(attrs)
