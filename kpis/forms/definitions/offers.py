"""What is offered of itself: from when a definition may hold, and a code for a new metric."""

from datetime import date, timedelta

from django.utils.text import slugify
from django.utils.translation import gettext as _

from kpis.choices import Grain
from kpis.models import Metric, Period
from kpis.selectors.calendar import period_namer

FIRST = "first"  # from the beginning
MONTHS_AROUND = timedelta(days=400)


def starts(metric: Metric | None, today: date) -> list[tuple[str, str]]:
    """From when a definition may hold: in place of one that is there, or from a month around today on."""
    months = Period.objects.filter(
        grain=Grain.MONTH, start_date__gt=today - MONTHS_AROUND, start_date__lt=today + MONTHS_AROUND
    )
    named = period_namer()
    labels = {
        period.start_date.isoformat(): _("From %(month)s on") % {"month": named(period)}
        for period in months.select_related("fiscal_year").order_by("start_date")
    }
    if metric is None:
        return [(FIRST, _("From the beginning")), *labels.items()]
    versions = metric.versions.order_by("number")
    kept = {
        version.effective_from.isoformat() if version.effective_from else FIRST: version.number for version in versions
    }
    replaced = [
        (
            day,
            _("In place of version %(number)s (%(since)s)")
            % {
                "number": number,
                "since": _("from the beginning") if day == FIRST else day,
            },
        )
        for day, number in kept.items()
    ]
    return [*(pair for pair in labels.items() if pair[0] not in kept), *replaced]


def free_code(name: str) -> str:
    """A code for a new metric: its name in letters where it has some, else a number."""
    base = slugify(name).replace("-", "_").strip("_")[:50]
    base = base if base[:1].isalpha() else "metric"
    taken = set(Metric.objects.filter(code__startswith=base).values_list("code", flat=True))
    return next(code for code in (base, *(f"{base}_{n}" for n in range(2, len(taken) + 3))) if code not in taken)
