"""Meeting series, and the next meeting that each active one always has."""

import datetime
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from kpis.engine.issues import gettext_noop
from reviews.choices import MeetingStatus
from reviews.engine.schedule import next_date
from reviews.models import AgendaItem, Meeting, MeetingSeries
from reviews.selectors.calendar import days_off
from reviews.selectors.meetings import rhythm_of
from reviews.services.agenda import rebuild_agenda
from reviews.services.errors import ReviewError, WrongStateError
from tenants.context import current_company
from tenants.outbox.services import emit

HORIZON = datetime.timedelta(days=100)
RHYTHM_FIELDS = ("interval", "weekday", "week_of_month", "starts_at")
SERIES_FIELDS = frozenset({"name", "is_active", *RHYTHM_FIELDS})


@transaction.atomic
def save_series(*, series: MeetingSeries | None = None, now: datetime.datetime, **fields: Any) -> MeetingSeries:
    """Create or change a series. A new rhythm moves the planned meeting; an inactive series plans none.

    Emits meeting.planned. Raises ReviewError for a name that is taken.
    """
    if unknown := fields.keys() - SERIES_FIELDS:
        raise TypeError(f"Not a field of a meeting series: {', '.join(sorted(unknown))}")
    series = MeetingSeries.objects.select_for_update().get(pk=series.pk) if series else MeetingSeries()
    name = str(fields.get("name", series.name)).strip()
    if MeetingSeries.objects.filter(name=name).exclude(pk=series.pk).exists():
        raise ReviewError(
            gettext_noop("There is already a meeting series of this name. Choose another name."), field="name"
        )
    is_moved = any(field in fields and fields[field] != getattr(series, field) for field in RHYTHM_FIELDS)
    for field, value in {**fields, "name": name}.items():
        setattr(series, field, value)
    series.save()
    if not series.is_active:
        without_carried = ~models.Exists(AgendaItem.objects.carried().filter(meeting=models.OuterRef("pk")))
        series.meetings.filter(without_carried, status=MeetingStatus.PLANNED).delete()
        _tell_of(series)
        return series
    meeting = ensure_next_meeting(series=series, now=now)
    if is_moved:
        meeting.scheduled_at = _next_time(series, after=now)
        meeting.save(update_fields=["scheduled_at"])
    rebuild_agenda(meeting=meeting)
    _tell_of(series)
    return series


@transaction.atomic
def ensure_next_meeting(*, series: MeetingSeries, now: datetime.datetime) -> Meeting:
    """The planned meeting of a series, made if there is none: the next date of its rhythm after `now`.

    Emits meeting.planned when it is made.
    """
    MeetingSeries.objects.select_for_update().get(pk=series.pk)
    planned = series.meetings.filter(status=MeetingStatus.PLANNED).order_by("scheduled_at").first()
    if planned is not None:
        return planned
    latest = series.meetings.order_by("-scheduled_at").first()
    after = max(now, latest.scheduled_at) if latest else now
    meeting, created = Meeting.objects.get_or_create(series=series, scheduled_at=_next_time(series, after=after))
    if created:
        rebuild_agenda(meeting=meeting)
        _tell_of(series)
    return meeting


@transaction.atomic
def reschedule_meeting(*, meeting: Meeting, scheduled_at: datetime.datetime) -> Meeting:
    """Move a planned meeting. Emits meeting.planned. Raises WrongStateError once it was opened."""
    if meeting.series.meetings.filter(scheduled_at=scheduled_at).exclude(pk=meeting.pk).exists():
        raise ReviewError(gettext_noop("The series has another meeting at this time."), field="scheduled_at")
    planned = Meeting.objects.filter(pk=meeting.pk, status=MeetingStatus.PLANNED)
    if not planned.update(scheduled_at=scheduled_at):
        raise WrongStateError(gettext_noop("This meeting has been opened; its date cannot be changed any more."))
    meeting.refresh_from_db()
    rebuild_agenda(meeting=meeting)
    _tell_of(meeting.series)
    return meeting


@transaction.atomic
def plan_meeting(*, series: MeetingSeries, scheduled_at: datetime.datetime) -> Meeting:
    """An extra meeting of a series. Emits meeting.planned."""
    meeting, created = Meeting.objects.get_or_create(series=series, scheduled_at=scheduled_at)
    if not created:
        raise ReviewError(gettext_noop("The series has another meeting at this time."), field="scheduled_at")
    rebuild_agenda(meeting=meeting)
    _tell_of(series)
    return meeting


def _tell_of(series: MeetingSeries) -> None:
    """The series' planned meetings are others than before; one event per series, so that repeats are merged."""
    emit(topic="meeting.planned", company_id=current_company().id, object_id=series.pk)


def _next_time(series: MeetingSeries, *, after: datetime.datetime) -> datetime.datetime:
    local = timezone.localtime(after)
    day_before = local.date() - datetime.timedelta(days=1)
    holidays = days_off(start_date=day_before, end_date=day_before + HORIZON)
    day = next_date(rhythm_of(series), after=day_before, holidays=holidays)
    if datetime.datetime.combine(day, series.starts_at) <= local.replace(tzinfo=None):
        day = next_date(rhythm_of(series), after=day, holidays=holidays)
    return timezone.make_aware(datetime.datetime.combine(day, series.starts_at))
