"""On how many business days of a period somebody who joins or leaves is there, and what follows for a target."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from kpis.choices import Accumulation, Unit
from kpis.engine.proration import ProratedTarget, prorate_target
from kpis.models import CalendarDay, KpiNode, Period, Person, Target

HUNDREDTH = Decimal("0.01")
ONE = Decimal(1)


@dataclass(frozen=True)
class BusinessDays:
    """The company's business days over some periods, in order."""

    days: Sequence[date]

    @classmethod
    def load(cls, periods: Sequence[Period]) -> "BusinessDays":
        """One query; `periods` are in order."""
        if not periods:
            return cls(())
        days = CalendarDay.objects.filter(
            day__gte=periods[0].start_date, day__lt=max(row.end_date for row in periods), is_business_day=True
        )
        return cls(tuple(days.order_by("day").values_list("day", flat=True)))

    def count(self, period: Period, *, since: date = date.min, until: date = date.max) -> int:
        """The business days of a period in [since, until)."""
        start, end = max(period.start_date, since), min(period.end_date, until)
        return max(bisect_left(self.days, end) - bisect_left(self.days, start), 0)

    def worked(self, period: Period, person: Person) -> int:
        """The business days of a period on which a person is there."""
        until = person.left_on + timedelta(days=1) if person.left_on else date.max
        return self.count(period, since=person.hired_on or date.min, until=until)

    def prorate(self, target: Target, period: Period, person: Person, *, step: Decimal = ONE) -> ProratedTarget:
        """A target of a person as it is for the days on which that person is there. Load `node__metric` with it."""
        return prorate_target(
            target.node.metric.accumulation if target.node.metric else Accumulation.SUM,
            target.standing,
            target.proration,
            worked=self.worked(period, person),
            total=self.count(period),
            step=step,
        )


def smallest_step(node: KpiNode, currency: str) -> Decimal:
    """What a target of a node is rounded to where nobody says: a whole case, the smallest amount of the currency."""
    unit = node.metric.unit if node.metric else ""
    is_whole = unit == Unit.COUNT or (unit == Unit.AMOUNT and currency == "JPY")
    return ONE if is_whole else HUNDREDTH
