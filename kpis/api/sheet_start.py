"""Start from Excel for integrations: the cells of a sheet with what is decided about it, and what it would make."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from kpis.api.fields import MetricReference, Number, TreeReference
from kpis.choices import Accumulation, DimensionCode, Direction, Unit
from kpis.engine.cross_tab import (
    DATA,
    MAX_COLUMNS,
    MAX_ROWS,
    CrossTabError,
    Kind,
    Reading,
    SheetUnit,
    Verdict,
    plain,
    read_cross_tab,
)
from kpis.selectors.references import find_member
from kpis.selectors.sheet_start import (
    SEGMENTS,
    KpiChoice,
    StartChoices,
    StartPlan,
    Use,
    likely_tree,
    propose_choices,
    sheet_context,
)

KINDS = [kind.value for kind in DATA]
HOWS = ("sum", "last", "average", "achievement")
LONGEST_CELL = 500


class KpiChoiceInput(serializers.Serializer):
    """What one KPI of the sheet becomes; what is left out is as proposed."""

    kpi = serializers.CharField(help_text=gettext_lazy("The KPI as the sheet calls it."))
    use = serializers.ChoiceField([each.value for each in Use], required=False)
    metric = MetricReference(required=False, help_text=gettext_lazy("The metric that it is, with use = existing."))
    name = serializers.CharField(max_length=200, required=False)
    unit = serializers.ChoiceField(Unit.choices, required=False)
    scale = serializers.IntegerField(
        min_value=1, max_value=10**9, required=False, help_text=gettext_lazy("What 1 in the sheet stands for: 1000.")
    )
    accumulation = serializers.ChoiceField(Accumulation.choices, required=False)
    direction = serializers.ChoiceField(Direction.choices, required=False)
    place = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text=gettext_lazy("goal, factor (below the KSF of the sheet), below:code of a node, or empty: nowhere."),
    )
    adds_up = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A metric that is there has its own name and unit."""
        if (attrs.get("use") == Use.EXISTING) != ("metric" in attrs):
            raise serializers.ValidationError({"metric": _("Name a metric with use = existing, and only there.")})
        return attrs


class SegmentChoiceInput(serializers.Serializer):
    """Who a name of the sheet is; a member of null leaves its rows out."""

    name = serializers.CharField()
    dimension = serializers.ChoiceField(SEGMENTS, default=DimensionCode.PERSON.value)
    member = serializers.CharField(allow_null=True)


class RowChoiceInput(serializers.Serializer):
    """What a row is taken for; a kind of null leaves it out."""

    key = serializers.CharField()
    kind = serializers.ChoiceField(KINDS, allow_null=True)


class SheetInput(serializers.Serializer):
    """A sheet, and what is decided about it."""

    cells = serializers.ListField(
        child=serializers.ListField(
            child=serializers.CharField(
                allow_blank=True, allow_null=True, trim_whitespace=False, max_length=LONGEST_CELL
            ),
            max_length=MAX_COLUMNS,
        ),
        max_length=MAX_ROWS,
        help_text=gettext_lazy("Row by row, each cell as text or number; null or an empty text is a blank."),
    )
    name = serializers.CharField(max_length=200, help_text=gettext_lazy("What the sheet is called."))
    fiscal_year = serializers.IntegerField(
        min_value=1950, max_value=2199, help_text=gettext_lazy("Holds where the sheet names no year.")
    )
    tree = TreeReference(
        required=False, allow_null=True, help_text=gettext_lazy("Null: a new draft. Left out: the one that fits.")
    )
    tree_name = serializers.CharField(max_length=200, required=False)
    tree_fiscal_year = serializers.IntegerField(min_value=1950, max_value=2199, required=False)
    factor = serializers.CharField(max_length=200, allow_blank=True, required=False)
    kpis = KpiChoiceInput(many=True, required=False, default=list)
    segments = SegmentChoiceInput(many=True, required=False, default=list)
    rows = RowChoiceInput(many=True, required=False, default=list)


class SheetStartInput(SheetInput):
    """A sheet that is to be made as it was previewed."""

    seen = serializers.CharField(help_text=gettext_lazy("From the preview: makes sure that this is what is made."))


def read_sheet_input(asked: Mapping[str, Any]) -> tuple[Reading, StartChoices]:
    """The sheet as understood, with the choices of the caller over those that are likely. Raises ValidationError."""
    cells = [[cell or "" for cell in row] for row in asked["cells"]]
    try:
        reading = read_cross_tab(cells, sheet_context(asked["fiscal_year"]))
        tree = asked["tree"] if "tree" in asked else likely_tree(reading, fiscal_year=asked["fiscal_year"])
        likely = propose_choices(reading, fiscal_year=asked["fiscal_year"], name=asked["name"], tree=tree)
        choices = _decided(likely, asked)
        units = {key: choice.unit for key, choice in choices.kpis.items() if choice.unit != likely.kpis[key].unit}
        if units:
            reading = read_cross_tab(cells, sheet_context(asked["fiscal_year"], units))
    except CrossTabError as error:
        raise serializers.ValidationError({"cells": error.issue.translated(_)}, code=error.issue.code) from error
    return reading, choices


def _decided(likely: StartChoices, asked: Mapping[str, Any]) -> StartChoices:
    kpis, segments = dict(likely.kpis), dict(likely.segments)
    for index, choice in enumerate(asked["kpis"]):
        key = _known(choice["kpi"], kpis, f"kpis.{index}.kpi")
        kpis[key] = _decided_kpi(kpis[key], choice)
    for index, choice in enumerate(asked["segments"]):
        key = _known(choice["name"], segments, f"segments.{index}.name")
        segments[key] = find_member(dimension=choice["dimension"], code=choice["member"]) if choice["member"] else None
        if choice["member"] and segments[key] is None:
            message = _("There is no “%(value)s” here.") % {"value": choice["member"]}
            raise serializers.ValidationError({f"segments.{index}.member": message}, code="does_not_exist")
    return replace(
        likely,
        tree_name=asked.get("tree_name", likely.tree_name),
        fiscal_year=asked.get("tree_fiscal_year", likely.fiscal_year),
        factor=asked.get("factor", likely.factor),
        kpis=kpis,
        segments=segments,
        kinds={row["key"]: Kind(row["kind"]) if row["kind"] else None for row in asked["rows"]},
    )


def _known(name: str, among: Mapping[str, Any], field: str) -> str:
    if plain(name) not in among:
        message = _("The sheet has no “%(value)s”.") % {"value": name}
        raise serializers.ValidationError({field: message}, code="does_not_exist")
    return plain(name)


def _decided_kpi(likely: KpiChoice, choice: Mapping[str, Any]) -> KpiChoice:
    said = {name: choice[name] for name in ("name", "accumulation", "direction", "place", "adds_up") if name in choice}
    unit = SheetUnit(choice.get("unit", likely.unit.unit), choice.get("scale", likely.unit.scale), is_stated=True)
    if unit.unit != Unit.AMOUNT:
        unit = replace(unit, scale=1)
    use, metric = Use(choice["use"]) if "use" in choice else likely.use, choice.get("metric", likely.metric)
    if use is Use.EXISTING and metric is not None:
        own = SheetUnit(metric.unit, unit.scale if metric.unit == Unit.AMOUNT else 1, is_stated=True)
        own_words = {"accumulation": metric.accumulation, "direction": metric.direction}
        return replace(likely, **{**said, **own_words}, use=use, name=metric.name, metric=metric, unit=own)
    changed = unit if (unit.unit, unit.scale) != (likely.unit.unit, likely.unit.scale) else likely.unit
    return replace(likely, **said, use=use, metric=None if use is Use.NEW else metric, unit=changed)


class SheetCheckSerializer(serializers.Serializer):
    """A total of the sheet beside what its parts give."""

    cell = serializers.CharField(source="address")
    kpi = serializers.CharField()
    segment = serializers.CharField()
    how = serializers.ChoiceField(HOWS)
    stated = Number(max_digits=40, decimal_places=14)
    computed = Number(max_digits=40, decimal_places=14)
    verdict = serializers.ChoiceField([each.value for each in Verdict])


class SheetRefusalSerializer(serializers.Serializer):
    """A cell that is not taken."""

    cell = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class SheetRowSerializer(serializers.Serializer):
    """A row of numbers as it was understood; `segment` is empty for the company."""

    key = serializers.CharField()
    row = serializers.IntegerField()
    kpi = serializers.CharField()
    segment = serializers.CharField()
    kind = serializers.ChoiceField(KINDS, allow_null=True)
    is_total = serializers.BooleanField()


class SheetKpiSerializer(serializers.Serializer):
    """A KPI with what it becomes, and how many numbers would be stored."""

    kpi = serializers.CharField(source="key")
    use = serializers.ChoiceField([each.value for each in Use], source="choice.use")
    name = serializers.CharField(source="choice.name")
    unit = serializers.ChoiceField(Unit.choices, source="choice.unit.unit")
    scale = serializers.IntegerField(source="choice.unit.scale")
    accumulation = serializers.ChoiceField(Accumulation.choices, source="choice.accumulation")
    direction = serializers.ChoiceField(Direction.choices, source="choice.direction")
    place = serializers.CharField(source="choice.place")
    targets = serializers.SerializerMethodField()
    actuals = serializers.SerializerMethodField()
    unchanged = serializers.IntegerField()

    def get_targets(self, kpi: Any) -> int:
        return len(kpi.targets)

    def get_actuals(self, kpi: Any) -> int:
        return len(kpi.actuals)


class SheetSegmentSerializer(serializers.Serializer):
    """A name of the sheet, and who it is; null: nobody, so its rows are left out."""

    name = serializers.CharField()
    dimension = serializers.CharField(allow_null=True)
    member = serializers.CharField(allow_null=True)


class SheetPreviewSerializer(serializers.Serializer):
    """What a sheet says and would make; send the same with `seen` to make it."""

    title = serializers.CharField()
    tree = TreeReference(allow_null=True)
    tree_name = serializers.CharField()
    fiscal_year = serializers.IntegerField()
    factor = serializers.CharField()
    kpis = SheetKpiSerializer(many=True)
    segments = SheetSegmentSerializer(many=True)
    rows = SheetRowSerializer(many=True)
    checks = SheetCheckSerializer(many=True)
    refused = SheetRefusalSerializer(many=True)
    is_empty = serializers.BooleanField(help_text=gettext_lazy("Everything is here already."))
    seen = serializers.CharField()


class StartedSerializer(serializers.Serializer):
    """What was made of a sheet."""

    tree = TreeReference()
    metrics = serializers.IntegerField()
    nodes = serializers.IntegerField()
    targets = serializers.IntegerField()
    actuals = serializers.IntegerField()
    request = serializers.UUIDField(
        source="request.public_id",
        default=None,
        allow_null=True,
        help_text=gettext_lazy("The request with which the targets wait for approval, where they do."),
    )


def preview_data(reading: Reading, plan: StartPlan) -> dict[str, Any]:
    """A plan as the API shows it."""
    choices = plan.choices
    issues = [*reading.remarks, *plan.refused]
    members = {segment: choices.segments.get(plain(segment)) for segment in reading.segments}
    return {
        "title": reading.title,
        "tree": choices.tree,
        "tree_name": choices.tree.name if choices.tree else choices.tree_name,
        "fiscal_year": choices.year,
        "factor": choices.factor,
        "kpis": plan.kpis,
        "segments": [
            {"name": name, "dimension": member and member.dimension.code, "member": member and member.code}
            for name, member in members.items()
        ],
        "rows": [
            {
                "key": line.key,
                "row": line.row,
                "kpi": line.kpi,
                "segment": line.segment,
                "kind": choices.kind_of(line),
                "is_total": line.is_total,
            }
            for line in reading.lines
        ],
        "checks": reading.checks,
        "refused": [{"cell": each.field, "code": each.code, "message": each.translated(_)} for each in issues],
        "is_empty": plan.is_empty,
        "seen": plan.digest,
    }
