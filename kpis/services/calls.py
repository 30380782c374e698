"""The manager's call: what somebody says about where a period will end. Every call stays."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from kpis.choices import Grain, PeriodState
from kpis.engine.issues import gettext_noop
from kpis.models import DimensionMember, ForecastCall, KpiNode, Period
from kpis.services.calendar import ensure_calendar
from kpis.services.refusal import RefusedError
from tenants.context import current_company
from tenants.outbox.services import emit


class CallError(RefusedError):
    """A call that cannot be made."""

    code = "invalid_call"


def make_call(
    *,
    node: KpiNode,
    period_start: date,
    value: Decimal,
    grain: str = Grain.MONTH,
    dimension: str = "company",
    member: DimensionMember | None = None,
    note: str = "",
    actor: Any,
    now: datetime,
) -> ForecastCall:
    """Note where somebody sees the period ending; earlier calls stay as they were. Raises CallError.

    `value` is in the unit of the node's metric. A period that is over has its result and takes no call.
    """
    if node.metric is None:
        raise CallError(gettext_noop("%(node)s measures nothing. Make the call on a KPI below."), node=node.code)
    if (dimension == "company") != (member is None):
        raise CallError(gettext_noop("A call is for the company without a member, or for one member of a dimension."))
    ensure_calendar(first_day=period_start, last_day=period_start)
    period = Period.objects.filter(grain=grain, start_date=period_start).first()
    if period is None:
        raise CallError(
            gettext_noop("%(date)s is not the start of a %(grain)s. Choose one that is."),
            date=period_start,
            grain=Grain(grain).label,
        )
    if period.state != PeriodState.OPEN or period.end_date <= timezone.localdate(now):
        raise CallError(
            gettext_noop("The period from %(date)s is over. Make the call for one that still runs."), date=period_start
        )
    with transaction.atomic():
        call = ForecastCall.objects.create(
            node=node,
            grain=grain,
            period_start=period_start,
            dimension=dimension,
            member=member,
            value=value,
            note=note.strip(),
            actor=actor,
            at=now,
        )
        emit(topic="values.changed", company_id=current_company().pk)
    return call
