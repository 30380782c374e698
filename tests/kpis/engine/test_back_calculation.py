"""From the goal back to what it takes, and forward again to the goal."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.back_calculation import (
    GOAL,
    Assumption,
    Band,
    Capacity,
    LeadSource,
    LeadTime,
    MonthSpan,
    Plan,
    Question,
    Scenario,
    days_before,
    divide,
    funnel,
    kept,
    role_of,
    run_forward,
    scenarios,
    sensitivity,
    under,
    whole_up,
    work_back,
    work_out,
)
from kpis.engine.close_profile import CloseProfile, LagCount, close_profile
from kpis.engine.specs import Conversion, Filter, Formula, Manual, Ratio, Simple

RATES = ("average_deal_size", "win_rate", "opportunity_rate", "mql_rate", "lead_share", "calls_per_deal")
FUNNELS = [
    funnel(has_mql=True, activities=["calls"]),
    funnel(has_mql=False),
    funnel(has_mql=False, has_sql=False),
    funnel(has_mql=True, has_lead_share=True),
]
rates = st.decimals("0.01", 1, places=4)
goals = st.decimals(1, 10**10, places=2)


def year(count: int = 24, first: int = 2025) -> list[MonthSpan]:
    """Months from January of `first` on, 20 business days each."""
    starts = [date(first + place // 12, place % 12 + 1, 1) for place in range(count + 1)]
    return [MonthSpan(start, end, 20) for start, end in pairwise(starts)]


def assumed(**values: Any) -> dict[str, Assumption]:
    return {
        code: Assumption(code, Decimal(value), "typed", "amount" if code == "average_deal_size" else "percent")
        for code, value in values.items()
    }


def question(**changes: Any) -> Question:
    """34 million in March 2026 at a million a deal."""
    fields = {
        "start": GOAL,
        "value": Decimal(34_000_000),
        "links": funnel(has_mql=True),
        "assumptions": assumed(average_deal_size=1_000_000, win_rate=1, opportunity_rate="0.2"),
        "goal": {date(2026, 3, 1): Decimal(1)},
        "months": year(),
        "today": date(2025, 12, 1),
        "lead_times": {
            **dict.fromkeys(("won_deals", "closed_deals", "opportunities", "sql"), days_before(0)),
            **dict.fromkeys(("mql", "new_leads"), days_before(60)),
        },
    }
    return Question(**{**fields, **changes})


def habit(*counts: int) -> LeadTime:
    """A close profile by which so many orders were begun 0, 1, 2 … months before."""
    profile = close_profile([LagCount(months, Decimal(count)) for months, count in enumerate(counts)])
    assert profile is not None
    return LeadTime(profile, source=LeadSource.PROFILE)


def ending(plan: Plan, stage: str, due: Mapping[date, int], profile: CloseProfile) -> dict[date, Fraction]:
    """What a stage's months end in, month by month: by the share of each lag in what is due.

    Told apart from how the plan was made: of what begins in a month, a later one has as much as it is due × its share.
    """
    shares = [Fraction(share) for share in profile.shares]
    order = [month.start for month in year(60, 2023)]
    ended: dict[date, Fraction] = dict.fromkeys(due, Fraction(0))
    for need in next(step for step in plan.steps if step.stage == stage).needs:
        at = order.index(need.month.start)
        pull = {
            start: amount * shares[lag]
            for start, amount in due.items()
            if 0 <= (lag := order.index(start) - at) < len(shares)
        }
        for start, weight in pull.items():
            ended[start] += Fraction(need.value) * weight / sum(pull.values())
    return ended


def needed(plan: Plan) -> dict[str, int]:
    return {str(step.stage): int(step.needed) for step in plan.steps}


def warned(plan: Plan) -> list[tuple[str, str]]:
    return [(issue.field, issue.code) for step in plan.steps for issue in step.warnings]


class TestInverse:
    @given(goals, st.lists(rates, min_size=6, max_size=6), st.sampled_from(FUNNELS))
    def test_running_the_numbers_forward_gives_the_goal(self, goal: Decimal, values: list[Decimal], links: Any) -> None:
        given_rates = dict(zip(RATES, values, strict=True))
        exact = work_back(links, GOAL, goal, given_rates)
        for stage, number in exact.items():
            assert kept(run_forward(links, stage, number, given_rates)[GOAL]) == goal

    @given(goals, st.lists(rates, min_size=6, max_size=6), st.sampled_from(FUNNELS))
    def test_rounded_up_they_give_at_least_the_goal(self, goal: Decimal, values: list[Decimal], links: Any) -> None:
        given_rates = dict(zip(RATES, values, strict=True))
        for stage, number in work_back(links, GOAL, goal, given_rates).items():
            enough = goal if stage == GOAL else whole_up(number)
            assert enough >= kept(number)
            assert run_forward(links, stage, enough, given_rates)[GOAL] >= goal - Decimal("0.001")

    @given(st.integers(1, 10**6), st.integers(1, 99), st.integers(100, 999))
    def test_a_rate_that_is_no_finite_decimal_adds_nothing(self, count: int, above: int, below: int) -> None:
        """1 ÷ (1 ÷ 3) is 3, not 4."""
        rate = Decimal(above) / Decimal(below)
        mql = work_back(FUNNELS[1], "opportunities", Decimal(count * above), {"opportunity_rate": rate})["new_leads"]
        assert whole_up(mql) == count * below


class TestWorkedExample:
    def test_34_opportunities_at_20_percent_are_170_leads_without_an_mql_stage(self) -> None:
        plan = work_out(question(links=funnel(has_mql=False)))
        assert needed(plan) == {
            "won_deals": 34,
            "closed_deals": 34,
            "opportunities": 34,
            "sql": 34,
            "new_leads": 170,
        }

    def test_they_are_170_mqls_with_one_and_leads_follow_from_the_mql_rate(self) -> None:
        more = assumed(average_deal_size=1_000_000, win_rate=1, opportunity_rate="0.2", mql_rate="0.5")
        assert needed(work_out(question(assumptions=more)))["mql"] == 170
        assert needed(work_out(question(assumptions=more)))["new_leads"] == 340

    def test_without_an_mql_rate_it_ends_at_the_mqls_and_says_so(self) -> None:
        plan = work_out(question())
        assert plan.steps[-1].stage == "mql"
        assert plan.missing == ("mql_rate",)

    def test_begins_at_a_stage_as_well(self) -> None:
        plan = work_out(question(start="opportunities", value=Decimal(34)))
        assert needed(plan) == {"sql": 34, "mql": 170}

    def test_only_a_share_of_opportunities_comes_from_leads(self) -> None:
        links = funnel(has_mql=True, has_lead_share=True)
        more = {**question().assumptions, **assumed(lead_share="0.5")}
        assert needed(work_out(question(links=links, assumptions=more)))["mql"] == 85

    def test_activities_follow_from_the_deals(self) -> None:
        links = funnel(has_mql=True, activities=["calls"])
        calls = {"calls_per_deal": Assumption("calls_per_deal", Decimal("2.5"), "own", "count")}
        plan = work_out(question(links=links, assumptions={**question().assumptions, **calls}))
        assert needed(plan)["calls"] == 85


class TestTime:
    def test_march_orders_need_january_leads(self) -> None:
        plan = work_out(question())
        mql = plan.steps[-1]
        assert [(need.month.start, need.value) for need in mql.needs] == [(date(2026, 1, 1), 170)]
        assert mql.per_business_day == Decimal("8.5")
        assert plan.steps[0].needs[0].month.start == date(2026, 3, 1)

    def test_the_last_months_of_a_year_prepare_the_next(self) -> None:
        months = year()
        goal = {month.start: Decimal(place) for place, month in enumerate(months[12:], 1)}
        plan = work_out(question(goal=goal, is_year=True))
        mql = plan.steps[-1]
        assert sum(need.value for need in mql.targets) == sum(need.value for need in mql.needs) == mql.needed == 170
        assert mql.needs[0].month.start == date(2025, 11, 1)
        assert mql.targets[0].month.start == date(2026, 1, 1)
        assert [int(need.value) for need in mql.targets[-2:]] == [2, 4]  # of a year that begins 1 : 2

    def test_a_month_that_is_over_is_warned_of(self) -> None:
        assert ("mql", "past_months") in warned(work_out(question(today=date(2026, 2, 1))))
        assert ("mql", "past_months") not in warned(work_out(question(today=date(2026, 1, 31))))

    def test_of_a_year_only_what_was_needed_before_it_began(self) -> None:
        goal = {month.start: Decimal(1) for month in year()[12:]}
        plan = work_out(question(goal=goal, is_year=True, today=date(2026, 6, 1)))
        assert warned(plan) == [("mql", "past_months")]
        assert plan.steps[-1].warnings[0].message.startswith("29 of them were needed before the year began")

    def test_an_unknown_lead_time_is_the_month_of_the_order_and_said(self) -> None:
        plan = work_out(question(lead_times={}))
        assert ("mql", "no_lead_time") in warned(plan)
        assert plan.steps[-1].needs[0].month.start == date(2026, 3, 1)

    @given(
        goals,
        st.lists(st.integers(0, 9), min_size=1, max_size=12),
        st.lists(st.integers(0, 99), min_size=1, max_size=30).filter(any),
        st.booleans(),
    )
    def test_months_add_up(self, goal: Decimal, weights: list[int], lags: list[int], is_year: bool) -> None:
        months = year(60, 2023)
        parts = {month.start: Decimal(weight) for month, weight in zip(months[40:], weights, strict=False)}
        asked = question(value=goal, goal=parts, months=months, lead_times={"mql": habit(*lags)}, is_year=is_year)
        plan = work_out(asked)
        assert sum(need.value for need in plan.goal) == goal
        for step in plan.steps:
            assert sum(need.value for need in step.needs) == sum(need.value for need in step.targets) == step.needed


class TestProfile:
    def test_march_orders_need_most_of_their_leads_in_january(self) -> None:
        plan = work_out(question(lead_times={"mql": habit(1, 2, 6, 1)}))
        mql = plan.steps[-1]
        assert [(need.month.start.month, int(need.value)) for need in mql.needs] == [
            (12, 17),
            (1, 102),
            (2, 34),
            (3, 17),
        ]
        assert [month.start for month in mql.months] == [date(2026, 1, 1)]

    def test_a_rare_early_start_asks_for_none_of_a_few(self) -> None:
        few = question(value=Decimal(1_000_000), lead_times={"mql": habit(1, 12, 6, 1)})
        found = [(need.month.start.month, int(need.value)) for need in work_out(few).steps[-1].needs]
        assert found == [(1, 2), (2, 3)]

    def test_a_day_and_a_month_are_those_of_the_busiest_month(self) -> None:
        mql = work_out(question(lead_times={"mql": habit(1, 2, 6, 1)})).steps[-1]
        assert (mql.per_month, mql.per_business_day) == (102, Decimal("5.1"))

    def test_of_an_even_year_each_month_needs_alike_and_so_does_a_day(self) -> None:
        goal = {month.start: Decimal(1) for month in year()[12:]}
        mql = work_out(
            question(value=Decimal(408_000_000), goal=goal, is_year=True, lead_times={"mql": habit(1, 2, 6, 1)})
        ).steps[-1]
        assert {need.value for need in mql.targets} == {Decimal(170)}
        assert (mql.per_month, mql.per_business_day) == (170, Decimal("8.5"))
        assert (mql.needs[0].month.start, mql.months[0].start) == (date(2025, 10, 1), date(2025, 11, 1))

    def test_of_an_uneven_year_the_last_month_prepares_the_next_first(self) -> None:
        goal = {month.start: Decimal(place) for place, month in enumerate(year()[12:], 1)}
        asked = question(value=Decimal(31_200_000), goal=goal, is_year=True, lead_times={"mql": habit(1, 1)})
        assert [int(need.value) for need in work_out(asked).steps[-1].targets] == [*range(3, 25, 2), 13]

    def test_a_steady_flow_through_the_profile_gives_each_months_goal(self) -> None:
        """In the middle of an even goal, what begins in the months before arrives as it is due."""
        goal = {month.start: Decimal(1) for month in year(60, 2023)[24:48]}
        lead_time = habit(1, 2, 6, 1)
        asked = question(value=Decimal(816_000_000), goal=goal, months=year(60, 2023), lead_times={"mql": lead_time})
        mql = work_out(asked).steps[-1]
        begun = {need.month.start: need.value for need in mql.needs}
        starts = list(goal)
        for at in range(3, 20):
            arriving = sum(begun[starts[at - lag]] * lead_time.profile.share(lag) for lag in range(4))
            assert arriving * Decimal("0.2") == 34, "opportunities at a million each"

    @given(
        st.lists(st.integers(1, 50), min_size=1, max_size=12),
        st.lists(st.integers(0, 10), min_size=1, max_size=14).filter(any),
        st.sampled_from([2, 4, 5, 8, 10]),
    )
    def test_run_forward_through_the_same_profile_it_is_the_goal_month_by_month(
        self, deals: list[int], lags: list[int], per_deal: int
    ) -> None:
        """Deals are multiples of what the shares divide by, so that no month is rounded."""
        times = math.lcm(*(Fraction(lag, sum(lags)).denominator for lag in lags))
        due = {month.start: deal * times for month, deal in zip(year(60, 2023)[40:], deals, strict=False)}
        lead_time = habit(*lags)
        asked = question(
            start="opportunities",
            value=Decimal(sum(due.values())),
            goal={start: Decimal(count) for start, count in due.items()},
            months=year(60, 2023),
            assumptions=assumed(opportunity_rate=1 / Decimal(per_deal)),
            lead_times={"mql": lead_time},
        )
        plan = work_out(asked)
        ended = ending(plan, "mql", due, lead_time.profile)
        for start, count in due.items():
            mqls = Decimal(ended[start].numerator) / Decimal(ended[start].denominator)
            opportunities = run_forward(asked.links, "mql", mqls, asked.rates)["opportunities"]
            assert abs(opportunities - count) < Decimal("1E-6")


class TestDivide:
    @given(goals, st.lists(st.decimals(0, 100, places=2), min_size=1, max_size=15), st.booleans())
    def test_parts_add_up_and_none_is_late(self, total: Decimal, weights: list[Decimal], is_whole: bool) -> None:
        parts = divide(total, weights, is_whole=is_whole)
        assert sum(parts) == (whole_up(total) if is_whole else total)
        assert min(parts) >= 0
        due = weights if any(weights) else [Decimal(1)] * len(weights)
        for place in range(len(parts)):
            share = sum(due[: place + 1]) / sum(due)
            assert sum(parts[: place + 1]) >= kept(total * share) - Decimal("0.0000001")


class TestWarnings:
    def test_a_rate_that_the_company_never_had(self) -> None:
        rate = replace(
            question().assumptions["win_rate"], value=Decimal("0.4"), history=Band(*map(Decimal, (".2", ".3")))
        )
        plan = work_out(question(assumptions={**question().assumptions, "win_rate": rate}))
        (warning,) = [issue for step in plan.steps for issue in step.warnings]
        assert (warning.field, warning.code) == ("closed_deals", "outside_history")
        assert warning.message == "40% lies outside your own quarters of the last year (20% to 30%)."

    def test_a_rate_outside_the_benchmark(self) -> None:
        def plan(value: str) -> Plan:
            rate = Assumption("win_rate", Decimal(value), "own", benchmark=Band(Decimal("0.15"), Decimal("0.25")))
            return work_out(question(assumptions={**question().assumptions, "win_rate": rate}))

        assert warned(plan("0.26")) == [("closed_deals", "outside_benchmark")]
        assert warned(plan("0.25")) == []

    def test_too_few_people_make_it_infeasible_and_say_by_how_much(self) -> None:
        plan = work_out(question(capacities={"opportunities": Capacity(Decimal(8), Decimal(4))}))
        assert not plan.is_feasible
        (warning,) = [issue for step in plan.steps for issue in step.warnings]
        assert warning.message == (
            "The busiest month asks for 8.5 a person, 0.5 more than the 8 that one can do: "
            "5 people would be needed instead of 4."
        )

    def test_enough_people_are_enough(self) -> None:
        assert work_out(question(capacities={"opportunities": Capacity(Decimal("8.5"), Decimal(4))})).is_feasible


class TestScenarios:
    def test_stand_side_by_side_for_the_same_goal(self) -> None:
        rate = {
            "win_rate": Assumption("win_rate", Decimal("0.2"), "own", history=Band(Decimal("0.1"), Decimal("0.25")))
        }
        plans = scenarios(question(assumptions={**question().assumptions, **rate}))
        assert list(plans) == ["cautious", "standard", "ambitious"]
        closed = {name: plan.steps[1].exact for name, plan in plans.items()}
        assert closed == {
            "cautious": kept(Decimal(34) / Decimal("0.9") / Decimal("0.1")),
            "standard": 170,
            "ambitious": kept(Decimal(34) / Decimal("1.1") / Decimal("0.25")),
        }

    @pytest.mark.parametrize(("scenario", "rate"), [("cautious", "0.18"), ("ambitious", "0.22")])
    def test_without_a_history_a_rate_moves_by_a_tenth(self, scenario: str, rate: str) -> None:
        asked = under(question(assumptions=assumed(win_rate="0.2")), scenario)
        assert asked.rates["win_rate"] == Decimal(rate)

    @given(rates, rates, rates)
    def test_no_rate_exceeds_one_or_vanishes(self, value: Decimal, low: Decimal, high: Decimal) -> None:
        band = Band(min(low, high) - Decimal("0.01"), max(low, high))
        asked = question(assumptions={"win_rate": Assumption("win_rate", value, "own", history=band)})
        cautious, standard, ambitious = (under(asked, each).rates["win_rate"] for each in Scenario)
        assert 0 < cautious < standard <= ambitious <= 1

    def test_shares_and_activities_are_no_levers(self) -> None:
        same = {
            "lead_share": Assumption("lead_share", Decimal("0.5"), "own"),
            "calls_per_deal": Assumption("calls_per_deal", Decimal(3), "own", "count"),
        }
        asked = question(assumptions=same)
        assert under(asked, "cautious").assumptions == same


class TestSensitivity:
    def test_ten_percent_of_each_rate_in_needed_numbers_and_in_the_goal(self) -> None:
        found = {
            each.code: each
            for each in sensitivity(
                question(assumptions=assumed(average_deal_size=1_000_000, win_rate="0.5", opportunity_rate="0.2"))
            )
        }
        assert list(found) == ["average_deal_size", "win_rate", "opportunity_rate"]
        rate = found["opportunity_rate"]
        assert (rate.stage, rate.values) == ("mql", (Decimal("0.18"), Decimal("0.22")))
        assert rate.needed == (378, 310)
        assert rate.goal == (Decimal(30_600_000), Decimal(37_400_000))

    def test_a_rate_of_one_does_not_get_better(self) -> None:
        win_rate = sensitivity(question())[1]
        assert (win_rate.values[1], win_rate.goal[1]) == (1, 34_000_000)


WON = Simple("deals", "closed_on", "count", filters=(Filter("outcome", "in", ("won",)),))
CLOSED = replace(WON, filters=(Filter("outcome", "in", ("won", "lost", "no_decision")),))
MQL, SQL, LEADS = (Simple("leads", day, "count") for day in ("mql_on", "sql_on", "created_on"))
VISITS = Simple("activities", "happened_on", "count", filters=(Filter("kind", "eq", "visit"),))
OTHERS: Mapping[str, Any] = {"wins": WON, "ends": CLOSED}


class TestRoles:
    @pytest.mark.parametrize(
        ("spec", "role"),
        [
            (WON, "won_deals"),
            (CLOSED, "closed_deals"),
            (replace(WON, filters=()), "closed_deals"),
            (replace(WON, date="created_on", filters=()), "opportunities"),
            (replace(WON, aggregate="average", field="amount"), "average_deal_size"),
            (MQL, "mql"),
            (SQL, "sql"),
            (LEADS, "new_leads"),
            (Ratio(SQL, MQL), "opportunity_rate"),
            (Ratio(SQL, LEADS), "lead_opportunity_rate"),
            (Ratio(MQL, LEADS), "mql_rate"),
            (Ratio(WON, replace(WON, date="created_on", filters=())), "created_win_rate"),
            (Conversion("leads", "created", "sql", origin=("lead",)), "lead_opportunity_rate"),
            (Conversion("leads", "created", "deal"), "lead_opportunity_rate"),
            (Conversion("leads", "mql", "sql", basis="period"), "opportunity_rate"),
            (Conversion("leads", "created", "mql"), "mql_rate"),
            (Conversion("deals", "created", "won"), "created_win_rate"),
            (Conversion("deals", "created", "won", origin=("lead",)), None),
            (Conversion("deals", "step1", "step2"), None),
            (Conversion("leads", "created", "sql", filters=(Filter("lead_source", "eq", "Web"),)), None),
            (Formula("wins / ends"), "win_rate"),
            (VISITS, "activity"),
            (replace(WON, filters=(*WON.filters, Filter("customer_type", "eq", "existing"))), None),
            (replace(CLOSED, filters=(Filter("outcome", "in", ("lost",)),)), None),
            (replace(WON, credit="overlay"), None),
            (replace(LEADS, filters=(Filter("lead_source", "eq", "Web"),)), None),
            (Formula("wins - ends"), None),
            (Manual(), None),
        ],
    )
    def test_a_definition_tells_it_whatever_the_code(self, spec: Any, role: str | None) -> None:
        assert role_of("x", spec, OTHERS) == role

    def test_what_is_typed_goes_by_its_code(self) -> None:
        assert role_of("win_rate", Manual(), {}) == "win_rate"
        assert role_of("mql_count", Manual(), {}) == "mql"
        assert role_of("opportunity_rate_leads", Manual(), {}) == "lead_opportunity_rate"

    def test_a_definition_that_tells_otherwise_stands_against_the_code(self) -> None:
        assert role_of("opportunity_rate", Conversion("leads", "created", "mql"), {}) == "mql_rate"
        assert role_of("win_rate", Conversion("deals", "step1", "step2"), {}) is None
