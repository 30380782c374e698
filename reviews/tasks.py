"""What the review floor does when something happened below."""

from datetime import date, datetime, timedelta

from celery import shared_task
from django.utils import timezone

from kpis.choices import PeriodState
from kpis.models import Period
from kpis.services.recompute import recompute
from reviews.services.misses import record_misses
from tenants.tasks import CompanyTask

JUST_ENDED = timedelta(days=31)


@shared_task(base=CompanyTask)
def record_period_misses(*, company_id: str, object_id: str) -> None:
    """A period became 速報 or 確定: record what it missed. A period that was cut anew in between is left alone."""
    period = Period.objects.filter(pk=object_id).first()
    if period is not None:
        record_misses(period=period, now=timezone.now())


@shared_task(base=CompanyTask)
def record_late_misses(*, company_id: str, object_id: str = "") -> None:
    """Numbers, targets or a tree that came after a period had become 速報 may show misses that it has not recorded.

    Looks at the periods that have just ended; older ones are waiting to be closed, which records what they missed.
    """
    now = timezone.now()
    _record_new(ended_since=timezone.localdate(now) - JUST_ENDED, now=now)


@shared_task(base=CompanyTask)
def record_told_misses(*, company_id: str, object_id: str = "") -> None:
    """A source is there again (topic stream.read): the periods that waited for it may show what they missed.

    `object_id` is the day up to which it was known before. What it brought is computed first.
    """
    now = timezone.now()
    recompute(now=now)
    since = date.fromisoformat(object_id) if object_id else timezone.localdate(now) - JUST_ENDED
    _record_new(ended_since=since, now=now)


def _record_new(*, ended_since: date, now: datetime) -> None:
    for period in Period.objects.filter(state=PeriodState.PROVISIONAL, end_date__gt=ended_since):
        record_misses(period=period, now=now, only_new=True)
