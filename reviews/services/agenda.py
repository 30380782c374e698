"""The agenda of planned meetings, kept in step with what is open."""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from reviews.choices import OPEN_ACTIONS, AgendaKind, MeetingStatus, MissStatus
from reviews.engine.agenda import Point, Subject, arrange
from reviews.models import Action, AgendaItem, Meeting, Miss
from reviews.selectors.actions import actions_for_meeting
from reviews.selectors.misses import open_cases


def rebuild_planned_agendas() -> None:
    """Bring the agenda of every planned meeting of an active series up to date."""
    for meeting in Meeting.objects.filter(status=MeetingStatus.PLANNED, series__is_active=True):
        rebuild_agenda(meeting=meeting)


@transaction.atomic
def rebuild_agenda(*, meeting: Meeting) -> None:
    """Make the agenda of a planned meeting: open misses, actions due or new, what was carried over or added by hand.

    A point that is still on the agenda keeps its row, so its id stays valid. An opened meeting is left alone.
    """
    locked = Meeting.objects.select_for_update().select_related("series").get(pk=meeting.pk)
    if locked.status != MeetingStatus.PLANNED:
        return
    items = {item.subject: item for item in locked.agenda_items.select_related("miss", "action", "node")}
    points = arrange([*_kept(items.values()), *_misses(), *_actions(locked)])
    wanted = {point.subject for point in points}
    AgendaItem.objects.filter(pk__in=[item.pk for subject, item in items.items() if subject not in wanted]).delete()
    new, changed = [], []
    for position, point in enumerate(points, start=1):
        item = items.get(point.subject)
        if item is None:
            new.append(_item(locked, point, position))
        elif (item.position, item.title, item.amount_at_stake) != (position, point.title, point.amount_at_stake):
            item.position, item.title, item.amount_at_stake = position, point.title, point.amount_at_stake
            changed.append(item)
    AgendaItem.objects.bulk_create(new)
    AgendaItem.objects.bulk_update(changed, ["position", "title", "amount_at_stake"])


@transaction.atomic
def carry_over(*, items: Iterable[AgendaItem], meeting: Meeting) -> int:
    """Put undecided points on the agenda of a planned meeting; returns how many. Settled ones stay behind."""
    carried = [item for item in items if is_unsettled(item)]
    present = {item.subject: item for item in meeting.agenda_items.all()}
    for item in carried:
        target = present.get(item.subject) or AgendaItem(
            meeting=meeting, miss=item.miss, action=item.action, node=item.node
        )
        target.kind, target.carried_from = AgendaKind.CARRIED, item
        target.title, target.amount_at_stake = item.title, item.amount_at_stake
        target.save()
    rebuild_agenda(meeting=meeting)
    return len(carried)


def is_unsettled(item: AgendaItem) -> bool:
    """Whether there is still something to decide: the miss is unanswered, the action unfinished, or it is a KPI."""
    if item.miss is not None:
        return item.miss.status == MissStatus.OPEN and item.miss.withdrawn_at is None
    return item.action is None or item.action.status in OPEN_ACTIONS


def _kept(items: Iterable[AgendaItem]) -> list[Point]:
    kept = [item for item in items if item.kind in (AgendaKind.CARRIED, AgendaKind.KPI) and is_unsettled(item)]
    return [
        Point(
            item.kind,
            item.subject,
            item.title,
            amount_at_stake=item.miss.amount_at_stake if item.miss else item.amount_at_stake,
            achievement=item.miss.achievement if item.miss else None,
        )
        for item in kept
    ]


def _misses() -> list[Point]:
    return [
        Point(
            AgendaKind.MISS,
            Subject("miss", miss.pk),
            title_of(miss),
            amount_at_stake=miss.amount_at_stake,
            achievement=miss.achievement,
        )
        for miss in open_cases()
    ]


def _actions(meeting: Meeting) -> list[Point]:
    held = meeting.series.meetings.filter(opened_at__isnull=False).order_by("-opened_at").first()
    due_by = timezone.localtime(meeting.scheduled_at).date()
    return [
        Point(
            AgendaKind.ACTION,
            Subject("action", action.pk),
            action.action[:400],
            amount_at_stake=action.miss.amount_at_stake if action.miss else None,
            due_on=action.due_on,
        )
        for action in actions_for_meeting(due_by=due_by, new_since=held.opened_at if held else None)
    ]


def title_of(subject: Miss | Action) -> str:
    """The KPI and, for a segment, its member."""
    return f"{subject.node.name} · {subject.member.name}" if subject.member else subject.node.name


def _item(meeting: Meeting, point: Point, position: int) -> AgendaItem:
    item = AgendaItem(
        meeting=meeting,
        kind=point.kind,
        title=point.title,
        amount_at_stake=point.amount_at_stake,
        position=position,
    )
    column = {"miss": "miss_id", "action": "action_id", "kpi": "node_id"}[point.subject.kind]
    setattr(item, column, point.subject.row_id)
    return item
