"""The same goal under other assumptions: three scenarios side by side, and what ±10 % of one rate does."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from kpis.engine.back_calculation.funnel import kept, run_forward
from kpis.engine.back_calculation.plans import FRACTION, Assumption, Plan, Question, is_lever, work_out

ONE = Decimal(1)
SWING = Decimal("0.1")


class Scenario(StrEnum):
    """How well things are taken to go."""

    CAUTIOUS = "cautious"
    STANDARD = "standard"
    AMBITIOUS = "ambitious"


@dataclass(frozen=True, slots=True)
class Swing:
    """What one assumption does, 10 % lower and 10 % higher (a rate at most 1).

    `needed` is how much of the farthest stage (`stage`) is then needed for the goal; `goal` what the
    present plan then leads to.
    """

    code: str
    stage: str
    values: tuple[Decimal, Decimal]
    needed: tuple[Decimal, Decimal]
    goal: tuple[Decimal, Decimal]


def under(question: Question, scenario: str) -> Question:
    """The question with each lever as in the company's worst (or best) quarter, and at least 10 % off.

    >>> rates = {"win_rate": Assumption("win_rate", Decimal("0.2"), "typed")}
    >>> from datetime import date
    >>> asked = Question("won_deals", Decimal(10), (), rates, {}, (), date(2026, 4, 1))
    >>> str(under(asked, "cautious").rates["win_rate"])
    '0.18'
    """
    if scenario == Scenario.STANDARD:
        return question
    shifted = {code: _shifted(each, scenario) for code, each in question.assumptions.items()}
    return replace(question, assumptions=shifted)


def scenarios(question: Question) -> Mapping[str, Plan]:
    """The plan of each scenario, cautious first."""
    return {scenario.value: work_out(under(question, scenario)) for scenario in Scenario}


def sensitivity(question: Question) -> tuple[Swing, ...]:
    """What each lever on the way from the goal does, in the order of the way back."""
    plan = work_out(question)
    levers = [step.assumption for step in plan.steps if step.assumption is not None and is_lever(step.assumption)]
    return tuple(_swing(question, plan, lever) for lever in levers)


def _swing(question: Question, plan: Plan, lever: Assumption) -> Swing:
    low, high = (_capped(lever.value * factor, lever) for factor in (ONE - SWING, ONE + SWING))
    plans = [work_out(_with(question, lever, value)) for value in (low, high)]
    stage = _farthest(question, plan)
    exact = next(step.exact for step in plan.steps if step.stage == stage)
    needed = [next(step.needed for step in each.steps if step.stage == stage) for each in plans]
    goal = [
        run_forward(question.links, stage, exact, {**question.rates, lever.code: value})[question.start]
        for value in (low, high)
    ]
    return Swing(lever.code, stage, (low, high), (needed[0], needed[1]), (kept(goal[0]), kept(goal[1])))


def _farthest(question: Question, plan: Plan) -> str:
    """The last station of the way back that the plan reaches; every lever on the way moves it."""
    beside = {link.stage for link in question.links if link.is_activity}
    return [step.stage for step in plan.steps if step.stage not in beside][-1]


def _with(question: Question, lever: Assumption, value: Decimal) -> Question:
    return replace(question, assumptions={**question.assumptions, lever.code: replace(lever, value=value)})


def _shifted(assumption: Assumption, scenario: str) -> Assumption:
    if not is_lever(assumption):
        return assumption
    seen = assumption.history
    if scenario == Scenario.CAUTIOUS:
        value = min([assumption.value * (ONE - SWING), *([seen.low] if seen and seen.low > 0 else [])])
    else:
        value = max([assumption.value * (ONE + SWING), *([seen.high] if seen else [])])
    return replace(assumption, value=_capped(value, assumption))


def _capped(value: Decimal, assumption: Assumption) -> Decimal:
    """A rate gets no better than 1, unless it is above it already, as rates by period may be."""
    return min(value, max(ONE, assumption.value)) if assumption.unit == FRACTION else value
