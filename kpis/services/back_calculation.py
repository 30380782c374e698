"""Applying a back-calculation: what follows from the goal becomes targets, and what was asked is kept beside them."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from kpis.engine.back_calculation import LeadTime, Plan, Scenario, Step, kept, under
from kpis.engine.issues import gettext_noop
from kpis.models import BackCalculation, KpiTree
from kpis.selectors.back_calculation import NodeTargets, WorkedBack, plan_targets
from kpis.services.refusal import RefusedError
from kpis.services.target_requests import set_or_request
from kpis.services.targets import TargetEntry


class BackCalculationError(RefusedError):
    """A back-calculation that cannot be applied; nothing was written."""

    code = "invalid_back_calculation"


def apply_back_calculation(
    *,
    worked: WorkedBack,
    scenario: str = Scenario.STANDARD,
    first: date | None = None,
    reason: str = "",
    actor: Any,
    now: datetime,
) -> BackCalculation:
    """Write the targets of a scenario on the tree's official line and keep what they follow from; all or none.

    Where the actor needs approval they are proposed, and the record names the request. Targets of closed periods stay
    as they are, and so do those before `first`. Applying the same again writes nothing and answers with the record that
    is there. Raises BackCalculationError, and TargetError and TargetRequestError as set_or_request does (in an active
    tree a change needs its reason).
    """
    if worked.issues:
        raise BackCalculationError(issues=worked.issues)
    plan = worked.plan(scenario)
    with transaction.atomic():
        tree = KpiTree.objects.select_for_update().get(pk=worked.request.tree.pk)
        rows = plan_targets(worked.basis.places, plan, has_goal=worked.has_goal, first=first)
        if not rows:
            raise BackCalculationError(
                gettext_noop("No node of this tree is on the way from the goal, so there is no target to set.")
            )
        entries = _entries(rows, reason)
        asked_for = set_or_request(entries=entries, actor=actor, now=now) if entries else None
        asked, found = _input(worked, first), _result(worked, scenario, plan)
        latest = tree.back_calculations.applied().first()
        if (
            not entries
            and latest is not None
            and (latest.scenario, latest.input, latest.result)
            == (
                scenario,
                asked,
                found,
            )
        ):
            return latest
        return BackCalculation.objects.create(
            tree=tree,
            goal_metric=worked.request.metric,
            goal_value=worked.request.value,
            grain=worked.request.period.grain,
            period_start=worked.request.period.start_date,
            scenario=scenario,
            input=asked,
            result=found,
            target_count=len(entries),
            reason=reason,
            applied_by=actor,
            applied_at=now,
            request=asked_for,
        )


def _entries(rows: list[NodeTargets], reason: str) -> list[TargetEntry]:
    return [
        TargetEntry(
            node=row.node,
            period_start=each.period_start,
            value=each.value,
            line=row.node.tree.official_line,
            reason=reason,
        )
        for row in rows
        for each in row.planned
        if each.is_written
    ]


def _input(worked: WorkedBack, first: date | None) -> Mapping[str, object]:
    """What was asked, in the words of the API; exact numbers as text."""
    request = worked.request
    return {
        "rates": {code: str(given) for code, given in request.rates.items()},
        "lead_times_days": dict(request.lead_days),
        "capacity": {
            stage: {"people": str(each.people), "per_person": str(each.per_person)}
            for stage, each in request.capacities.items()
        },
        "has_mql": worked.basis.places.has_mql,
        "from": first.isoformat() if first else None,
    }


def _result(worked: WorkedBack, scenario: str, plan: Plan) -> Mapping[str, object]:
    """What came out. `assumptions` are the rates of the scenario that was applied."""
    assert worked.question is not None
    used = under(worked.question, scenario).assumptions
    return {
        "assumptions": {code: {"value": str(each.value), "source": each.source} for code, each in used.items()},
        "steps": [_step_data(step) for step in plan.steps],
        "feasible": plan.is_feasible,
    }


def _step_data(step: Step) -> Mapping[str, object]:
    return {
        "stage": str(step.stage),
        "needed": str(step.needed),
        "rate": step.assumption.code if step.assumption else None,
        **_lead_time_data(step.lead_time),
        "months": {need.month.start.isoformat(): str(_plain(need.value)) for need in step.targets},
    }


def _lead_time_data(lead_time: LeadTime | None) -> Mapping[str, object]:
    if lead_time is None:
        return {"lead_time_days": None, "lead_time_source": None, "lead_time_shares": None}
    return {
        "lead_time_days": lead_time.days,
        "lead_time_source": lead_time.source,
        "lead_time_shares": [str(kept(share)) for share in lead_time.profile.shares],
    }


def _plain(value: Decimal) -> Decimal:
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value
