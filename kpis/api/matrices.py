"""The matrix as the contract writes it."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kpis.api.fields import Number, Numbers, as_number
from kpis.choices import Direction, Grain, Level, PeriodState, Unit
from kpis.engine.pace import Basis, Due
from kpis.engine.status import Status
from kpis.engine.values import Absence
from kpis.models import Period
from kpis.selectors.matrix import KpiMatrix, MatrixNode, MatrixPeriod

NUMBERS = ("value", "numerator", "denominator", "target", "upper", "achievement")
WORDS = ("status", "absence")


def matrix_data(matrix: KpiMatrix, name_of: Callable[[Period], str]) -> dict[str, Any]:
    """Plain data for JSON; every array in `cells` is [node][member][period]."""
    numbers = Numbers()
    return {
        "tree": {"id": str(matrix.tree.public_id), "name": matrix.tree.name},
        "grain": matrix.grain,
        "currency": matrix.currency,
        "generated_at": matrix.generated_at,
        "periods": [period_data(period, name_of) for period in matrix.periods],
        "members": [
            {"id": member.id, "code": member.code, "name": member.name, "parent": member.parent}
            for member in matrix.members
        ],
        "nodes": [_node(node) for node in matrix.nodes],
        "cells": {name: _numbers(getattr(matrix, name), numbers) for name in NUMBERS}
        | {name: getattr(matrix, name) for name in WORDS},
        "too_few": _counted(matrix, Absence.TOO_FEW),
        "without_cost": _counted(matrix, Absence.MISSING),
        "due": [[due_data(due) for due in line] for line in matrix.due],
    }


def due_data(due: Due | None) -> dict[str, Any] | None:
    """Plain data for JSON."""
    return None if due is None else {"share": as_number(due.share), "basis": due.basis.value}


def period_data(period: MatrixPeriod, name_of: Callable[[Period], str]) -> dict[str, Any]:
    return {
        "id": str(period.row.public_id),
        "start": period.start,
        "end": period.end,
        "label": name_of(period.row),
        "state": period.state,
    }


def _counted(matrix: KpiMatrix, absence: Absence) -> list[dict[str, Any]]:
    return [
        {"node": node, "member": member, "period": period, "cases": as_number(count)}
        for (node, member, period), count in matrix.cases.items()
        if matrix.absence[node][member][period] == absence
    ]


def _node(node: MatrixNode) -> dict[str, Any]:
    row, metric = node.row, node.row.metric
    return {
        "id": str(row.public_id),
        "code": row.code,
        "name": row.name,
        "level": row.level,
        "unit": metric.unit if metric else None,
        "direction": metric.direction if metric else None,
        "metric_version": node.version,
        "as_of": node.as_of,
        "stale": node.is_stale,
    }


def _numbers(
    grid: Sequence[Sequence[Sequence[Decimal | None]]], numbers: Numbers
) -> list[list[list[int | float | None]]]:
    return [[numbers.line(line) for line in plane] for plane in grid]


def _grid(child: serializers.Field) -> serializers.ListField:
    return serializers.ListField(child=serializers.ListField(child=serializers.ListField(child=child)))


class DueSerializer(serializers.Serializer):
    """How much of a running period's target is due by now, and what says so."""

    share = Number(max_digits=34, decimal_places=20)
    basis = serializers.ChoiceField(
        [each.value for each in Basis],
        help_text=_("curve: the company's own past periods; business_days where there are too few of them."),
    )


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "type": "array",
            "items": {
                "type": ["object", "null"],
                "properties": {
                    "share": {"type": "number"},
                    "basis": {"type": "string", "enum": [each.value for each in Basis]},
                },
                "required": ["share", "basis"],
            },
        },
    }
)
class DueGrid(serializers.ListField):
    """[node][period], each as `DueSerializer` has it or null."""


class MatrixTreeSerializer(serializers.Serializer):
    """Which tree."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class MatrixPeriodSerializer(serializers.Serializer):
    """A period; `end` is exclusive."""

    id = serializers.UUIDField()
    start = serializers.DateField()
    end = serializers.DateField()
    label = serializers.CharField()
    state = serializers.ChoiceField(PeriodState.choices)


class MatrixMemberSerializer(serializers.Serializer):
    """A member of the dimension; the whole company has neither id nor code."""

    id = serializers.IntegerField(allow_null=True)
    code = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    parent = serializers.CharField(allow_null=True, help_text="The code of the parent.")


class MatrixNodeSerializer(serializers.Serializer):
    """A node, and how fresh what it reads is."""

    id = serializers.UUIDField()
    code = serializers.CharField()
    name = serializers.CharField()
    level = serializers.ChoiceField(Level.choices)
    unit = serializers.ChoiceField(Unit.choices, allow_null=True)
    direction = serializers.ChoiceField(Direction.choices, allow_null=True)
    metric_version = serializers.IntegerField(allow_null=True)
    as_of = serializers.DateTimeField(allow_null=True)
    stale = serializers.BooleanField()


class MatrixCellsSerializer(serializers.Serializer):
    """Arrays of one shape: [node][member][period]."""

    value = _grid(serializers.FloatField(allow_null=True))
    numerator = _grid(serializers.FloatField(allow_null=True))
    denominator = _grid(serializers.FloatField(allow_null=True))
    target = _grid(serializers.FloatField(allow_null=True))
    upper = _grid(serializers.FloatField(allow_null=True))
    achievement = _grid(serializers.FloatField(allow_null=True))
    status = _grid(serializers.ChoiceField([each.value for each in Status]))
    absence = _grid(serializers.ChoiceField([each.value for each in Absence], allow_null=True))


class CountedSerializer(serializers.Serializer):
    """What the absence of a cell comes from, counted; its indexes in `cells`.

    Of one that is too_few its cases, of a gross profit that is missing the records without a cost.
    """

    node = serializers.IntegerField()
    member = serializers.IntegerField()
    period = serializers.IntegerField()
    cases = serializers.FloatField()


class MatrixSerializer(serializers.Serializer):
    """The matrix."""

    tree = MatrixTreeSerializer()
    grain = serializers.ChoiceField(Grain.choices)
    currency = serializers.CharField()
    generated_at = serializers.DateTimeField()
    periods = MatrixPeriodSerializer(many=True)
    members = MatrixMemberSerializer(many=True)
    nodes = MatrixNodeSerializer(many=True)
    cells = MatrixCellsSerializer()
    too_few = CountedSerializer(many=True)
    without_cost = CountedSerializer(many=True)
    due = DueGrid(
        help_text=_(
            "[node][period]: how much of a running period's sum is due by now; null where the whole target is."
        ),
    )
