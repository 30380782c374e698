"""Recording what a period missed, and how it was answered."""

import datetime
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from kpis.engine.issues import gettext_noop
from kpis.models import Period
from reviews.choices import DecisionKind, MissStatus
from reviews.engine.misses import Cell, Change, Recorded, Segment, decide_misses, first_of_case, is_asked
from reviews.models import Miss
from reviews.selectors.numbers import missable_cells
from reviews.services.agenda import rebuild_planned_agendas
from reviews.services.errors import AlreadyAnsweredError, ReasonRequiredError, ReviewError
from tenants.accounts.models import User
from tenants.context import current_company
from tenants.outbox.services import emit
from tenants.settings.models import CompanySettings


@dataclass(frozen=True)
class RecordedMisses:
    """What recording did: misses opened, brought up to date, withdrawn."""

    opened_count: int = 0
    refreshed_count: int = 0
    withdrawn_count: int = 0


@transaction.atomic
def record_misses(*, period: Period, now: datetime.datetime, only_new: bool = False) -> RecordedMisses:
    """Open, confirm or withdraw the misses of a 速報 or 確定 period; on an open period nothing happens.

    With `only_new` those that are recorded keep the numbers of their moment.

    A number whose sources were not read since the period ended misses nothing yet: the matrix judges it like one that
    still runs. A period that a person has closed does not wait.

    Works on the official targets of every tree in force, for the company and for each segment that has a target of
    its own. Running it again changes nothing. Emits miss.opened for each new miss that asks for a response.
    """
    period = Period.objects.select_for_update().get(pk=period.pk)
    if period.state == "open":
        return RecordedMisses()
    confirmed = period.state == "closed"
    stored = {_segment(miss): miss for miss in Miss.objects.filter(grain=period.grain, period_start=period.start_date)}
    recorded = {
        segment: Recorded(
            id=miss.pk,
            value=miss.value,
            target=miss.target,
            is_confirmed=miss.confirmed_at is not None,
            is_withdrawn=miss.withdrawn_at is not None,
        )
        for segment, miss in stored.items()
    }
    cells = missable_cells(period, now=now)
    intents = [
        intent
        for intent in decide_misses(cells, recorded, confirmed=confirmed)
        if intent.change is Change.OPEN or not only_new
    ]
    asked = is_asked(period_start=period.start_date, start_date=_start_date())
    counts = dict.fromkeys(Change, 0)
    for intent in intents:
        counts[intent.change] += 1
        if intent.change is Change.WITHDRAW:
            Miss.objects.filter(pk=stored[intent.segment].pk).update(withdrawn_at=now)
        elif intent.change is Change.REFRESH and intent.cell is not None:
            _refresh(stored[intent.segment], intent.cell, confirmed=confirmed, now=now)
        elif intent.cell is not None:
            _open(intent.cell, period, asked=asked, confirmed=confirmed, now=now)
    if intents:
        _link_cases(period.grain, {intent.segment for intent in intents})
        rebuild_planned_agendas()
    return RecordedMisses(counts[Change.OPEN], counts[Change.REFRESH], counts[Change.WITHDRAW])


@transaction.atomic
def answer_miss(*, miss: Miss, end: str, reason: str = "", actor: User | None, now: datetime.datetime) -> Miss:
    """End a miss, and with it the older unanswered misses of the same case.

    Raises AlreadyAnsweredError, ReasonRequiredError (accepted without a reason), ReviewError (an improvement action
    that nobody logged).
    """
    reason = reason.strip()
    if end == DecisionKind.ACCEPTED and not reason:
        raise ReasonRequiredError(
            gettext_noop("“Accepted, no action” needs a reason, so that it can be understood later."), field="reason"
        )
    if end == DecisionKind.IMPROVEMENT_ACTION and not miss.actions.exists():
        raise ReviewError(
            gettext_noop("No improvement action has been logged for this miss. Log one first."), field="end"
        )
    answer = {
        "status": MissStatus.ANSWERED,
        "end": end,
        "end_reason": reason,
        "answered_by": actor,
        "answered_at": now,
    }
    if not Miss.objects.filter(pk=miss.pk, status=MissStatus.OPEN).update(**answer):
        raise AlreadyAnsweredError(
            gettext_noop("This miss has been answered already. Reload the page to see the answer.")
        )
    first = miss.case or miss
    older = Miss.objects.filter(case=first) | Miss.objects.filter(pk=first.pk)
    older.filter(status=MissStatus.OPEN, period_start__lt=miss.period_start).update(**answer)
    miss.refresh_from_db()
    rebuild_planned_agendas()
    return miss


def _open(cell: Cell, period: Period, *, asked: bool, confirmed: bool, now: datetime.datetime) -> None:
    miss = Miss.objects.create(
        node_id=cell.segment.node_id,
        dimension=cell.segment.dimension,
        member_id=cell.segment.member_id,
        grain=period.grain,
        period_start=period.start_date,
        asked=asked,
        opened_at=now,
        confirmed_at=now if confirmed else None,
        provisional_value=None if confirmed else cell.value,
        **_numbers(cell),
    )
    if asked:
        emit(topic="miss.opened", company_id=current_company().id, object_id=miss.pk)


def _refresh(miss: Miss, cell: Cell, *, confirmed: bool, now: datetime.datetime) -> None:
    changes: dict[str, Any] = {**_numbers(cell), "withdrawn_at": None}
    if confirmed:
        changes["confirmed_at"] = now
    else:
        changes["provisional_value"] = cell.value
    Miss.objects.filter(pk=miss.pk).update(**changes)


def _numbers(cell: Cell) -> dict[str, Any]:
    return {
        "target": cell.target,
        "value": cell.value,
        "numerator": cell.numerator,
        "denominator": cell.denominator,
        "achievement": cell.achievement,
        "amount_at_stake": cell.amount_at_stake,
    }


def _link_cases(grain: str, segments: Collection[Segment]) -> None:
    """Join the consecutive misses of these segments into cases, in whichever order their periods were recorded."""
    places = Period.objects.filter(grain=grain).order_by("start_date").values_list("start_date", flat=True)
    place = {start: index for index, start in enumerate(places)}
    rows: dict[Segment, list[Miss]] = defaultdict(list)
    misses = Miss.objects.standing().filter(grain=grain, node__in={segment.node_id for segment in segments})
    for miss in misses.order_by("period_start"):
        rows[_segment(miss)].append(miss)
    changed = []
    for segment in segments:
        first_of = first_of_case({place.get(miss.period_start, -1): miss.pk for miss in rows[segment]})
        for miss in rows[segment]:
            if miss.case_id != first_of[miss.pk]:
                miss.case_id = first_of[miss.pk]
                changed.append(miss)
    Miss.objects.bulk_update(changed, ["case"])


def _segment(miss: Miss) -> Segment:
    return Segment(miss.node_id, miss.dimension, miss.member_id)


def _start_date() -> datetime.date | None:
    return CompanySettings.objects.values_list("start_date", flat=True).first()
