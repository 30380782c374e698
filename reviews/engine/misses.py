"""Which misses a 速報 or 確定 period opens, confirms or withdraws. Pure: cells in, intents out."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

MISSED = "missed"


class Segment(NamedTuple):
    """Whose number it is: a node, for the whole company (no member) or for one member of a dimension."""

    node_id: int
    dimension: str
    member_id: int | None


@dataclass(frozen=True)
class Cell:
    """A segment's numbers in the period at hand; `is_money` where a shortfall can be named in the company's money."""

    segment: Segment
    status: str
    value: Decimal | None
    target: Decimal | None
    numerator: Decimal | None = None
    denominator: Decimal | None = None
    achievement: Decimal | None = None
    is_money: bool = False

    @property
    def amount_at_stake(self) -> Decimal | None:
        """The shortfall in money; None where the number is no money."""
        if not self.is_money or self.value is None or self.target is None:
            return None
        return abs(self.target - self.value)


@dataclass(frozen=True)
class Recorded:
    """A miss of this period as it is stored."""

    id: int
    value: Decimal
    target: Decimal
    is_confirmed: bool
    is_withdrawn: bool


class Change(StrEnum):
    """What happens to a miss."""

    OPEN = "open"
    REFRESH = "refresh"
    WITHDRAW = "withdraw"


@dataclass(frozen=True)
class Intent:
    """One thing to do: `cell` is the news for OPEN and REFRESH, `miss_id` the stored one for REFRESH and WITHDRAW."""

    change: Change
    segment: Segment
    cell: Cell | None = None
    miss_id: int | None = None


def decide_misses(cells: Iterable[Cell], recorded: Mapping[Segment, Recorded], *, confirmed: bool) -> list[Intent]:
    """What a period that became 速報 (or 確定: `confirmed`) does to the misses stored for it.

    A missed cell opens a miss, or brings a stored one up to date; a stored miss that is not missed any more is
    withdrawn. Deciding twice on the same numbers gives nothing the second time.

    >>> segment = Segment(1, "company", None)
    >>> cell = Cell(segment, "missed", Decimal(80), Decimal(100))
    >>> [intent.change.value for intent in decide_misses([cell], {}, confirmed=False)]
    ['open']
    >>> stored = Recorded(7, Decimal(80), Decimal(100), is_confirmed=False, is_withdrawn=False)
    >>> decide_misses([cell], {segment: stored}, confirmed=False)
    []
    >>> [intent.change.value for intent in decide_misses([cell], {segment: stored}, confirmed=True)]
    ['refresh']
    """
    missed = {cell.segment: cell for cell in cells if _is_missed(cell)}
    intents = []
    for segment, cell in missed.items():
        stored = recorded.get(segment)
        if stored is None:
            intents.append(Intent(Change.OPEN, segment, cell=cell))
        elif not _is_up_to_date(stored, cell, confirmed=confirmed):
            intents.append(Intent(Change.REFRESH, segment, cell=cell, miss_id=stored.id))
    for segment, stored in recorded.items():
        if segment not in missed and not stored.is_withdrawn:
            intents.append(Intent(Change.WITHDRAW, segment, miss_id=stored.id))
    return intents


def _is_missed(cell: Cell) -> bool:
    return cell.status == MISSED and cell.value is not None and cell.target is not None


def _is_up_to_date(stored: Recorded, cell: Cell, *, confirmed: bool) -> bool:
    return (
        not stored.is_withdrawn
        and stored.value == cell.value
        and stored.target == cell.target
        and (stored.is_confirmed or not confirmed)
    )


def is_asked(*, period_start: datetime.date, start_date: datetime.date | None) -> bool:
    """A response is asked for from the company's start on; older misses are recorded only.

    >>> is_asked(period_start=datetime.date(2026, 4, 1), start_date=datetime.date(2026, 10, 1))
    False
    >>> is_asked(period_start=datetime.date(2026, 4, 1), start_date=None)
    True
    """
    return start_date is None or period_start >= start_date


def first_of_case(misses: Mapping[int, int]) -> dict[int, int | None]:
    """Which miss began the case of each: `misses` maps the place of a period in the calendar to the miss there.

    Misses in consecutive periods are one case; its first one has no other before it (None).

    >>> first_of_case({4: 40, 5: 50, 6: 60, 9: 90})
    {40: None, 50: 40, 60: 40, 90: None}
    """
    found: dict[int, int | None] = {}
    first = 0
    for place in sorted(misses):
        if place - 1 in misses:
            found[misses[place]] = first
        else:
            first = misses[place]
            found[first] = None
    return found
