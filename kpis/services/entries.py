"""Values of manual metrics, typed by people."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from kpis.choices import Grain, PeriodState
from kpis.engine import specs
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import DimensionMember, ManualEntry, Metric, MetricVersion, Period
from kpis.services.calendar import ensure_calendar
from kpis.services.changed_values import announce_changed_values
from kpis.services.refusal import RefusedError


class EntryError(RefusedError):
    """A value that cannot be entered."""

    code = "invalid_entry"


class EntryChangedError(EntryError):
    """Somebody else has typed here in the meantime."""

    code = "entry_changed"


@dataclass(frozen=True, slots=True)
class ValueEntry:
    """The value of a manual metric for one month or week, of the company or of one member of a dimension.

    Without a value, `absence` is the code of why there is none, and the note says it in words.
    """

    metric: Metric
    period_start: date
    value: Decimal | None = None
    grain: str = "month"
    dimension: str = "company"
    member: DimensionMember | None = None
    absence: str = ""
    note: str = ""

    @property
    def place(self) -> dict[str, Any]:
        """The fields by which there is one row."""
        return {
            "metric": self.metric,
            "grain": self.grain,
            "period_start": self.period_start,
            "dimension": self.dimension,
            "member": self.member,
        }


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

    `is_first`: the actor saw an empty cell, so a value that somebody else has typed since then stays
    (EntryChangedError).
    """
    entry = ValueEntry(metric, period_start, value, grain, dimension, member, absence, note)
    with transaction.atomic():
        if is_first:
            _lock_entries([metric])
            found = ManualEntry.objects.filter(**entry.place).select_related("entered_by").first()
            if found is not None:
                raise _changed(found)
        return enter_values(entries=[entry], actor=actor, now=now)[0]


def enter_values(*, entries: Sequence[ValueEntry], actor: Any, now: datetime) -> tuple[ManualEntry, ...]:
    """Store several values in place of earlier ones, all or none. Raises EntryError."""
    if not entries:
        return ()
    starts = [entry.period_start for entry in entries]
    ensure_calendar(first_day=min(starts), last_day=max(starts))
    with transaction.atomic():
        _lock_entries({entry.metric for entry in entries})
        _refuse(entries)
        rows = tuple(_write(entry, actor, now) for entry in entries)
        announce_changed_values()
    return rows


def _write(entry: ValueEntry, actor: Any, now: datetime) -> ManualEntry:
    """One at a time: what is written together leaves no trace of what stood there before."""
    said = {"value": entry.value, "absence": entry.absence, "note": entry.note.strip()}
    row, _is_new = ManualEntry.objects.update_or_create(
        **entry.place, defaults={**said, "entered_by": actor, "entered_at": now}
    )
    return row


def withdraw_value(*, entry: ManualEntry, seen_at: datetime | None = None, actor: Any, now: datetime) -> None:
    """Take back what was typed, so that the cell is open again. Raises EntryError.

    `seen_at` is when the value was typed that the actor takes back; another one typed since then stays.
    """
    state = (
        Period.objects.filter(grain=entry.grain, start_date=entry.period_start).values_list("state", flat=True).first()
    )
    _check_period(entry.grain, entry.period_start, state)
    with transaction.atomic():
        _lock_entries([entry.metric])
        found = ManualEntry.objects.filter(pk=entry.pk).select_related("entered_by").first()
        if found is None:
            return
        if seen_at is not None and found.entered_at != seen_at:
            raise _changed(found)
        found.delete()
        announce_changed_values()


def _refuse(entries: Sequence[ValueEntry]) -> None:
    """Raises EntryError for the first value that cannot be entered."""
    periods = Period.objects.filter(start_date__in={entry.period_start for entry in entries})
    states = {(period.grain, period.start_date): period.state for period in periods}
    versions = MetricVersion.objects.filter(metric__in={entry.metric.pk for entry in entries})
    typed = {
        metric
        for metric, spec in versions.values_list("metric_id", "spec")
        if isinstance(specs.parse_spec(spec), specs.Manual)
    }
    for entry in entries:
        _check_period(entry.grain, entry.period_start, states.get((entry.grain, entry.period_start)))
        if entry.metric.pk not in typed:
            raise EntryError(
                gettext_noop("%(metric)s is computed from data. Correct the data instead."), metric=entry.metric.name
            )
        if (entry.dimension == "company") != (entry.member is None):
            fault = gettext_noop("A value is for the company without a member, or for one member of a dimension.")
            raise EntryError(fault)
        _check_said(entry.value, entry.absence, entry.note)


def _check_period(grain: str, start: date, state: str | None) -> None:
    if state is None:
        raise EntryError(
            gettext_noop("%(date)s is not the start of a %(grain)s. Choose one that is."),
            date=start,
            grain=Grain(grain).label,
        )
    if state == PeriodState.CLOSED:
        raise EntryError(
            gettext_noop("The period from %(date)s is closed. Reopen it with a reason to change its value."), date=start
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


def _lock_entries(metrics: Iterable[Metric]) -> None:
    """One change of a metric's typed values at a time; of several metrics always in the same order."""
    with connection.cursor() as cursor:
        for pk in sorted({metric.pk for metric in metrics}):
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema() || ':entries:' || %s))", [pk])


def _changed(entry: ManualEntry) -> EntryChangedError:
    return EntryChangedError(
        gettext_noop(
            "%(person)s has typed here in the meantime. Nothing was changed; look at it and correct it there."
        ),
        person=entry.entered_by or _("A system"),
    )
