"""What each segment did to a number: to its gap to the target where segments are aimed at, else to its change."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from django.utils import timezone

from kpis.choices import Accumulation, Direction
from kpis.engine.mix import Part, SegmentEffect, gap_effects, rate_effects, total_effects
from kpis.selectors.matrix import KpiMatrix

ZERO, ONE = Decimal(0), Decimal(1)


class Against(StrEnum):
    """What a number is held against."""

    TARGET = "target"
    PREVIOUS_PERIOD = "previous_period"


@dataclass(frozen=True, slots=True)
class SegmentEffects:
    """Member's code → what it did (None = unassigned has its own code); with `rest` they add up to `difference`.

    Against the target `difference` is the company's value − target, and `rest` what no segment answers for: targets
    that are not shared out or do not add up to the company's, and members without one.
    """

    against: Against
    difference: Decimal
    by_member: Mapping[str | None, SegmentEffect]
    rest: Decimal
    is_sum: bool

    @property
    def has_mix(self) -> bool:
        """Whether mix and rate are told apart; of a sum's gap to the target there is only the difference."""
        return not (self.is_sum and self.against is Against.TARGET)


def segment_effects(matrix: KpiMatrix, whole: KpiMatrix, *, to_date: bool) -> SegmentEffects | None:
    """The effects in the last period of a matrix of all members of a dimension; `whole` is the same of the company.

    The first node is explained; the second, where there is one, counts the cases behind it. Against the target where
    the highest members have one in that period, else against the period before. Only the highest members count, or a
    whole would be added to its parts. None where there is nothing to compare.
    """
    if not matrix.periods or not matrix.nodes:
        return None
    return _against_target(matrix, whole, to_date=to_date) or _against_previous(matrix)


def _against_target(matrix: KpiMatrix, whole: KpiMatrix, *, to_date: bool) -> SegmentEffects | None:
    metric = matrix.nodes[0].row.metric
    if metric is None or metric.direction == Direction.RANGE or not whole.periods:
        return None
    value, target = whole.value[0][0][-1], whole.target[0][0][-1]
    aimed = [m for m in _highest(matrix) if matrix.target[0][m][-1] is not None]
    if value is None or target is None or not aimed:
        return None
    due = whole.due[0][-1] if to_date else None
    share = due.share if due else ONE
    is_sum = _is_sum(matrix)
    if is_sum:
        found = gap_effects({_code(matrix, m): _told(matrix, m, share) for m in aimed})
    else:
        planned, actual = _planned(matrix, aimed), _parts(matrix, -1, aimed)
        both = planned.keys() & actual.keys()
        found = rate_effects({c: planned[c] for c in planned if c in both}, {c: actual[c] for c in actual if c in both})
    if not found:
        return None
    gap = value - target * share
    rest = gap - sum((each.total for each in found), ZERO)
    return SegmentEffects(Against.TARGET, gap, {each.code or None: each for each in found}, rest, is_sum)


def _against_previous(matrix: KpiMatrix) -> SegmentEffects | None:
    """A rate by its numerator and denominator; a sum by its cases, once its period is over."""
    is_sum = _is_sum(matrix)
    if len(matrix.periods) < 2 or (is_sum and matrix.periods[-1].end > timezone.localdate(matrix.generated_at)):
        return None
    highest = _highest(matrix)
    found = (total_effects if is_sum else rate_effects)(_parts(matrix, -2, highest), _parts(matrix, -1, highest))
    if not found:
        return None
    difference = sum((each.total for each in found), ZERO)
    by_member = {each.code or None: each for each in found}
    return SegmentEffects(Against.PREVIOUS_PERIOD, difference, by_member, ZERO, is_sum)


def _is_sum(matrix: KpiMatrix) -> bool:
    metric = matrix.nodes[0].row.metric
    return metric is not None and metric.accumulation == Accumulation.SUM


def _highest(matrix: KpiMatrix) -> list[int]:
    codes = {member.code for member in matrix.members}
    return [m for m, member in enumerate(matrix.members) if member.parent not in codes]


def _code(matrix: KpiMatrix, m: int) -> str:
    return matrix.members[m].code or ""


def _told(matrix: KpiMatrix, m: int, share: Decimal) -> tuple[Decimal | None, Decimal]:
    """A member's value, and its target as far as it is due."""
    target = matrix.target[0][m][-1]
    assert target is not None
    return matrix.value[0][m][-1], target * share


def _planned(matrix: KpiMatrix, members: list[int]) -> dict[str, Part]:
    """What a rate was to be, of as many cases as were planned; where that is not planned, of those there are."""
    cases = [matrix.target[1][m][-1] if len(matrix.nodes) > 1 else None for m in members]
    if any(each is None for each in cases):
        cases = [matrix.denominator[0][m][-1] for m in members]
    found = {}
    for m, count in zip(members, cases, strict=True):
        rate = matrix.target[0][m][-1]
        if count and rate is not None:
            found[_code(matrix, m)] = Part(rate * count, count)
    return found


def _parts(matrix: KpiMatrix, period: int, members: list[int]) -> dict[str, Part]:
    """The parts that are told; a member without cases has none."""
    is_sum = _is_sum(matrix)
    if is_sum and len(matrix.nodes) < 2:
        return {}
    found = {}
    for m in members:
        result = (matrix.value if is_sum else matrix.numerator)[0][m][period]
        cases = matrix.value[1][m][period] if is_sum else matrix.denominator[0][m][period]
        if result is not None and cases:
            found[_code(matrix, m)] = Part(result, cases)
    return found
