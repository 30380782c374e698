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
    """Move every rest to `receiver`, on top of the own targets; the leaver keeps what the days before leaving ask for.

    Sums are the same before and after. Raises HandOverError without a reason or for a receiver who is not there, and
    TargetError.
    """
    if not reason.strip():
        fault = Issue("reason", "required", gettext_noop("Write why the targets are moved."))
        raise HandOverError(issues=[fault])
    last = max(held.target.period_start for held in leaver.targets)
    is_there = receiver.left_on is None or receiver.left_on >= last
    if receiver.pk == leaver.person.pk or receiver.member_id is None or not is_there:
        fault = Issue("receiver", "invalid", gettext_noop("Choose somebody who is there in all of these periods."))
        raise HandOverError(issues=[fault])
    entries = _entries(leaver, receiver, reason.strip())
    return HandOver(len(leaver.targets), set_or_request(entries=entries, actor=actor, now=now))


def _entries(leaver: Leaver, receiver: Person, reason: str) -> list[TargetEntry]:
    own = {
        (row.node_id, row.line, row.period_start): row
        for row in Target.objects.filter(
            node__in={held.target.node_id for held in leaver.targets},
            dimension=DimensionCode.PERSON,
            member=receiver.member_id,
        )
    }
    entries = []
    for held in leaver.targets:
        target = held.target
        taker = own.get((target.node_id, target.line, target.period_start))
        before, taken = (taker.standing, taker.proration) if taker else (Decimal(0), None)
        for member, value, proration in (
            (target.member, held.kept, held.proration),
            (receiver.member, before + held.rest, taken),
        ):
            entries.append(
                TargetEntry(
                    node=target.node,
                    period_start=target.period_start,
                    value=value,
                    dimension=DimensionCode.PERSON,
                    member=member,
                    line=target.line,
                    reason=reason,
                    proration=proration,
                )
            )
    return entries
