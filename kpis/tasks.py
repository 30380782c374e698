"""Work of the KPI floor that the clock or an event asks for."""

from datetime import datetime, time, timedelta

from celery import shared_task
from django.utils import timezone

from kpis.services.calendar import ensure_calendar
from kpis.services.fitness import check_kpis
from kpis.services.periods import advance_periods
from kpis.services.recompute import recompute
from tenants.registry import ProvisionRequest
from tenants.services.due import schedule_due
from tenants.tasks import CompanyTask

DUE_PERIODS = "periods"
DUE_FITNESS = "fitness"
CALENDAR_AHEAD = timedelta(days=365)


@shared_task(base=CompanyTask)
def recompute_values(*, company_id: str, object_id: str = "") -> None:
    """Bring events and blocks up to what changed; does nothing when somebody else already has."""
    recompute(now=timezone.now())


@shared_task(base=CompanyTask)
def move_periods(*, company_id: str, object_id: str = "") -> None:
    """Make provisional what is due, keep the calendar a year ahead, and come again after midnight."""
    now = timezone.now()
    today = timezone.localdate(now)
    ensure_calendar(first_day=today, last_day=today + CALENDAR_AHEAD)
    advance_periods(now=now)
    schedule_due(company_id=company_id, kind=DUE_PERIODS, next_run_at=_after_midnight(now))


@shared_task(base=CompanyTask)
def check_fitness(*, company_id: str, object_id: str = "") -> None:
    """Note what is open about every KPI, and come again after midnight."""
    now = timezone.now()
    check_kpis(now=now)
    schedule_due(company_id=company_id, kind=DUE_FITNESS, next_run_at=_after_midnight(now))


def seed_clock(request: ProvisionRequest) -> None:
    """Let a new company's periods move, and its KPIs be checked every night, from now on."""
    for kind in (DUE_PERIODS, DUE_FITNESS):
        schedule_due(company_id=request.company.pk, kind=kind, next_run_at=request.now)


def _after_midnight(now: datetime) -> datetime:
    tomorrow = timezone.localdate(now) + timedelta(days=1)
    return timezone.make_aware(datetime.combine(tomorrow, time(0, 5)))
