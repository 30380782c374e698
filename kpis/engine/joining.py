"""Decisions that join marketing and sales: which lead a deal came from, which leads are one, which are a pile of cards.

Everything is decided from the facts alone, never from the order in which they arrived.
"""

from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta

# What may say that a deal came from a lead, the surest first.
LINK_RULES = ("converted", "external_id", "email", "domain")
BY_PERSON = "person"
LONGEST_SCAN = 60  # minutes
USUAL_DAYS, FAR_ABOVE = 28, 5
"""On so many days on either side of one is looked for what is usual, and a pile is more than so many times that."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a deal came from and which rule says so; no lead where the rule finds several (`candidates`)."""

    rule: str
    lead: int | None
    candidates: tuple[int, ...] = ()


def decide_link(
    found: Mapping[str, Collection[int]], *, order: Sequence[str], refused: AbstractSet[int] = frozenset()
) -> Link | None:
    """The first rule in the order that finds a lead decides; None where none does.

    Several leads are no link: it is never guessed, and a weaker rule does not overrule a stronger one. `refused` are
    leads that a person took off this deal.

    >>> decide_link({"email": [7], "domain": [7, 9]}, order=LINK_RULES)
    Link(rule='email', lead=7, candidates=())
    >>> decide_link({"email": [7], "domain": [7, 9]}, order=LINK_RULES, refused={7})
    Link(rule='domain', lead=9, candidates=())
    >>> decide_link({"domain": [9, 7]}, order=LINK_RULES)
    Link(rule='domain', lead=None, candidates=(7, 9))
    >>> decide_link({"domain": [9]}, order=("converted", "email"))
    """
    for rule in order:
        leads = tuple(sorted(set(found.get(rule, ())) - refused))
        if leads:
            return Link(rule, leads[0]) if len(leads) == 1 else Link(rule, None, leads)
    return None


@dataclass(frozen=True, slots=True)
class Kin:
    """One of several leads with the same e-mail address. `is_held`: it is kept out of the count as a card scan."""

    lead: int
    created_on: date | None
    is_held: bool = False


def choose_first(kin: Collection[Kin]) -> int:
    """Which of them stays in the count: the earliest, and one that is counted before one that is held.

    >>> choose_first([Kin(3, date(2026, 4, 2)), Kin(2, date(2026, 4, 2)), Kin(1, date(2026, 4, 1), is_held=True)])
    2
    """
    return min(kin, key=lambda each: (each.is_held, each.created_on or date.max, each.lead)).lead


def find_scans(arrivals: Collection[tuple[int, datetime]], *, count: int, minutes: int) -> frozenset[int]:
    """The leads (id, created at) that stand among at least `count` within some stretch of `minutes`.

    Whether a lead is one of them depends only on those within `minutes` of it. A count of 0 finds none.

    >>> noon = datetime(2026, 4, 1, 12)
    >>> pile = [(n, noon + timedelta(minutes=n)) for n in range(3)]
    >>> sorted(find_scans([*pile, (9, noon + timedelta(minutes=30))], count=3, minutes=10))
    [0, 1, 2]
    >>> find_scans(pile, count=4, minutes=10)
    frozenset()
    """
    if count < 1:
        return frozenset()
    ordered = sorted(arrivals, key=lambda each: (each[1], each[0]))
    stretch, first = timedelta(minutes=minutes), 0
    found: set[int] = set()
    for last, (_lead, at) in enumerate(ordered):
        while at - ordered[first][1] > stretch:
            first += 1
        if last - first + 1 >= count:
            found.update(lead for lead, _at in ordered[first : last + 1])
    return frozenset(found)


def find_scan_days(counts: Mapping[date, int], *, count: int) -> frozenset[date]:
    """The days on which leads of one lead source came in a pile, where nothing tells the time: day → how many came.

    At least `count` came, and more than FAR_ABOVE times what usually came on a day (days without any included), in the
    four weeks before and in the four weeks after. A count of 0 finds none.

    >>> fair, first = date(2026, 11, 4), date(2026, 9, 1)
    >>> sorted(find_scan_days({fair: 60, fair + timedelta(1): 80, fair - timedelta(9): 3}, count=20))
    [datetime.date(2026, 11, 4), datetime.date(2026, 11, 5)]
    >>> find_scan_days({first + timedelta(n): 30 for n in range(60)}, count=20)
    frozenset()
    """
    if count < 1:
        return frozenset()
    return frozenset(day for day, leads in counts.items() if leads >= count and leads > FAR_ABOVE * _usual(counts, day))


def _usual(counts: Mapping[date, int], day: date) -> float:
    """How many came on a day: the larger average of the four weeks on either side."""
    sides = ((sign * n for n in range(1, USUAL_DAYS + 1)) for sign in (-1, 1))
    return max(sum(counts.get(day + timedelta(days=n), 0) for n in side) for side in sides) / USUAL_DAYS


def piles(arrivals: Collection[tuple[int, datetime]], *, minutes: int) -> tuple[tuple[int, ...], ...]:
    """Scanned leads (id, created at) as the piles they were: a longer pause than `minutes` begins the next one.

    >>> noon = datetime(2026, 4, 1, 12)
    >>> piles([(1, noon), (3, noon + timedelta(hours=2)), (2, noon + timedelta(minutes=5))], minutes=10)
    ((1, 2), (3,))
    """
    made: list[list[int]] = []
    before: datetime | None = None
    for lead, at in sorted(arrivals, key=lambda each: (each[1], each[0])):
        if before is None or at - before > timedelta(minutes=minutes):
            made.append([])
        made[-1].append(lead)
        before = at
    return tuple(tuple(each) for each in made)
