"""Deciding about closed numbers that would be others today: lock the new ones, or let the old ones stand."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction

from kpis.choices import PeriodState, RestatementVerdict
from kpis.engine.issues import Issue, gettext_noop
from kpis.models import Period, RestatementDecision
from kpis.selectors.restatements import Restatement, find_restatements_of
from kpis.selectors.visibility import OPEN
from kpis.services.changed_values import announce_changed_values
from kpis.services.comparing import forget_open
from kpis.services.locks import lock_states, relock_cells
from kpis.services.recompute import recompute
from kpis.services.refusal import RefusedError


class RestatementError(RefusedError):
    """A decision that cannot be made."""

    code = "restatement"


def decide_restatements(
    *,
    period: Period,
    verdict: RestatementVerdict,
    reason: str,
    nodes: Collection[int] | None = None,
    actor: Any,
    now: datetime,
) -> list[RestatementDecision]:
    """Approve or refuse what differs in one closed period, of some nodes (primary keys) or of all.

    A node is decided on with all its members together, so that its segments still add up. Approving locks what is live
    now, also where it was refused before; refusing concerns what is still open. What is dirty is computed first. Raises
    RestatementError.
    """
    if not reason.strip():
        template = gettext_noop("Write why: those who used the locked numbers will ask.")
        raise RestatementError(issues=[Issue("reason", "required", template)])
    recompute(now=now)
    with transaction.atomic():
        lock_states()
        if Period.objects.get(pk=period.pk).state != PeriodState.CLOSED:
            raise RestatementError(
                gettext_noop("The period from %(start)s is not closed, so its numbers follow the facts by themselves."),
                start=period.start_date,
            )
        is_refusal = verdict == RestatementVerdict.REFUSED
        found = find_restatements_of(period, sight=OPEN, nodes=nodes, now=now)
        asked = [each for each in found if not (is_refusal and each.refusal)]
        if not asked:
            raise RestatementError(gettext_noop("No number of this period waits for a decision. Nothing was changed."))
        decisions = RestatementDecision.objects.bulk_create(
            _decision(each, verdict, reason.strip(), actor, now) for each in asked
        )
        forget_open(grain=period.grain, starts=[period.start_date], nodes={each.cell.node_id for each in asked})
        if not is_refusal:
            relock_cells(cells=[each.cell for each in asked], now=now)
            announce_changed_values()
    return decisions


def _decision(
    found: Restatement, verdict: RestatementVerdict, reason: str, actor: Any, now: datetime
) -> RestatementDecision:
    cell, locked, live = found.cell, found.locked, found.live
    return RestatementDecision(
        node=cell.node,
        grain=cell.grain,
        period_start=cell.period_start,
        dimension=cell.dimension,
        member=cell.member,
        verdict=verdict,
        old_value=locked.value,
        old_numerator=locked.numerator,
        old_denominator=locked.denominator,
        old_absence=locked.absence or "",
        old_locked_at=cell.locked_at,
        new_value=live.value,
        new_numerator=live.numerator,
        new_denominator=live.denominator,
        new_absence=live.absence or "",
        reason=reason,
        actor=actor,
        decided_at=now,
    )
