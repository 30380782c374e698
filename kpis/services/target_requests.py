"""Target change requests: proposed, approved in steps, returned with a comment. What is in force holds until then."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from kpis.choices import PeriodState, RequestStatus, RequestVerdict
from kpis.engine.approval import may_decide, settles
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import KpiTree, Period, TargetRequest, TargetRequestCell, TargetRequestDecision
from kpis.selectors.approvals import Approver, approval_steps
from kpis.services.refusal import RefusedError
from kpis.services.targets import (
    NeedsApprovalError,
    TargetChange,
    TargetEntry,
    TargetError,
    find_changes,
    set_targets,
)


class TargetRequestError(RefusedError):
    """A request that cannot be made, or not be decided any more."""

    code = "invalid_target_request"


class NotApproverError(PermissionDenied):
    """The decision is somebody else's."""

    def __init__(self) -> None:
        super().__init__(gettext("This is for somebody else to decide: a superior of who proposed it, or an owner."))


def request_targets(
    *,
    entries: Sequence[TargetEntry],
    reason: str,
    answers: TargetRequest | None = None,
    actor: Any,
    now: datetime,
) -> TargetRequest:
    """Propose targets of one tree together; entries that change nothing are left out.

    Where the change needs no approval it is applied at once. `answers` names the returned request that this one
    answers. Raises TargetError naming every entry that could not be set or waits for approval already, and
    TargetRequestError.
    """
    reason = reason.strip()
    trees = {entry.node.tree_id: entry.node.tree for entry in entries}
    if not reason:
        fault = Issue("reason", "required", gettext_noop("Write why the targets are to change."))
        raise TargetRequestError(issues=[fault])
    if len(trees) != 1:
        raise TargetRequestError(gettext_noop("Propose the targets of one KPI tree at a time."))
    with transaction.atomic():
        # Two people who propose at the same time do so one after the other, so that no target waits twice.
        tree = KpiTree.objects.select_for_update().get(pk=next(iter(trees)))
        changes = find_changes([_with_reason(entry, reason) for entry in entries])
        if not changes:
            raise TargetRequestError(
                gettext_noop("Nothing differs from the targets as they are, so there is nothing to propose.")
            )
        _refuse_waiting(tree, changes)
        request = TargetRequest.objects.create(
            tree=tree,
            steps=approval_steps(user=actor, tree=tree, today=timezone.localdate(now)),
            reason=reason,
            proposer=actor,
            proposed_at=now,
            answers=_answered(answers, actor),
        )
        TargetRequestCell.objects.bulk_create(_cell(request, change) for change in changes)
        if not request.steps:
            _apply(request, now)
    return request


def set_or_request(*, entries: Sequence[TargetEntry], actor: Any, now: datetime) -> TargetRequest | None:
    """Set targets where the actor may, else propose them together with the reason of the first; the request, or None.

    Raises TargetError and TargetRequestError.
    """
    try:
        with transaction.atomic():
            set_targets(entries=entries, actor=actor, now=now)
    except NeedsApprovalError:
        return request_targets(entries=entries, reason=entries[0].reason, actor=actor, now=now)
    return None


@transaction.atomic
def approve_request(*, request: TargetRequest, comment: str = "", actor: Any, now: datetime) -> TargetRequest:
    """Agree to a request; with the last missing step its targets are set from their periods on.

    Periods that were closed meanwhile keep what they have. Raises NotApproverError, TargetRequestError where it is
    decided already or every period is closed, and TargetError where a target was changed after it was proposed.
    """
    row = _waiting(request)
    is_last = _decide(row, RequestVerdict.APPROVED, comment, actor, now)
    if is_last:
        _apply(row, now)
    return row


@transaction.atomic
def return_request(*, request: TargetRequest, comment: str, actor: Any, now: datetime) -> TargetRequest:
    """Send a request back (差し戻し); the comment says what is to be different.

    Raises NotApproverError, and TargetRequestError without a comment or where it is decided already.
    """
    if not comment.strip():
        fault = Issue("comment", "required", gettext_noop("Write what is to be different, so that it can be answered."))
        raise TargetRequestError(issues=[fault])
    row = _waiting(request)
    _decide(row, RequestVerdict.RETURNED, comment, actor, now)
    return _moved(row, RequestStatus.RETURNED)


@transaction.atomic
def withdraw_request(*, request: TargetRequest, actor: Any) -> TargetRequest:
    """Take the own request back. Raises PermissionDenied for another's, TargetRequestError where it is decided."""
    row = _waiting(request)
    if actor is None or row.proposer_id != actor.pk:
        raise PermissionDenied(gettext("Only who proposed it can withdraw it."))
    return _moved(row, RequestStatus.WITHDRAWN)


def _with_reason(entry: TargetEntry, reason: str) -> TargetEntry:
    return replace(entry, reason=reason)


def _refuse_waiting(tree: KpiTree, changes: Sequence[TargetChange]) -> None:
    cells = TargetRequestCell.objects.filter(request__tree=tree, request__status=RequestStatus.WAITING)
    taken = set(cells.values_list("node_id", "period_start", "dimension", "member_id", "line"))
    issues = [
        Issue(
            f"{change.index}.value",
            "waiting",
            gettext_noop("A change of %(node)s for %(period)s waits for approval already. Wait for it or withdraw it."),
            (("node", change.entry.node.name), ("period", change.entry.period_start)),
        )
        for change in changes
        if _place(change) in taken
    ]
    if issues:
        raise TargetError(issues=issues)


def _place(change: TargetChange) -> tuple[int, date, str, int | None, str]:
    entry = change.entry
    return entry.node.pk, entry.period_start, entry.dimension, entry.member.pk if entry.member else None, change.line


def _cell(request: TargetRequest, change: TargetChange) -> TargetRequestCell:
    entry, existing = change.entry, change.existing
    return TargetRequestCell(
        request=request,
        node=entry.node,
        period_start=entry.period_start,
        dimension=entry.dimension,
        member=entry.member,
        line=change.line,
        seen_value=existing.value if existing else None,
        seen_upper=existing.upper if existing else None,
        value=entry.value,
        upper=entry.upper,
        prorated=entry.proration.data() if entry.proration else None,
    )


def _answered(answers: TargetRequest | None, actor: Any) -> TargetRequest | None:
    if answers is None:
        return None
    is_open = answers.status == RequestStatus.RETURNED and not hasattr(answers, "answered_by")
    if not is_open or actor is None or answers.proposer_id != actor.pk:
        raise TargetRequestError(gettext_noop("Only an own request that was returned can be answered, and only once."))
    return answers


def _waiting(request: TargetRequest) -> TargetRequest:
    row = TargetRequest.objects.select_for_update(of=("self",)).select_related("proposer", "tree").get(pk=request.pk)
    if not row.is_waiting:
        raise TargetRequestError(
            gettext_noop("This request is decided already: %(status)s."), status=RequestStatus(row.status).label
        )
    return row


def _decide(row: TargetRequest, verdict: RequestVerdict, comment: str, actor: Any, now: datetime) -> bool:
    """Note what was said; whether it settles the request."""
    standing = Approver.load(user=actor, today=timezone.localdate(now)).standing(row)
    done = row.decisions.count()
    if not may_decide(standing, done=done, steps=row.steps):
        raise NotApproverError
    TargetRequestDecision.objects.create(
        request=row, step=done + 1, verdict=verdict, comment=comment.strip(), actor=actor, at=now
    )
    return settles(standing, done=done, steps=row.steps)


def _moved(row: TargetRequest, status: RequestStatus) -> TargetRequest:
    row.status = status
    row.save(update_fields=["status"])
    return row


def _apply(row: TargetRequest, now: datetime) -> None:
    cells = list(row.cells.select_related("node__tree", "node__metric", "member"))
    starts = {cell.period_start for cell in cells}
    closed = set(
        Period.objects.filter(state=PeriodState.CLOSED, start_date__in=starts).values_list("grain", "start_date")
    )
    open_cells = [cell for cell in cells if (cell.node.frequency, cell.period_start) not in closed]
    if not open_cells:
        raise TargetRequestError(gettext_noop("Every period of this request is closed by now. Send it back."))
    entries = [_entry(cell, row.reason) for cell in open_cells]
    _refuse_changed(open_cells, entries)
    set_targets(entries=entries, actor=row.proposer, now=now, request=row)
    _moved(row, RequestStatus.APPROVED)


def _entry(cell: TargetRequestCell, reason: str) -> TargetEntry:
    return TargetEntry(
        node=cell.node,
        period_start=cell.period_start,
        value=cell.value,
        upper=cell.upper,
        dimension=cell.dimension,
        member=cell.member,
        line=cell.line,
        reason=reason,
        proration=cell.proration,
    )


def _refuse_changed(cells: Sequence[TargetRequestCell], entries: Sequence[TargetEntry]) -> None:
    """Nobody agrees to a difference that he has not seen."""
    found = {change.index: change.existing for change in find_changes(entries)}
    issues = [
        Issue(
            f"{index}.value",
            "changed_meanwhile",
            gettext_noop("The target of %(node)s for %(period)s was changed after this was proposed. Send it back."),
            (("node", cell.node.name), ("period", cell.period_start)),
        )
        for index, cell in enumerate(cells)
        if index in found and _standing_value(found[index]) != (cell.seen_value, cell.seen_upper)
    ]
    if issues:
        raise TargetError(issues=issues)


def _standing_value(target: Any) -> tuple[Any, Any]:
    return (target.value, target.upper) if target else (None, None)
