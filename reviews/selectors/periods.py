"""Names of periods as the reader's language and the company's calendar have them."""

import datetime
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Q

from kpis.models import Period
from kpis.selectors.calendar import period_namer
from reviews.models import Miss

PeriodKey = tuple[str, datetime.date]


def period_labels(keys: Iterable[PeriodKey]) -> Mapping[PeriodKey, str]:
    """(grain, start) → name."""
    wanted = set(keys)
    condition = Q(pk__in=[])
    for grain in {grain for grain, _start in wanted}:
        condition |= Q(grain=grain, start_date__in=[start for of, start in wanted if of == grain])
    periods = list(Period.objects.filter(condition).select_related("fiscal_year"))
    if not periods:
        return {}
    name = period_namer()
    return {(period.grain, period.start_date): name(period) for period in periods}


def with_period_labels(misses: Sequence[Miss]) -> Sequence[Miss]:
    """Give each miss its `period_label`, for pages."""
    labels = period_labels((miss.grain, miss.period_start) for miss in misses)
    for miss in misses:
        miss.period_label = labels.get((miss.grain, miss.period_start), str(miss.period_start))
    return misses
