"""The table of target beside actual (予実表), as the API is asked for it and shows it."""

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from kpis.api.fields import Number, TreeReference, node_or_error
from kpis.api.matrices import MatrixTreeSerializer
from kpis.choices import SEGMENTS, DimensionCode, Grain, Level, PeriodState, TargetLine
from kpis.engine.status import Status
from kpis.engine.values import Absence
from kpis.models import Period
from kpis.selectors.budget_shapes import (
    AHEAD,
    OVER,
    RUNNING,
    BudgetCell,
    BudgetColumn,
    BudgetQuery,
    BudgetRow,
    BudgetTable,
)

ABSENCES = [each.value for each in Absence]
OFFICIAL = ("official", _("Official"))
ROWS = (DimensionCode.COMPANY, DimensionCode.TEAM, DimensionCode.PERSON, *map(DimensionCode, SEGMENTS))


class BudgetParameters(serializers.Serializer):
    """A tree; all its KPIs, or with a dimension one KPI by teams, people or a segment of the company."""

    tree = TreeReference()
    line = serializers.ChoiceField([*TargetLine.choices, OFFICIAL], default="official")
    dimension = serializers.ChoiceField([(each.value, each.label) for each in ROWS], default=DimensionCode.COMPANY)
    node = serializers.CharField(required=False, default=None, help_text=_("With a dimension: the id or code."))
    org = serializers.ChoiceField([("then", _("as it was")), ("now", _("as it is now"))], default="then")
    cumulative = serializers.BooleanField(
        default=False, help_text=_("Each month together with those before it, without quarters, halves and the year.")
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find the KPI, which the company as a whole does not take and every other dimension needs."""
        is_whole = attrs["dimension"] == DimensionCode.COMPANY
        if is_whole != (attrs["node"] is None):
            message = _("Name one KPI together with a dimension; the whole company lists them all.")
            raise serializers.ValidationError({"node": message})
        node = None if is_whole else node_or_error(attrs["node"], attrs["tree"])
        if node is not None and (node.metric is None or node.tree_id != attrs["tree"].pk):
            raise serializers.ValidationError({"node": _("Name a KPI of this tree that has a number.")})
        return {**attrs, "node": node}


def budget_query(asked: dict[str, Any]) -> BudgetQuery:
    """The table that is asked for; the official line by its own name is the official line."""
    line = "official" if asked["line"] == asked["tree"].official_line else asked["line"]
    return BudgetQuery(asked["tree"], line, asked["dimension"], asked["node"], asked["cumulative"], asked["org"])


class BudgetColumnSerializer(serializers.Serializer):
    """One period; `phase` is over, running, or ahead, where there is no actual yet."""

    id = serializers.UUIDField()
    grain = serializers.ChoiceField(Grain.choices)
    start = serializers.DateField()
    end = serializers.DateField()
    label = serializers.CharField()
    state = serializers.ChoiceField(PeriodState.choices)
    phase = serializers.ChoiceField([OVER, RUNNING, AHEAD])


class BudgetCellSerializer(serializers.Serializer):
    """Target, actual and landing of one period and what follows from them; `before` is the same period last year."""

    value = Number(allow_null=True)
    target = Number(allow_null=True)
    landing = Number(allow_null=True, help_text=_("Where a period that is not over is expected to end."))
    variance = Number(allow_null=True, help_text=_("Of the landing where there is one, else of the value."))
    achievement = Number(allow_null=True)
    before = Number(allow_null=True)
    year_on_year = Number(allow_null=True)
    absence = serializers.ChoiceField(ABSENCES, allow_null=True)
    cases = Number(allow_null=True, help_text=_("How many there were, where they are too_few."))
    landing_absence = serializers.ChoiceField(ABSENCES, allow_null=True)
    status = serializers.ChoiceField([each.value for each in Status])
    beyond_months = Number(
        allow_null=True,
        help_text=_("Of a longer period: its value less the sum of its months, where changes after closing differ."),
    )


class BudgetRowSerializer(serializers.Serializer):
    """A KPI, or a member of the dimension; a KSF is a heading without cells."""

    node = serializers.UUIDField()
    code = serializers.CharField()
    member = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    level = serializers.ChoiceField(Level.choices)
    unit = serializers.CharField(allow_blank=True)
    depth = serializers.IntegerField()
    cells = BudgetCellSerializer(many=True)


class BudgetSerializer(serializers.Serializer):
    """The whole table: `cells` of a row stand in the order of `columns`."""

    tree = MatrixTreeSerializer()
    currency = serializers.CharField(allow_blank=True)
    line = serializers.ChoiceField([*TargetLine.choices, OFFICIAL])
    org = serializers.CharField()
    cumulative = serializers.BooleanField()
    columns = BudgetColumnSerializer(many=True)
    rows = BudgetRowSerializer(many=True)


def budget_data(table: BudgetTable, label: Callable[[Period], str]) -> dict[str, Any]:
    """The body of the answer, the same rows as the page has."""
    tree = table.query.tree
    return BudgetSerializer(
        {
            "tree": {"id": tree.public_id, "name": tree.name},
            "currency": table.currency,
            "line": table.query.line,
            "org": table.query.org,
            "cumulative": table.query.is_cumulative,
            "columns": [_column(column) for column in table.columns],
            "rows": [_row(row) for row in table.rows],
        }
    ).data


def _column(column: BudgetColumn) -> dict[str, Any]:
    return {
        "id": column.row.public_id,
        "grain": column.grain,
        "start": column.row.start_date,
        "end": column.row.end_date,
        "label": column.label,
        "state": column.state,
        "phase": column.phase,
    }


def _row(row: BudgetRow) -> dict[str, Any]:
    return {
        "node": row.node.public_id,
        "code": row.node.code,
        "member": row.member_code,
        "name": row.name,
        "level": row.node.level,
        "unit": row.unit,
        "depth": row.depth,
        "cells": [_cell(cell) for cell in row.cells],
    }


def _cell(cell: BudgetCell) -> dict[str, Any]:
    return {name: getattr(cell, name) for name in BudgetCellSerializer().fields}
