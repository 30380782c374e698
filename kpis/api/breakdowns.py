"""A metric by two dimensions, for JSON."""

from collections.abc import Callable, Sequence
from typing import Any

from rest_framework import serializers

from kpis.api.fields import Numbers
from kpis.api.matrices import MatrixPeriodSerializer, period_data
from kpis.choices import Grain
from kpis.engine.values import Absence, Value
from kpis.models import Period
from kpis.selectors.breakdown import Breakdown, BreakdownQuery


class BreakdownCellsSerializer(serializers.Serializer):
    """Two members, by the order of `by`, and their cells by period."""

    members = serializers.ListField(child=serializers.CharField(), help_text="The codes.")
    names = serializers.ListField(child=serializers.CharField())
    value = serializers.ListField(child=serializers.FloatField(allow_null=True))
    numerator = serializers.ListField(child=serializers.FloatField(allow_null=True))
    denominator = serializers.ListField(child=serializers.FloatField(allow_null=True))
    absence = serializers.ListField(child=serializers.ChoiceField([each.value for each in Absence], allow_null=True))


class BreakdownSerializer(serializers.Serializer):
    """Pairs without any record in the asked time are left out."""

    metric = serializers.CharField()
    by = serializers.ListField(child=serializers.CharField())
    grain = serializers.ChoiceField(Grain.choices)
    periods = MatrixPeriodSerializer(many=True)
    cells = BreakdownCellsSerializer(many=True)


def breakdown_data(query: BreakdownQuery, found: Breakdown, name_of: Callable[[Period], str]) -> dict[str, Any]:
    """Plain data for JSON; a value that is null has a code in `absence`."""
    nothing: list[None] = [None] * len(found.pairs)
    grids: dict[str, list[Sequence[Value | None]]] = {
        "value": [column.value for column in found.columns],
        "numerator": [column.numerator or nothing for column in found.columns],
        "denominator": [column.denominator or nothing for column in found.columns],
    }
    cells: list[dict[str, Any]] = [
        {"members": [first.code, second.code], "names": [first.name, second.name]} for first, second in found.pairs
    ]
    numbers, absences = Numbers(), _Absences()
    for name, columns in grids.items():
        for cell, line in zip(cells, zip(*columns, strict=True), strict=True):
            cell[name] = numbers.line(line)
            if name == "value":
                cell["absence"] = list(map(absences.__getitem__, line))
    return {
        "metric": query.metric.code,
        "by": list(query.dimensions),
        "grain": query.grain,
        "periods": [period_data(period, name_of) for period in found.periods],
        "cells": cells,
    }


class _Absences(dict[Value | None, Absence | None]):
    """What stands for each value in the list of absences."""

    def __missing__(self, value: Value | None) -> Absence | None:
        self[value] = found = value if isinstance(value, Absence) else None
        return found
