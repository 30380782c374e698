"""Targets from above against those from below, level by level: short, over, or held by nobody (未配賦)."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class GapVerdict(StrEnum):
    """What a comparison says."""

    EVEN = "even"
    SHORT = "short"
    OVER = "over"
    UNASSIGNED = "unassigned"


@dataclass(frozen=True, slots=True)
class Part:
    """One target below; None where none is set. `is_unassigned`: nobody works for it, or who did has left."""

    value: Decimal | None
    is_unassigned: bool = False


@dataclass(frozen=True, slots=True)
class LevelGap:
    """A target from above, what named parts below have taken on, and what lies below but on nobody.

    >>> level_gap(Decimal(100), [Part(Decimal(60)), Part(Decimal(30), is_unassigned=True)]).verdict
    <GapVerdict.SHORT: 'short'>
    """

    top_down: Decimal
    taken_on: Decimal
    unassigned: Decimal = ZERO

    @property
    def missing(self) -> Decimal:
        """What is not even written down below (negative: more is written there than was asked)."""
        return self.top_down - self.taken_on - self.unassigned

    @property
    def verdict(self) -> GapVerdict:
        """The sum below first; where it agrees, whether somebody works for all of it."""
        if self.missing:
            return GapVerdict.SHORT if self.missing > 0 else GapVerdict.OVER
        return GapVerdict.UNASSIGNED if self.unassigned else GapVerdict.EVEN

    @property
    def size(self) -> Decimal:
        """The amount that the verdict is about, never negative; 0 where all agrees."""
        return abs(self.missing) if self.missing else abs(self.unassigned)


def level_gap(top: Decimal | None, parts: Iterable[Part]) -> LevelGap | None:
    """A target against the parts of one level; None where there is no target above, or not one below.

    A part without a target counts nothing: what it was not asked for is missing.

    >>> level_gap(Decimal(100), [Part(Decimal(100))]).verdict
    <GapVerdict.EVEN: 'even'>
    >>> level_gap(Decimal(100), [Part(None)]) is None
    True
    """
    given = [part for part in parts if part.value is not None]
    if top is None or not given:
        return None
    taken_on = sum((part.value or ZERO for part in given if not part.is_unassigned), ZERO)
    unassigned = sum((part.value or ZERO for part in given if part.is_unassigned), ZERO)
    return LevelGap(top, taken_on, unassigned)


def total_gap(gaps: Iterable[LevelGap | None]) -> LevelGap | None:
    """Several periods as one; periods that cannot be compared are left out, None where none can.

    >>> total_gap([LevelGap(Decimal(10), Decimal(8)), None, LevelGap(Decimal(10), Decimal(12))]).verdict
    <GapVerdict.EVEN: 'even'>
    """
    known = [gap for gap in gaps if gap is not None]
    if not known:
        return None
    return LevelGap(
        sum((gap.top_down for gap in known), ZERO),
        sum((gap.taken_on for gap in known), ZERO),
        sum((gap.unassigned for gap in known), ZERO),
    )
