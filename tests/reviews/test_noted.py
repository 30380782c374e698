"""The moments at which meetings wrote a number down, as the page of a KPI offers them."""

from decimal import Decimal
from typing import Any

from kpis.models import DimensionMember, KpiNode, Period
from kpis.selectors.details import Segment
from reviews.models import Meeting, Miss
from reviews.services.meetings import open_meeting
from tenants.registry import NotedNumber, noted_numbers
from tests.reviews.conftest import NOW, OCTOBER, SEPTEMBER, type_in


def noted(node: KpiNode, start: Any = OCTOBER, segment: Segment | None = None) -> list[NotedNumber]:
    period = Period.objects.get(grain="month", start_date=start)
    return noted_numbers(node=node, period=period, segment=segment or Segment(), language="en")


class TestNotedNumbers:
    def test_a_meeting_that_was_opened_has_noted_its_agenda(
        self, october_miss: Miss, bookings: KpiNode, next_meeting: Meeting
    ) -> None:
        assert noted(bookings) == []
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        type_in(bookings, "990000")
        (each,) = noted(bookings)
        assert (each.kind, each.at, each.value) == ("meeting", NOW, Decimal(800_000))

    def test_and_nothing_of_other_periods_or_people(
        self, october_miss: Miss, bookings: KpiNode, next_meeting: Meeting, organisation: Any
    ) -> None:
        open_meeting(meeting=next_meeting, actor=None, now=NOW)
        member = DimensionMember.objects.get(dimension__code="person", code="bob")
        assert noted(bookings, SEPTEMBER) == []
        assert noted(bookings, segment=Segment("person", member)) == []
