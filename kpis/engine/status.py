"""Achievement and status of a cell: pure functions of what the cell shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from kpis.engine.pace import Due, usual_share
from kpis.engine.values import Absence, Value

ON_TRACK_FROM = Decimal("0.95")
AT_RISK_FROM = Decimal("0.85")
DIFFERENCE, RATIO = "difference", "ratio"  # how achievement is counted where lower is better
ONE = Decimal(1)
ZERO = Decimal(0)


class Status(StrEnum):
    """An open period is on track, at risk or behind; a provisional or closed one met or missed; or no verdict."""

    ON_TRACK = "on_track"
    AT_RISK = "at_risk"
    BEHIND = "behind"
    MET = "met"
    MISSED = "missed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class StatusInput:
    """What a verdict needs.

    `elapsed` and `total` count the period's business days, `elapsed` up to and including today (0 before the period).
    `usual` is what the company's own curve says is there by now; without it the business days say so.
    """

    state: str
    accumulation: str
    direction: str
    actual: Value = Absence.MISSING
    target: Decimal | None = None
    upper: Decimal | None = None
    elapsed: int = 0
    total: int = 0
    usual: Due | None = None
    formula: str = DIFFERENCE


def achievement(
    actual: Value, target: Decimal | None, direction: str, upper: Decimal | None = None, formula: str = DIFFERENCE
) -> Decimal | None:
    """Achievement as a fraction, None where there is no value, no target, or (higher is better) a target of zero.

    Higher is better: actual ÷ target. Lower is better: 2 − actual ÷ target, not below 0; a target of zero is met by
    zero only. By the `formula` "ratio" it is target ÷ actual instead, as long as both are above 0 (DOMAIN §6). Range:
    1 inside, outside 1 − distance ÷ nearest bound, not below 0 (CONTRACT "Definitions"). Up and down are written as
    1 ± difference ÷ |target|, the same for positive targets and still in the right order for negative ones.

    >>> achievement(Decimal(90), Decimal(100), "up"), achievement(Decimal(90), Decimal(100), "down")
    (Decimal('0.9'), Decimal('1.1'))
    >>> achievement(Decimal(80), Decimal(100), "down", formula="ratio")
    Decimal('1.25')
    >>> achievement(Decimal(12), Decimal(5), "range", Decimal(10))
    Decimal('0.8')
    """
    if target is None or isinstance(actual, Absence):
        return None
    if direction == "range":
        return _range_achievement(actual, target, upper)
    if target == 0:
        if direction == "up":
            return None
        return ONE if actual <= 0 else ZERO
    if direction == "down" and formula == RATIO and actual > 0 and target > 0:
        return target / actual
    gain = (actual - target) / abs(target)
    return ONE + gain if direction == "up" else max(ONE - gain, ZERO)


def judge(cell: StatusInput) -> Status:
    """The first rule that applies decides (the default rules).

    Provisional and closed: met from an achievement of 1, else missed. Open: a sum is compared with the share of the
    target that is due by now (`due_now`), everything else with the target itself; on track from 0.95, at risk from
    0.85. No verdict without target or value, on the first business day, and while by the company's own curve hardly
    anything is there yet.

    >>> judge(StatusInput("open", "sum", "up", Decimal(46), Decimal(100), elapsed=10, total=20))
    <Status.AT_RISK: 'at_risk'>
    """
    return judge_column(cell, [compared_achievement(cell)])[0]


def judge_column(period: StatusInput, compared: Sequence[Decimal | None]) -> list[Status]:
    """The verdicts of many cells of one node and period, from the achievement that each is compared by."""
    if period.state != "open":
        return [Status.NONE if each is None else Status.MET if each >= ONE else Status.MISSED for each in compared]
    if is_too_early(period):
        return [Status.NONE] * len(compared)
    return [Status.NONE if each is None else _so_far(each) for each in compared]


def compared_achievement(cell: StatusInput) -> Decimal | None:
    """Achievement so far, against what the period asks for by now: the figure that `judge` reads.

    >>> compared_achievement(StatusInput("open", "sum", "up", Decimal(45), Decimal(100), elapsed=10, total=20))
    Decimal('0.9')
    """
    share = share_due(cell)
    target = None if cell.target is None else cell.target * share
    upper = None if cell.upper is None else cell.upper * share
    return achievement(cell.actual, target, cell.direction, upper, cell.formula)


def is_too_early(period: StatusInput) -> bool:
    """Whether an open period says nothing yet."""
    due = due_now(period)
    return period.state == "open" and (period.elapsed <= 1 or (due is not None and due.is_too_early))


def due_now(period: StatusInput) -> Due | None:
    """How much of the target is due by now of a sum in an open period; None where all of it is.

    The company's own curve where it has one, else the share of business days.

    >>> due_now(StatusInput("open", "sum", "up", elapsed=10, total=20)).share
    Decimal('0.5')
    """
    if period.state == "open" and period.accumulation == "sum" and period.total:
        return period.usual or usual_share(period.elapsed, period.total)
    return None


def share_due(period: StatusInput) -> Decimal:
    """The share of the target that is due by now."""
    due = due_now(period)
    return ONE if due is None else due.share


def _so_far(reached: Decimal) -> Status:
    if reached >= ON_TRACK_FROM:
        return Status.ON_TRACK
    return Status.AT_RISK if reached >= AT_RISK_FROM else Status.BEHIND


def _range_achievement(actual: Decimal, low: Decimal, high: Decimal | None) -> Decimal:
    if actual >= low and (high is None or actual <= high):
        return ONE
    bound = low if actual < low or high is None else high
    return ZERO if bound == 0 else max(ONE - abs(actual - bound) / abs(bound), ZERO)
