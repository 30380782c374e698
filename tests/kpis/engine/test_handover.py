"""Office hours and standings of leads handed over: what must hold whatever the moments are."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.handover import Moment, Office, measure_response
from kpis.engine.joining import find_scans

OFFICE = Office(lambda day: day.weekday() < 5)
# A hundredth of an hour is 36 seconds, so that nothing is rounded.
moments = st.integers(0, 100 * 24 * 21).map(lambda n: datetime.fromisoformat("2026-11-01T00:00") + 36 * n * SECOND)
SECOND = timedelta(seconds=1)


@given(st.tuples(moments, moments, moments).map(sorted))
def test_hours_of_two_stretches_are_those_of_the_whole(of: list[datetime]) -> None:
    start, between, end = of
    assert OFFICE.hours(start, end) == OFFICE.hours(start, between) + OFFICE.hours(between, end)


@given(st.tuples(moments, moments).map(sorted))
def test_what_is_known_by_the_day_holds_what_the_times_would_say(of: list[datetime]) -> None:
    handed, contacted = of
    times = Moment(handed.date(), handed), Moment(contacted.date(), contacted)
    exact = measure_response(*times, OFFICE)
    days = measure_response(Moment(handed.date()), Moment(contacted.date()), OFFICE)
    assert days.least <= exact.least == exact.most <= days.most
    assert days.days == exact.days


@given(st.lists(st.integers(0, 120), max_size=30), st.integers(1, 5), st.integers(1, 30))
def test_a_scan_is_told_by_what_is_near_alone(minutes: list[int], count: int, stretch: int) -> None:
    begin = datetime.fromisoformat("2026-11-01T09:00")
    arrivals = [(n, begin + timedelta(minutes=each)) for n, each in enumerate(minutes)]
    found = find_scans(arrivals, count=count, minutes=stretch)
    for lead, at in arrivals:
        near = [each for each in arrivals if abs(each[1] - at) <= timedelta(minutes=stretch)]
        assert (lead in found) == (lead in find_scans(near, count=count, minutes=stretch))


def test_an_office_that_is_closed_measures_nothing() -> None:
    closed = Office(lambda _day: False)
    assert closed.hours(datetime.fromisoformat("2026-11-02T09:00"), datetime.fromisoformat("2026-11-09T09:00")) == 0
    assert measure_response(Moment(date(2026, 11, 2)), Moment(date(2026, 11, 9)), closed).is_within(Decimal(1))
