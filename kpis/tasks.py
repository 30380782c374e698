"""Work of the KPI floor that the clock or an event asks for."""

from datetime import datetime, time, timedelta

from celery import shared_task
from django.utils import timezone

from kpis.services.calendar import ensure_calendar
from kpis.services.comparing import compare_closed_periods, note_to_compare
from kpis.services.fitness import check_kpis
from kpis.services.periods import advance_periods
from kpis.services.recompute import recompute
from kpis.services.reminders import send_reminders
from kpis.services.shown_changes import fold_changes
from kpis.services.snapshots import take_snapshots
from tenants.registry import ProvisionRequest
from tenants.services.due import schedule_due
from tenants.tasks import CompanyTask

DUE_PERIODS = "periods"
DUE_FITNESS = "fitness"
DUE_SNAPSHOTS = "snapshots"
DUE_INPUTS = "inputs"
DUE_FOLDING = "folding"
BEFORE_WORK = time(8, 30)  # when people are reminded of values that they type
END_OF_WORK = time(23)  # what a day brought is in by then; a snapshot is of the day on which it is taken
CALENDAR_AHEAD = timedelta(days=365)
FOLDING_EVERY = timedelta(hours=1)


@shared_task(base=CompanyTask)
def recompute_values(*, company_id: str, object_id: str = "") -> None:
    """Bring events and blocks up to what changed; does nothing when somebody else already has."""
    recompute(now=timezone.now())


@shared_task(base=CompanyTask)
def move_periods(*, company_id: str, object_id: str = "") -> None:
    """Make provisional what is due, keep the calendar a year ahead, have what is closed compared, and come again after
    midnight."""
    now = timezone.now()
    today = timezone.localdate(now)
    ensure_calendar(first_day=today, last_day=today + CALENDAR_AHEAD)
    advance_periods(now=now)
    note_to_compare(None)  # also what no recompute touches: a formula, the day on which something is read
    schedule_due(company_id=company_id, kind=DUE_PERIODS, next_run_at=_after_midnight(now))


@shared_task(base=CompanyTask)
def compare_periods(*, company_id: str, object_id: str = "") -> None:
    """Compare the closed periods in which something was computed again; does nothing when somebody else already has."""
    compare_closed_periods(now=timezone.now())


@shared_task(base=CompanyTask)
def check_fitness(*, company_id: str, object_id: str = "") -> None:
    """Note what is open about every KPI, and come again after midnight."""
    now = timezone.now()
    check_kpis(now=now)
    schedule_due(company_id=company_id, kind=DUE_FITNESS, next_run_at=_after_midnight(now))


@shared_task(base=CompanyTask)
def note_snapshots(*, company_id: str, object_id: str = "") -> None:
    """Write down what the day ends with, and come again tomorrow evening."""
    now = timezone.now()
    recompute(now=now)
    take_snapshots(now=now)
    schedule_due(company_id=company_id, kind=DUE_SNAPSHOTS, next_run_at=_next(END_OF_WORK, now))


@shared_task(base=CompanyTask)
def remind_of_inputs(*, company_id: str, object_id: str = "") -> None:
    """Remind who still has to type a value, and come again tomorrow morning."""
    now = timezone.now()
    send_reminders(now=now)
    schedule_due(company_id=company_id, kind=DUE_INPUTS, next_run_at=_next(BEFORE_WORK, now))


@shared_task(base=CompanyTask)
def fold_shown_changes(*, company_id: str, object_id: str = "") -> None:
    """Add up the changes of what is shown, and come again in an hour."""
    fold_changes()
    schedule_due(company_id=company_id, kind=DUE_FOLDING, next_run_at=timezone.now() + FOLDING_EVERY)


def seed_folding_clock(request: ProvisionRequest) -> None:
    """Let a new company's changes of what is shown be added up from the first hour on."""
    schedule_due(company_id=request.company.pk, kind=DUE_FOLDING, next_run_at=request.now + FOLDING_EVERY)


def seed_input_clock(request: ProvisionRequest) -> None:
    """Let the people of a new company be reminded, from the next morning on."""
    schedule_due(company_id=request.company.pk, kind=DUE_INPUTS, next_run_at=_next(BEFORE_WORK, request.now))


def seed_snapshot_clock(request: ProvisionRequest) -> None:
    """Let a new company's days be written down, from this evening on."""
    schedule_due(company_id=request.company.pk, kind=DUE_SNAPSHOTS, next_run_at=_next(END_OF_WORK, request.now))


def seed_clock(request: ProvisionRequest) -> None:
    """Let a new company's periods move, and its KPIs be checked every night, from now on."""
    for kind in (DUE_PERIODS, DUE_FITNESS):
        schedule_due(company_id=request.company.pk, kind=kind, next_run_at=request.now)


def _after_midnight(now: datetime) -> datetime:
    tomorrow = timezone.localdate(now) + timedelta(days=1)
    return timezone.make_aware(datetime.combine(tomorrow, time(0, 5)))


def _next(hour: time, now: datetime) -> datetime:
    """The next moment of an hour of the day that is still to come."""
    today = timezone.make_aware(datetime.combine(timezone.localdate(now), hour))
    return today if today > now else today + timedelta(days=1)
