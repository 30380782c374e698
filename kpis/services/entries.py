"""Values of manual metrics, typed by people."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from kpis.choices import Grain, PeriodState
from kpis.engine import specs
from kpis.engine.issues import gettext_noop
from kpis.models import DimensionMember, ManualEntry, Metric, Period
from kpis.services.calendar import ensure_calendar
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit


class EntryError(RefusedError):
    """A value that cannot be entered."""

    code = "invalid_entry"


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
    ensure_calendar(first_day=period_start, last_day=period_start)
    period = Period.objects.filter(grain=grain, start_date=period_start).first()
    if period is None:
        raise EntryError(
            gettext_noop("%(date)s is not the start of a %(grain)s. Choose one that is."),
            date=period_start,
            grain=Grain(grain).label,
        )
    if period.state == PeriodState.CLOSED:
        raise EntryError(
            gettext_noop("The period from %(date)s is closed. Reopen it with a reason to change its value."),
            date=period_start,
        )
    if not any(
        isinstance(specs.parse_spec(data), specs.Manual) for data in metric.versions.values_list("spec", flat=True)
    ):
        raise EntryError(
            gettext_noop("%(metric)s is computed from data. Correct the data instead."), metric=metric.name
        )
    if (dimension == "company") != (member is None):
        raise EntryError(gettext_noop("A value is for the company without a member, or for one member of a dimension."))
    with transaction.atomic():
        entry, _ = ManualEntry.objects.update_or_create(
            metric=metric,
            grain=grain,
            period_start=period_start,
            dimension=dimension,
            member=member,
            defaults={"value": value, "note": note, "entered_by": actor, "entered_at": now},
        )
        emit(topic="values.changed", company_id=current_company().pk)
    return entry
