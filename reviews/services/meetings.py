"""Holding a meeting: open, decide, minutes, close."""

import datetime

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from kpis.engine.issues import gettext_noop
from kpis.models import KpiNode
from reviews.choices import AgendaKind, DecisionKind, MeetingStatus, MissStatus
from reviews.models import Action, AgendaItem, Decision, Meeting
from reviews.selectors.numbers import goal_keys, key_of_item, read_numbers
from reviews.services.agenda import carry_over, rebuild_agenda
from reviews.services.errors import MinutesConflictError, ReasonRequiredError, ReviewError, WrongStateError
from reviews.services.misses import answer_miss
from reviews.services.schedule import ensure_next_meeting
from tenants.accounts.models import User
from tenants.context import current_company
from tenants.outbox.services import emit


@transaction.atomic
def open_meeting(*, meeting: Meeting, actor: User | None, now: datetime.datetime) -> Meeting:
    """Begin a planned meeting and freeze the numbers of its agenda as they are now.

    Raises WrongStateError where it was opened before, or another meeting of the series is in session.
    """
    rebuild_agenda(meeting=meeting)
    try:
        with transaction.atomic():
            opened = Meeting.objects.filter(pk=meeting.pk, status=MeetingStatus.PLANNED).update(
                status=MeetingStatus.OPEN, opened_at=now, opened_by=actor
            )
    except IntegrityError as error:
        raise WrongStateError(gettext_noop("Another meeting of this series is in session. Close it first.")) from error
    if not opened:
        raise WrongStateError(gettext_noop("This meeting has been opened already."))
    meeting.refresh_from_db()
    freeze_items(items=list(meeting.agenda_items.select_related("miss", "action__node", "node")), now=now)
    goals = goal_keys(today=timezone.localdate(now))
    numbers = read_numbers(goals, now=now)
    meeting.frozen = [numbers[key].to_json(key, at=now) for key in goals]
    meeting.save(update_fields=["frozen"])
    ensure_next_meeting(series=meeting.series, now=now)
    return meeting


def freeze_items(*, items: list[AgendaItem], now: datetime.datetime) -> None:
    """Write the numbers as they are now into points of an agenda."""
    keys = {item.pk: key_of_item(item, today=timezone.localdate(now)) for item in items}
    numbers = read_numbers([key for key in keys.values() if key is not None], now=now)
    for item in items:
        key = keys[item.pk]
        item.frozen = numbers[key].to_json(key, at=now) if key is not None else None
    AgendaItem.objects.bulk_update(items, ["frozen"])


@transaction.atomic
def add_kpi(*, meeting: Meeting, node: KpiNode, now: datetime.datetime) -> AgendaItem:
    """Put a KPI on the agenda by hand, with its numbers where the meeting is in session.

    Raises WrongStateError after the meeting.
    """
    if meeting.status == MeetingStatus.CLOSED:
        raise WrongStateError(gettext_noop("This meeting is over; its agenda cannot be changed any more."))
    item, created = AgendaItem.objects.get_or_create(
        meeting=meeting,
        miss=None,
        action=None,
        node=node,
        defaults={"kind": AgendaKind.KPI, "title": node.name, "position": meeting.agenda_items.count() + 1},
    )
    if created and meeting.status == MeetingStatus.OPEN:
        freeze_items(items=[item], now=now)
    return item


@transaction.atomic
def record_decision(
    *,
    item: AgendaItem,
    kind: str,
    text: str = "",
    action: Action | None = None,
    actor: User | None,
    now: datetime.datetime,
) -> Decision:
    """Write down what the meeting decided about a point; an unanswered miss is answered by it.

    Raises WrongStateError outside the meeting, ReasonRequiredError for "accepted" without words, ReviewError for
    an improvement action that is not named.
    """
    meeting = Meeting.objects.select_for_update().get(pk=item.meeting_id)
    if meeting.status != MeetingStatus.OPEN:
        raise WrongStateError(
            gettext_noop("Decisions are taken while the meeting is in session. Open the meeting first.")
        )
    text = text.strip()
    if kind == DecisionKind.ACCEPTED and not text:
        raise ReasonRequiredError(
            gettext_noop("“Accepted, no action” needs a reason, so that it can be understood later."), field="text"
        )
    if kind == DecisionKind.IMPROVEMENT_ACTION:
        action = action or item.action
        if action is None:
            raise ReviewError(
                gettext_noop("Name the improvement action that was agreed; log it first."), field="action"
            )
    decision = Decision.objects.create(
        agenda_item=item, kind=kind, text=text, action=action, decided_by=actor, decided_at=now
    )
    if item.miss is not None and item.miss.status == MissStatus.OPEN:
        if kind == DecisionKind.IMPROVEMENT_ACTION and action is not None and action.miss_id is None:
            Action.objects.filter(pk=action.pk).update(miss=item.miss)
        answer_miss(miss=item.miss, end=kind, reason=text, actor=actor, now=now)
    return decision


@transaction.atomic
def save_minutes(*, meeting: Meeting, text: str, base_version: int | None = None, now: datetime.datetime) -> Meeting:
    """Save the minutes. With `base_version` (what the writer had read) nobody else's words are overwritten.

    Raises MinutesConflictError, WrongStateError after the meeting was closed.
    """
    writable = Meeting.objects.filter(pk=meeting.pk).exclude(status=MeetingStatus.CLOSED)
    current = writable if base_version is None else writable.filter(minutes_version=base_version)
    if not current.update(minutes=text, minutes_version=F("minutes_version") + 1, minutes_saved_at=now):
        if not writable.exists():
            raise WrongStateError(gettext_noop("This meeting is closed; its minutes cannot be changed any more."))
        raise MinutesConflictError(
            gettext_noop("Somebody else changed the minutes. Your text is still here; reload in another tab and merge.")
        )
    meeting.refresh_from_db()
    return meeting


@transaction.atomic
def close_meeting(*, meeting: Meeting, actor: User | None, now: datetime.datetime) -> Meeting:
    """End a meeting: undecided points go to the series' next meeting. Emits meeting.closed. Raises WrongStateError."""
    closed = Meeting.objects.filter(pk=meeting.pk, status=MeetingStatus.OPEN).update(
        status=MeetingStatus.CLOSED, closed_at=now, closed_by=actor
    )
    if not closed:
        raise WrongStateError(gettext_noop("Only a meeting that is in session can be closed."))
    meeting.refresh_from_db()
    if meeting.series.is_active:
        undecided = meeting.agenda_items.undecided().select_related("miss", "action", "node")
        carry_over(items=undecided, meeting=ensure_next_meeting(series=meeting.series, now=now))
    emit(topic="meeting.closed", company_id=current_company().id, object_id=meeting.pk)
    return meeting
