"""Values of manual metrics, typed by people."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from kpis.choices import Grain, PeriodState
from kpis.engine import specs
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import DimensionMember, ManualEntry, Metric, Period
from kpis.services.calendar import ensure_calendar
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit


class EntryError(RefusedError):
    """A value that cannot be entered."""

    code = "invalid_entry"


class EntryChangedError(EntryError):
    """Somebody else has typed here in the meantime."""

    code = "entry_changed"


def enter_value(
    *,
    metric: Metric,
    period_start: date,
    value: Decimal | None = None,
    grain: str = "month",
    dimension: str = "company",
    member: DimensionMember | None = None,
    absence: str = "",
    note: str = "",
    actor: Any,
    now: datetime,
    is_first: bool = False,
) -> ManualEntry:
    """Store the value of a manual metric for one month or week, in place of an earlier one. Raises EntryError.

    Without a value, `absence` is the code of why there is none, and the note says it in words. `is_first`: the actor
    saw an empty cell, so a value that somebody else has typed since then stays (EntryChangedError).
    """
    _check_period(grain, period_start)
    _check_metric(metric)
    if (dimension == "company") != (member is None):
        raise EntryError(gettext_noop("A value is for the company without a member, or for one member of a dimension."))
    _check_said(value, absence, note)
    place: dict[str, Any] = {
        "metric": metric,
        "grain": grain,
        "period_start": period_start,
        "dimension": dimension,
        "member": member,
    }
    with transaction.atomic():
        _lock_entries(metric)
        found = ManualEntry.objects.filter(**place).select_related("entered_by").first() if is_first else None
        if found is not None:
            raise _changed(found)
        said: dict[str, Any] = {"value": value, "absence": absence, "note": note.strip()}
        entry, _is_new = ManualEntry.objects.update_or_create(
            **place, defaults={**said, "entered_by": actor, "entered_at": now}
        )
        emit(topic="values.changed", company_id=current_company().pk)
    return entry


def withdraw_value(*, entry: ManualEntry, seen_at: datetime | None = None, actor: Any, now: datetime) -> None:
    """Take back what was typed, so that the cell is open again. Raises EntryError.

    `seen_at` is when the value was typed that the actor takes back; another one typed since then stays.
    """
    _check_period(entry.grain, entry.period_start)
    with transaction.atomic():
        _lock_entries(entry.metric)
        found = ManualEntry.objects.filter(pk=entry.pk).select_related("entered_by").first()
        if found is None:
            return
        if seen_at is not None and found.entered_at != seen_at:
            raise _changed(found)
        found.delete()
        emit(topic="values.changed", company_id=current_company().pk)


def _check_period(grain: str, start: date) -> None:
    ensure_calendar(first_day=start, last_day=start)
    period = Period.objects.filter(grain=grain, start_date=start).first()
    if period is None:
        raise EntryError(
            gettext_noop("%(date)s is not the start of a %(grain)s. Choose one that is."),
            date=start,
            grain=Grain(grain).label,
        )
    if period.state == PeriodState.CLOSED:
        raise EntryError(
            gettext_noop("The period from %(date)s is closed. Reopen it with a reason to change its value."), date=start
        )


def _check_metric(metric: Metric) -> None:
    if not any(
        isinstance(specs.parse_spec(data), specs.Manual) for data in metric.versions.values_list("spec", flat=True)
    ):
        raise EntryError(
            gettext_noop("%(metric)s is computed from data. Correct the data instead."), metric=metric.name
        )


def _check_said(value: Decimal | None, absence: str, note: str) -> None:
    """Either a value, or the reason why there is none."""
    if value is None and not absence:
        fault = gettext_noop("Write a value, or say why there is none.")
        raise EntryError(issues=[Issue("value", "required", fault)])
    if value is not None and absence:
        fault = gettext_noop("There is a value and a reason why there is none. Leave one of the two out.")
        raise EntryError(issues=[Issue("absence", "invalid", fault)])
    if absence and not note.strip():
        fault = gettext_noop("Write why there is no value: who reads the number will ask.")
        raise EntryError(issues=[Issue("note", "required", fault)])


def _lock_entries(metric: Metric) -> None:
    """One change of a metric's typed values at a time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':entries:' || %s))", [metric.pk])


def _changed(entry: ManualEntry) -> EntryChangedError:
    return EntryChangedError(
        gettext_noop(
            "%(person)s has typed here in the meantime. Nothing was changed; look at it and correct it there."
        ),
        person=entry.entered_by or _("A system"),
    )
