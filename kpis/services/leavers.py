"""The rest of a leaver's targets goes to somebody who is there, through the same revisions as every change."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from kpis.choices import DimensionCode
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import Person, Target, TargetRequest
from kpis.selectors.leavers import Leaver
from kpis.services.refusal import RefusedError
from kpis.services.target_requests import set_or_request
from kpis.services.targets import TargetEntry


class HandOverError(RefusedError):
    """A rest that cannot be moved like this."""

    code = "invalid_hand_over"


@dataclass(frozen=True, slots=True)
class HandOver:
    """What was moved: how many targets, and the request where they wait for approval (None = they hold)."""

    target_count: int
    request: TargetRequest | None


def move_targets(*, leaver: Leaver, receiver: Person, reason: str, actor: Any, now: datetime) -> HandOver:
    """Move every target that remains to `receiver`, on top of the own ones; the leaver's become 0.

    Sums are the same before and after. Raises HandOverError without a reason or for a receiver who is not there, and
    TargetError.
    """
    if not reason.strip():
        fault = Issue("reason", "required", gettext_noop("Write why the targets are moved."))
        raise HandOverError(issues=[fault])
    last = max(target.period_start for target in leaver.targets)
    is_there = receiver.left_on is None or receiver.left_on >= last
    if receiver.pk == leaver.person.pk or receiver.member_id is None or not is_there:
        fault = Issue("receiver", "invalid", gettext_noop("Choose somebody who is there in all of these periods."))
        raise HandOverError(issues=[fault])
    entries = _entries(leaver, receiver, reason.strip())
    return HandOver(len(leaver.targets), set_or_request(entries=entries, actor=actor, now=now))


def _entries(leaver: Leaver, receiver: Person, reason: str) -> list[TargetEntry]:
    held = {
        (row.node_id, row.line, row.period_start): row.value
        for row in Target.objects.filter(
            node__in={target.node_id for target in leaver.targets},
            dimension=DimensionCode.PERSON,
            member=receiver.member_id,
        )
    }
    entries = []
    for target in leaver.targets:
        before = held.get((target.node_id, target.line, target.period_start), Decimal(0))
        for member, value in ((target.member, Decimal(0)), (receiver.member, before + target.value)):
            entries.append(
                TargetEntry(
                    node=target.node,
                    period_start=target.period_start,
                    value=value,
                    dimension=DimensionCode.PERSON,
                    member=member,
                    line=target.line,
                    reason=reason,
                )
            )
    return entries
