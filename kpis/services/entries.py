"""Values of manual metrics, typed by people or taken from what they keep elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from kpis.choices import Grain, PeriodState
from kpis.engine import specs
from kpis.engine.issues import gettext_noop
from kpis.models import DimensionMember, ManualEntry, Metric, MetricVersion, Period
from kpis.services.calendar import ensure_calendar
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit


class EntryError(RefusedError):
    """A value that cannot be entered."""

    code = "invalid_entry"


@dataclass(frozen=True, slots=True)
class ValueEntry:
    """The value of a manual metric for one month or week, of the company or of one member of a dimension."""

    metric: Metric
    period_start: date
    value: Decimal
    grain: str = "month"
    dimension: str = "company"
    member: DimensionMember | None = None
    note: str = ""


def enter_value(
    *,
    metric: Metric,
    period_start: date,
    value: Decimal,
    grain: str = "month",
    dimension: str = "company",
    member: DimensionMember | None = None,
    note: str = "",
    actor: Any,
    now: datetime,
) -> ManualEntry:
    """Store the value of a manual metric for one month or week, in place of an earlier one. Raises EntryError."""
    entry = ValueEntry(metric, period_start, value, grain, dimension, member, note)
    return enter_values(entries=[entry], actor=actor, now=now)[0]


def enter_values(*, entries: Sequence[ValueEntry], actor: Any, now: datetime) -> tuple[ManualEntry, ...]:
    """Store several values in place of earlier ones, all or none, in a fixed number of queries. Raises EntryError."""
    if not entries:
        return ()
    starts = [entry.period_start for entry in entries]
    ensure_calendar(first_day=min(starts), last_day=max(starts))
    with transaction.atomic():
        _refuse(entries)
        rows = ManualEntry.objects.bulk_create(
            [
                ManualEntry(
                    metric=entry.metric,
                    grain=entry.grain,
                    period_start=entry.period_start,
                    dimension=entry.dimension,
                    member=entry.member,
                    value=entry.value,
                    note=entry.note,
                    entered_by=actor,
                    entered_at=now,
                )
                for entry in entries
            ],
            update_conflicts=True,
            unique_fields=["metric", "grain", "period_start", "dimension", "member"],
            update_fields=["value", "note", "entered_by", "entered_at"],
            batch_size=1000,
        )
        emit(topic="values.changed", company_id=current_company().pk)
    return tuple(rows)


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
        _refuse_one(entry, states.get((entry.grain, entry.period_start)), is_typed=entry.metric.pk in typed)


def _refuse_one(entry: ValueEntry, state: str | None, *, is_typed: bool) -> None:
    if state is None:
        raise EntryError(
            gettext_noop("%(date)s is not the start of a %(grain)s. Choose one that is."),
            date=entry.period_start,
            grain=Grain(entry.grain).label,
        )
    if state == PeriodState.CLOSED:
        raise EntryError(
            gettext_noop("The period from %(date)s is closed. Reopen it with a reason to change its value."),
            date=entry.period_start,
        )
    if not is_typed:
        raise EntryError(
            gettext_noop("%(metric)s is computed from data. Correct the data instead."), metric=entry.metric.name
        )
    if (entry.dimension == "company") != (entry.member is None):
        raise EntryError(gettext_noop("A value is for the company without a member, or for one member of a dimension."))
