"""How far the sources of a fact have told: whether one is late, and up to which day nothing stored means none."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

# A delivery that is due is looked for within minutes and takes some to read; only what exceeds this is late.
GRACE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one source has delivered of one kind of fact.

    `covered_from` is the date of its earliest record, `read_on` the company's day of its last success (None = never).
    `is_promised`: it has a rhythm; what is pushed or uploaded without one promises nothing.
    """

    covered_from: date | None
    read_on: date | None
    is_promised: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """From and up to which day a fact is known; None where its sources never came."""

    covered_from: date | None = None
    known_until: date | None = None

    def tells_none(self, start: date, end: date, today: date) -> bool:
        """Whether no case in [start, end) means that there was none: a source told of it since it began.

        >>> told = Coverage(date(2026, 4, 1), date(2026, 9, 30))
        >>> october, november = date(2026, 10, 1), date(2026, 11, 1)
        >>> told.tells_none(date(2026, 9, 1), october, november), told.tells_none(october, november, november)
        (True, False)
        """
        if self.covered_from is None or self.known_until is None:
            return False
        return self.covered_from < end and start <= min(self.known_until, today)

    def is_whole(self, start: date, end: date) -> bool:
        """Whether every day of [start, end), which is over, is known."""
        if self.covered_from is None or self.known_until is None:
            return False
        return self.covered_from <= start and end <= self.known_until

    def is_read_since(self, end: date, today: date) -> bool:
        """Whether everything before `end` is known by `today`."""
        return self.known_until is not None and end <= min(self.known_until, today)


def is_late(
    last_success_at: datetime | None, expected_every: timedelta | None, *, now: datetime, intervals: int = 1
) -> bool:
    """Whether a source has missed as many of its intervals; one without a rhythm never is.

    >>> from datetime import UTC
    >>> read, hour = datetime(2026, 11, 25, 9, tzinfo=UTC), timedelta(hours=1)
    >>> is_late(read, hour, now=read + timedelta(minutes=70)), is_late(read, hour, now=read + timedelta(minutes=80))
    (False, True)
    >>> is_late(None, hour, now=read), is_late(None, None, now=read)
    (True, False)
    """
    if expected_every is None:
        return False
    until = in_time_until(last_success_at, expected_every, intervals=intervals)
    return until is None or now > until


def in_time_until(
    last_success_at: datetime | None, expected_every: timedelta | None, *, intervals: int = 1
) -> datetime | None:
    """The last moment at which a source is not late if it does not deliver until then.

    None where no moment changes anything: it has no rhythm and never is, or was never read and always is.

    >>> from datetime import UTC
    >>> in_time_until(datetime(2026, 11, 25, 9, tzinfo=UTC), timedelta(hours=1)).isoformat()
    '2026-11-25T10:15:00+00:00'
    >>> in_time_until(None, timedelta(hours=1)) is None, in_time_until(datetime(2026, 11, 25, 9), None) is None
    (True, True)
    """
    if last_success_at is None or expected_every is None:
        return None
    return last_success_at + intervals * expected_every + GRACE


def coverage(deliveries: Iterable[Delivery], beside: Iterable[Delivery] = ()) -> Coverage:
    """What all sources of a fact tell together; `beside` are those of facts without which it cannot be counted.

    Each one that has a rhythm must have been read: without one of them the others are not all there is. Where none
    has, the last delivery counts, whichever source it came from: a file that was loaded once owes nothing more.

    >>> april, june, july = date(2026, 4, 1), date(2026, 6, 30), date(2026, 7, 31)
    >>> coverage([Delivery(april, june, True), Delivery(april, july, True)]).known_until.isoformat()
    '2026-06-30'
    >>> coverage([Delivery(april, june, False), Delivery(april, july, True)]).known_until.isoformat()
    '2026-07-31'
    >>> coverage([Delivery(april, june, False), Delivery(april, july, False)]).known_until.isoformat()
    '2026-07-31'
    >>> coverage([Delivery(april, None, True), Delivery(april, july, True)]).known_until is None
    True
    """
    own = list(deliveries)
    begun = [each.covered_from for each in own if each.read_on and each.covered_from]
    return Coverage(min(begun, default=None), _known_until([*own, *beside]))


def _known_until(deliveries: Iterable[Delivery]) -> date | None:
    rows = list(deliveries)
    promised = [each.read_on for each in rows if each.is_promised]
    if promised:
        return None if None in promised else min(day for day in promised if day)
    return max((each.read_on for each in rows if each.read_on), default=None)
