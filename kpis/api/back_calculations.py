"""A back-calculation as the contract writes it: what may be asked, and what is answered."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers

from kpis.api.fields import Number, TreeReference, as_number
from kpis.api.serializers import Selectable
from kpis.choices import BackCalculationScenario, Grain
from kpis.engine.back_calculation import (
    BENCHMARK,
    OWN,
    TYPED,
    Band,
    LeadSource,
    LeadTime,
    MonthSpan,
    Need,
    Plan,
    Scenario,
    Step,
    Swing,
    under,
)
from kpis.engine.issues import Issue
from kpis.models import Period
from kpis.selectors.back_calculation import Fate, NodeTargets, Places, WorkedBack
from kpis.selectors.back_calculation.wording import rate_words, stage_words

Namer = Callable[[MonthSpan], str]


class WarningSerializer(serializers.Serializer):
    """A doubt: a stable code and a sentence."""

    code = serializers.CharField()
    message = serializers.CharField()


class BandSerializer(serializers.Serializer):
    """The least and the greatest value."""

    low = serializers.FloatField()
    high = serializers.FloatField()


class NeedSerializer(serializers.Serializer):
    """How much is needed in one month; `end` is exclusive."""

    start = serializers.DateField()
    end = serializers.DateField()
    label = serializers.CharField()
    value = serializers.FloatField()
    business_days = serializers.IntegerField()


class LagShareSerializer(serializers.Serializer):
    """The share that begins so many months before the order."""

    months_before = serializers.IntegerField()
    share = serializers.FloatField()


class StepSerializer(serializers.Serializer):
    """What is needed of one thing.

    `per_period` is for the goal's whole period, rounded up; `exact` before that. `needed_in` says in which months: as
    far before the order as `lead_time_profile` has it. `per_month` and `per_business_day` are of the busiest ones.
    """

    metric = serializers.CharField(help_text=_("The company's code, else the stage's own."))
    stage = serializers.CharField()
    name = serializers.CharField()
    node = serializers.UUIDField(allow_null=True)
    per_period = serializers.FloatField()
    exact = serializers.FloatField()
    per_month = serializers.FloatField()
    per_business_day = serializers.FloatField(allow_null=True)
    rate = serializers.CharField(allow_null=True, help_text=_("Null where one stands for one."))
    rate_name = serializers.CharField(allow_null=True)
    assumed_rate = serializers.FloatField(allow_null=True)
    rate_source = serializers.ChoiceField([TYPED, OWN, BENCHMARK], allow_null=True)
    history = BandSerializer(allow_null=True)
    benchmark = BandSerializer(allow_null=True)
    lead_time_days = serializers.IntegerField(allow_null=True)
    lead_time_source = serializers.ChoiceField(
        [each.value for each in LeadSource],
        allow_null=True,
        help_text=_(
            "profile: your own close profile. median: your own median days, where there are too few cases for a "
            "profile. Null where nothing is known, and for what is counted in the month of the order anyway."
        ),
    )
    lead_time_profile = LagShareSerializer(many=True, allow_null=True)
    needed_in = NeedSerializer(many=True)
    warnings = WarningSerializer(many=True)


class ScenarioSerializer(serializers.Serializer):
    """The same goal under other assumptions."""

    scenario = serializers.ChoiceField(BackCalculationScenario.choices)
    assumptions = serializers.DictField(child=serializers.FloatField())
    steps = StepSerializer(many=True)
    feasible = serializers.BooleanField()


class SwingSideSerializer(serializers.Serializer):
    """One side of a swing: the rate, what is then needed, and where the present plan then ends."""

    value = serializers.FloatField()
    needed = serializers.FloatField()
    goal = serializers.FloatField()


class SwingSerializer(serializers.Serializer):
    """What one rate does, 10 % lower and 10 % higher; `metric` is what is counted in `needed`."""

    rate = serializers.CharField()
    name = serializers.CharField()
    metric = serializers.CharField()
    low = SwingSideSerializer()
    high = SwingSideSerializer()


class PlannedTargetsSerializer(serializers.Serializer):
    """The targets of one node that applying would write; totals of rates are the one value that holds throughout."""

    node = serializers.UUIDField()
    code = serializers.CharField()
    planned = serializers.FloatField(allow_null=True)
    current = serializers.FloatField(allow_null=True)
    written = serializers.IntegerField(help_text=_("New or changed targets."))
    same = serializers.IntegerField()
    locked = serializers.IntegerField(help_text=_("Of closed periods; they stay as they are."))
    earlier = serializers.IntegerField()
    outside = serializers.IntegerField(help_text=_("Of months outside the tree's fiscal year."))


class GoalPeriodSerializer(serializers.Serializer):
    """The goal's period; `end` is exclusive."""

    id = serializers.UUIDField()
    grain = serializers.ChoiceField(Grain.choices)
    start = serializers.DateField()
    end = serializers.DateField()
    label = serializers.CharField()


class WorkedGoalSerializer(serializers.Serializer):
    """The goal that was worked back from."""

    metric = serializers.CharField()
    value = serializers.FloatField()
    period = GoalPeriodSerializer()


class WorkedBackSerializer(serializers.Serializer):
    """The answer. `feasible` is false where a given capacity does not suffice."""

    tree = serializers.UUIDField()
    goal = WorkedGoalSerializer()
    steps = StepSerializer(many=True)
    feasible = serializers.BooleanField()
    missing_rates = serializers.ListField(child=serializers.CharField(), help_text=_("What ends the way back."))
    warnings = WarningSerializer(many=True)
    scenarios = ScenarioSerializer(many=True)
    sensitivity = SwingSerializer(many=True)
    targets = PlannedTargetsSerializer(many=True)


class BackCalculationSerializer(Selectable):
    """A back-calculation that was applied, or proposed: then `request` names what has to be approved."""

    id = serializers.UUIDField(source="public_id")
    tree = TreeReference()
    metric = serializers.CharField(source="goal_metric")
    value = Number(source="goal_value")
    grain = serializers.ChoiceField(Grain.choices)
    period_start = serializers.DateField()
    scenario = serializers.ChoiceField(BackCalculationScenario.choices)
    input = serializers.JSONField()
    result = serializers.JSONField()
    target_count = serializers.IntegerField()
    reason = serializers.CharField()
    applied_at = serializers.DateTimeField()
    request = serializers.UUIDField(
        source="request.public_id",
        default=None,
        allow_null=True,
        help_text=_("The request with its targets; they hold once it is approved. Null where they were set at once."),
    )


def worked_data(
    worked: WorkedBack, rows: Sequence[NodeTargets], name_of: Callable[[Period], str], months: Namer
) -> dict[str, Any]:
    """Plain data for JSON; `rows` are what applying would write."""
    request, places = worked.request, worked.basis.places
    period, plan = request.period, worked.plan()
    return {
        "tree": str(request.tree.public_id),
        "goal": {
            "metric": request.metric,
            "value": as_number(request.value),
            "period": {
                "id": str(period.public_id),
                "grain": period.grain,
                "start": period.start_date,
                "end": period.end_date,
                "label": name_of(period),
            },
        },
        "steps": _steps(plan, places, months),
        "feasible": plan.is_feasible,
        "missing_rates": list(plan.missing),
        "warnings": [_warning(issue) for issue in worked.warnings],
        "scenarios": [_scenario(worked, each, months) for each in Scenario],
        "sensitivity": [_swing(swing, places) for swing in worked.swings],
        "targets": [_targets(row) for row in rows],
    }


def _steps(plan: Plan, places: Places, months: Namer) -> list[dict[str, Any]]:
    return [_step(step, places, months) for step in plan.steps]


def _step(step: Step, places: Places, months: Namer) -> dict[str, Any]:
    given, node = step.assumption, places.node_of(step.stage)
    return {
        "metric": places.code_of(step.stage),
        "stage": str(step.stage),
        "name": stage_words(step.stage, places),
        "node": str(node.public_id) if node else None,
        "per_period": as_number(step.needed),
        "exact": as_number(step.exact),
        "per_month": as_number(step.per_month),
        "per_business_day": as_number(step.per_business_day),
        "rate": given.code if given else None,
        "rate_name": rate_words(given.code, places) if given else None,
        "assumed_rate": as_number(given.value) if given else None,
        "rate_source": given.source if given else None,
        "history": _band(given.history) if given else None,
        "benchmark": _band(given.benchmark) if given else None,
        **_lead_time(step.lead_time),
        "needed_in": [_need(need, months) for need in step.needs],
        "warnings": [_warning(issue) for issue in step.warnings],
    }


def _lead_time(lead_time: LeadTime | None) -> dict[str, Any]:
    if lead_time is None:
        return {"lead_time_days": None, "lead_time_source": None, "lead_time_profile": None}
    return {
        "lead_time_days": lead_time.days,
        "lead_time_source": lead_time.source,
        "lead_time_profile": [
            {"months_before": months, "share": as_number(share)}
            for months, share in enumerate(lead_time.profile.shares)
            if share
        ],
    }


def _need(need: Need, months: Namer) -> dict[str, Any]:
    month = need.month
    return {
        "start": month.start,
        "end": month.end,
        "label": months(month),
        "value": as_number(need.value),
        "business_days": month.business_days,
    }


def _band(band: Band | None) -> dict[str, Any] | None:
    return None if band is None else {"low": as_number(band.low), "high": as_number(band.high)}


def _warning(issue: Issue) -> dict[str, str]:
    return {"code": issue.code, "message": issue.translated(_)}


def _scenario(worked: WorkedBack, scenario: Scenario, months: Namer) -> dict[str, Any]:
    assert worked.question is not None
    plan = worked.plan(scenario)
    return {
        "scenario": scenario.value,
        "assumptions": {code: as_number(value) for code, value in under(worked.question, scenario).rates.items()},
        "steps": _steps(plan, worked.basis.places, months),
        "feasible": plan.is_feasible,
    }


def _swing(swing: Swing, places: Places) -> dict[str, Any]:
    sides: list[dict[str, int | float | None]] = [
        {"value": as_number(value), "needed": as_number(needed), "goal": as_number(goal)}
        for value, needed, goal in zip(swing.values, swing.needed, swing.goal, strict=True)
    ]
    return {
        "rate": swing.code,
        "name": rate_words(swing.code, places),
        "metric": places.code_of(swing.stage),
        "low": sides[0],
        "high": sides[1],
    }


def _targets(row: NodeTargets) -> dict[str, Any]:
    return {
        "node": str(row.node.public_id),
        "code": row.node.code,
        "planned": as_number(row.planned_total),
        "current": as_number(row.current_total),
        "written": row.written_count,
        "same": row.count(Fate.SAME),
        "locked": row.count(Fate.LOCKED),
        "earlier": row.count(Fate.EARLIER),
        "outside": row.count(Fate.OUTSIDE),
    }


def exact(value: object) -> Decimal | None:
    """A number as it was written; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return None
    return number if number.is_finite() else None
