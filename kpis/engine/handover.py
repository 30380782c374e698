"""The handover from marketing to sales: how long sales took to answer, and what became of what was handed over."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from statistics import median

_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Office:
    """When the company answers: from `opens` to `closes` on its business days, in company time."""

    is_business_day: Callable[[date], bool]
    opens: time = time(9)
    closes: time = time(18)

    def hours(self, start: datetime, end: datetime) -> Decimal:
        """Office hours from one moment to a later one (company time, without zone), in hundredths; never below 0.

        >>> office = Office(lambda day: day.weekday() < 5)
        >>> office.hours(datetime(2026, 11, 13, 17), datetime(2026, 11, 16, 10, 30))  # Friday to Monday
        Decimal('2.50')
        >>> office.hours(datetime(2026, 11, 14, 10), datetime(2026, 11, 14, 12))  # a Saturday
        Decimal('0.00')
        """
        spent, day = timedelta(), start.date()
        while day <= end.date():
            if self.is_business_day(day):
                begin = max(start, datetime.combine(day, self.opens))
                stop = min(end, datetime.combine(day, self.closes))
                spent += max(stop - begin, timedelta())
            day += timedelta(days=1)
        return (Decimal(spent // timedelta(seconds=1)) / 3600).quantize(_HUNDREDTH)

    def days(self, start: date, end: date) -> int:
        """Business days after a day up to another; 0 on the same day.

        >>> Office(lambda day: day.weekday() < 5).days(date(2026, 11, 13), date(2026, 11, 17))
        2
        """
        return sum(self.is_business_day(start + timedelta(days=n)) for n in range(1, (end - start).days + 1))


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened: the day, and the time (company time, without zone) where the source says it."""

    day: date
    at: datetime | None = None

    def is_before(self, other: "Moment") -> bool:
        """Whether it surely came before another; of one day only where both times are known."""
        if self.day != other.day or self.at is None or other.at is None:
            return self.day < other.day
        return self.at < other.at


@dataclass(frozen=True, slots=True)
class Response:
    """How long it took: business days; office hours, at least and at most. Equal where both times are known."""

    days: int
    least: Decimal
    most: Decimal

    @property
    def hours(self) -> Decimal | None:
        """The exact office hours; None where a time is not known."""
        return self.least if self.least == self.most else None

    def is_within(self, hours: Decimal) -> bool | None:
        """Whether it took no longer than agreed; None where the times are not known well enough to say.

        >>> Response(1, Decimal(2), Decimal(9)).is_within(Decimal(9)), Response(1, Decimal(2), Decimal(9)).is_within(
        ...     Decimal(1)), Response(1, Decimal(2), Decimal(9)).is_within(Decimal(4))
        (True, False, None)
        """
        if self.most <= hours:
            return True
        return False if self.least > hours else None


def measure_response(handed: Moment, contacted: Moment, office: Office) -> Response:
    """From the handover to a contact on the same day or later.

    Where a source gives only the day, it may have been at any time of the office's day.

    >>> office = Office(lambda day: day.weekday() < 5)
    >>> measure_response(Moment(date(2026, 11, 13)), Moment(date(2026, 11, 16)), office)
    Response(days=1, least=Decimal('0.00'), most=Decimal('18.00'))
    """
    first = handed.at or datetime.combine(handed.day, office.opens)
    latest = handed.at or datetime.combine(handed.day, office.closes)
    early = contacted.at or datetime.combine(contacted.day, office.opens)
    late = contacted.at or datetime.combine(contacted.day, office.closes)
    return Response(office.days(handed.day, contacted.day), office.hours(latest, early), office.hours(first, late))


class Standing(StrEnum):
    """What became of a lead that was handed over."""

    ACCEPTED = "accepted"
    RETURNED = "returned"
    WAITING = "waiting"


def find_standing(*, handed: Moment, accepted: Moment | None, returned: Moment | None) -> Standing:
    """Whatever came last; `handed` is the latest handover. On one day acceptance outweighs the rest.

    >>> day = [Moment(date(2026, 11, n)) for n in range(1, 5)]
    >>> find_standing(handed=day[1], accepted=None, returned=day[2]).value
    'returned'
    >>> find_standing(handed=day[3], accepted=None, returned=day[2]).value  # handed over once more
    'waiting'
    >>> find_standing(handed=day[1], accepted=day[2], returned=day[3]).value  # sent back after all
    'returned'
    """
    last, standing = handed, Standing.WAITING
    for moment, then in ((returned, Standing.RETURNED), (accepted, Standing.ACCEPTED)):
        if moment is not None and not moment.is_before(last):
            last, standing = moment, then
    return standing


@dataclass(frozen=True, slots=True)
class Handed:
    """One lead handed over, as far as it counts.

    `is_contacted` None: no source delivers contacts. `is_in_time` None: not decided yet, or not known well enough.
    """

    standing: Standing
    is_contacted: bool | None
    hours: Decimal | None = None
    is_in_time: bool | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What several handovers come to; every rate has its numerator and denominator beside it, and may be None."""

    handed: int
    contacted: int
    known: int
    accepted: int
    returned: int
    waiting: int
    in_time: int
    judged: int
    median_hours: Decimal | None
    timed: int

    @property
    def contact_rate(self) -> Decimal | None:
        """接触カバー率: contacted ÷ handed over, where contacts are known."""
        return _share(self.contacted, self.known)

    @property
    def acceptance_rate(self) -> Decimal | None:
        """Accepted ÷ accepted or returned; what waits is not decided yet."""
        return _share(self.accepted, self.accepted + self.returned)

    @property
    def in_time_rate(self) -> Decimal | None:
        """期限内対応率: in time ÷ those of which it can be said."""
        return _share(self.in_time, self.judged)


def summarise(rows: Collection[Handed]) -> Summary:
    """Counts and the median response of those whose times are known.

    >>> rows = [Handed(Standing.ACCEPTED, True, Decimal(2), True), Handed(Standing.WAITING, False, None, False),
    ...         Handed(Standing.RETURNED, True)]
    >>> found = summarise(rows)
    >>> found.handed, found.contact_rate.quantize(Decimal("0.01")), found.acceptance_rate, found.in_time_rate
    (3, Decimal('0.67'), Decimal('0.5'), Decimal('0.5'))
    >>> summarise([]).in_time_rate is None
    True
    """
    hours = [each.hours for each in rows if each.hours is not None]
    standings = [each.standing for each in rows]
    return Summary(
        handed=len(rows),
        contacted=sum(each.is_contacted is True for each in rows),
        known=sum(each.is_contacted is not None for each in rows),
        accepted=standings.count(Standing.ACCEPTED),
        returned=standings.count(Standing.RETURNED),
        waiting=standings.count(Standing.WAITING),
        in_time=sum(each.is_in_time is True for each in rows),
        judged=sum(each.is_in_time is not None for each in rows),
        median_hours=median(hours) if hours else None,
        timed=len(hours),
    )


def _share(part: int, whole: int) -> Decimal | None:
    return Decimal(part) / whole if whole else None
