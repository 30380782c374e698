"""What each segment did to the change of a number since the period before: by its weight, and by itself."""

from collections.abc import Mapping
from decimal import Decimal

from django.utils import timezone

from kpis.choices import Accumulation
from kpis.engine.mix import Part, SegmentEffect, rate_effects, total_effects
from kpis.selectors.matrix import KpiMatrix

ZERO = Decimal(0)


def segment_effects(matrix: KpiMatrix) -> Mapping[str | None, SegmentEffect]:
    """Member's code → its effect between the last two periods of a matrix of all members of a dimension.

    The first node is explained. A rate by its numerator and denominator; a sum by the cases that the second node
    counts, once its period is over. Only the highest members count, or a whole would be added to its parts. Empty where
    there is nothing to compare.
    """
    if len(matrix.periods) < 2 or not matrix.nodes:
        return {}
    before, now = _parts(matrix, -2), _parts(matrix, -1)
    metric = matrix.nodes[0].row.metric
    is_sum = metric is not None and metric.accumulation == Accumulation.SUM
    if is_sum and matrix.periods[-1].end > timezone.localdate(matrix.generated_at):
        return {}
    return {each.code or None: each for each in (total_effects if is_sum else rate_effects)(before, now)}


def _parts(matrix: KpiMatrix, period: int) -> dict[str, Part]:
    """The parts that are told; a member without cases has none."""
    codes = {member.code for member in matrix.members}
    metric = matrix.nodes[0].row.metric
    is_sum = metric is not None and metric.accumulation == Accumulation.SUM
    if is_sum and len(matrix.nodes) < 2:
        return {}
    found = {}
    for m, member in enumerate(matrix.members):
        result = (matrix.value if is_sum else matrix.numerator)[0][m][period]
        cases = matrix.value[1][m][period] if is_sum else matrix.denominator[0][m][period]
        if member.parent not in codes and result is not None and cases:
            found[member.code or ""] = Part(result, cases)
    return found
