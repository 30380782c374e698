"""The self-made agenda: what a meeting talks about, in which order."""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

ORDER = ("carried", "miss", "action", "kpi")


class Subject(NamedTuple):
    """What a point is about: a miss, an action or a node, by its row."""

    kind: str
    row_id: int


@dataclass(frozen=True)
class Point:
    """One point of the agenda. `achievement` and `due_on` order points without money at stake."""

    kind: str
    subject: Subject
    title: str
    amount_at_stake: Decimal | None = None
    achievement: Decimal | None = None
    due_on: datetime.date | None = None


def arrange(points: Iterable[Point]) -> list[Point]:
    """One point per subject, the most money at stake first, whatever kind of point it is.

    Without money: what was carried over, then misses, actions and KPIs; the furthest from its target first, then the
    earliest due. A subject that was carried over is not listed a second time.

    >>> small = Point("miss", Subject("miss", 1), "small", amount_at_stake=Decimal(5))
    >>> large = Point("miss", Subject("miss", 2), "large", amount_at_stake=Decimal(9))
    >>> again = Point("carried", Subject("miss", 1), "small", amount_at_stake=Decimal(5))
    >>> rate = Point("carried", Subject("miss", 3), "rate")
    >>> [(point.kind, point.title) for point in arrange([rate, small, large, again])]
    [('miss', 'large'), ('carried', 'small'), ('carried', 'rate')]
    """
    first_of: dict[Subject, Point] = {}
    for point in sorted(points, key=lambda point: ORDER.index(point.kind)):
        first_of.setdefault(point.subject, point)
    return sorted(first_of.values(), key=_rank)


def _rank(point: Point) -> tuple[bool, Decimal, int, bool, Decimal, datetime.date, int]:
    return (
        point.amount_at_stake is None,
        -(point.amount_at_stake or Decimal(0)),
        ORDER.index(point.kind),
        point.achievement is None,
        point.achievement or Decimal(0),
        point.due_on or datetime.date.max,
        point.subject.row_id,
    )
