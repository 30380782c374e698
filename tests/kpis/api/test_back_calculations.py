"""Working back through the API: the contract's shape, what may be asked, and who may apply it."""

import pytest
import time_machine

from kpis.models import BackCalculation, KpiNode, KpiTree, Period, Target
from kpis.services.calendar import ensure_calendar
from tenants.settings.models import CompanySettings
from tests.kpis.back_calculation import NOW, grow_tree, live_a_year
from tests.remembering import remembered

pytestmark = pytest.mark.django_db

EXAMPLE = {"rates": {"win_rate": 1, "opportunity_rate": 0.2}, "average_deal_size": 1_000_000}


@pytest.fixture(autouse=True)
def frozen():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
@remembered
def tree(in_acme):
    ensure_calendar(first_day=NOW.date().replace(year=2024), last_day=NOW.date().replace(year=2027))
    return grow_tree()


def body(tree, value=34_000_000, period="2027-03-01", **changes):
    goal = {"metric": "bookings", "value": value, "period": period}
    return {"tree": str(tree.public_id), "goal": goal, **EXAMPLE, **changes}


def faults(response):
    assert response.status_code == 400, response.content
    return [(error["field"], error["code"]) for error in response.json()["errors"]]


class TestContract:
    def test_answers_with_steps_as_the_contract_has_them(self, api, tree):
        answer = api.made("back-calculations/", body(tree))
        steps = {step["metric"]: step for step in answer["steps"]}
        assert [step["per_period"] for step in answer["steps"]] == [34, 34, 34, 34, 170]
        assert list(steps) == ["won_deals", "closed_deals", "created_deals", "sql", "mql"]
        mql = steps["mql"]
        assert (mql["assumed_rate"], mql["rate_source"], mql["rate"]) == (0.2, "typed", "opportunity_rate")
        assert mql["per_business_day"] == 170 / mql["needed_in"][0]["business_days"]
        assert [warning["code"] for warning in mql["warnings"]] == ["no_lead_time"]
        assert answer["feasible"] is True
        assert answer["missing_rates"] == ["mql_rate"]

    def test_170_leads_without_an_mql_stage(self, api, tree):
        answer = api.made("back-calculations/", body(tree, has_mql=False))
        assert answer["steps"][-1]["metric"] == "new_leads"
        assert answer["steps"][-1]["per_period"] == 170

    def test_march_orders_need_january_leads(self, api, tree):
        asked = body(tree, lead_times_days={"mql": 60})
        (need,) = api.made("back-calculations/", asked)["steps"][-1]["needed_in"]
        assert (need["start"], need["end"], need["value"]) == ("2027-01-01", "2027-02-01", 170)

    def test_says_how_long_before_the_order_and_where_that_is_known_from(self, api, tree):
        live_a_year()
        asked = body(tree, lead_times_days={"mql": 60})
        steps = {step["metric"]: step for step in api.made("back-calculations/", asked)["steps"]}
        opportunities, mql = steps["created_deals"], steps["mql"]
        assert (opportunities["lead_time_source"], opportunities["lead_time_days"]) == ("profile", 60)
        assert [(each["months_before"], round(each["share"] * 27)) for each in opportunities["lead_time_profile"]] == [
            (2, 25),
            (3, 2),
        ]
        assert sum(each["value"] for each in opportunities["needed_in"]) == 34
        assert [each["start"] for each in opportunities["needed_in"]] == ["2026-12-01", "2027-01-01"]
        assert (mql["lead_time_source"], mql["lead_time_profile"]) == ("typed", [{"months_before": 2, "share": 1}])

    def test_stores_nothing(self, api, tree):
        api.made("back-calculations/", body(tree))
        assert not BackCalculation.objects.exists()
        assert not Target.objects.exists()

    def test_too_small_a_capacity_makes_it_infeasible(self, api, tree):
        for capacity in ({"people": 4, "opportunities": 8}, {"opportunities": {"people": 4, "per_person": 8}}):
            answer = api.made("back-calculations/", body(tree, capacity=capacity))
            assert answer["feasible"] is False
            (warning,) = [
                each for step in answer["steps"] for each in step["warnings"] if each["code"] == "over_capacity"
            ]
            assert "0.5 more" in warning["message"]
        assert api.made("back-calculations/", body(tree, capacity={"opportunities": 34}))["feasible"] is True

    def test_three_scenarios_and_the_swings_stand_beside_it(self, api, tree):
        answer = api.made("back-calculations/", body(tree))
        assert [each["scenario"] for each in answer["scenarios"]] == ["cautious", "standard", "ambitious"]
        assert answer["scenarios"][0]["assumptions"]["opportunity_rate"] == 0.18
        swing = answer["sensitivity"][-1]
        assert (swing["rate"], swing["metric"], swing["low"]["needed"]) == ("opportunity_rate", "mql", 189)

    def test_says_which_targets_would_follow(self, api, tree):
        rows = {row["code"]: row for row in api.made("back-calculations/", body(tree))["targets"]}
        assert rows["bookings"] == {
            "node": str(KpiNode.objects.get(code="bookings").public_id),
            "code": "bookings",
            "planned": 34_000_000,
            "current": None,
            "written": 1,
            "same": 0,
            "locked": 0,
            "earlier": 0,
            "outside": 0,
        }

    def test_own_rates_and_the_band_they_moved_in(self, api, tree):
        live_a_year()
        asked = body(tree, rates={"win_rate": "own"}, average_deal_size=None)
        step = {step["metric"]: step for step in api.made("back-calculations/", asked)["steps"]}["closed_deals"]
        assert (step["assumed_rate"], step["rate_source"]) == (0.225, "own")
        assert step["history"] == {"low": 0.2, "high": 0.3}
        assert step["benchmark"] == {"low": 0.15, "high": 0.25}

    def test_the_benchmark_only_when_it_is_asked_for(self, api, tree):
        asked = body(tree, rates={"win_rate": "benchmark"})
        step = {step["metric"]: step for step in api.made("back-calculations/", asked)["steps"]}["closed_deals"]
        assert (step["assumed_rate"], step["rate_source"]) == (0.2, "benchmark")
        assert api.made("back-calculations/", body(tree, rates={}))["missing_rates"] == ["win_rate"]


class TestPeriods:
    @pytest.mark.parametrize(
        ("given", "grain", "start"),
        [
            ("2027-03-01", "month", "2027-03-01"),
            ("2027-03", "month", "2027-03-01"),
            (2026, "year", "2026-04-01"),
            ("", "year", "2026-04-01"),
            ("year", "year", "2026-04-01"),
            ("quarter", "quarter", "2026-10-01"),
        ],
    )
    def test_are_named_as_people_name_them(self, api, tree, given, grain, start):
        period = api.made("back-calculations/", body(tree, period=given))["goal"]["period"]
        assert (period["grain"], period["start"]) == (grain, start)

    def test_by_id_or_start_and_grain(self, api, tree):
        quarter = Period.objects.get(grain="quarter", start_date="2026-10-01")
        asked = body(tree, period=str(quarter.public_id))
        assert api.made("back-calculations/", asked)["goal"]["period"]["grain"] == "quarter"
        asked["goal"].update(period="2026-10-01", grain="half")
        assert api.made("back-calculations/", asked)["goal"]["period"]["grain"] == "half"

    @pytest.mark.parametrize("given", ["week", "1999", "2027-03-02", "some day"])
    def test_what_is_no_period_is_a_fault(self, api, tree, given):
        assert faults(api.post("back-calculations/", body(tree, period=given))) == [("goal.period", "does_not_exist")]


class TestFaults:
    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"rates": {"win_rate": 20}}, ("rates.win_rate", "invalid")),
            ({"rates": {"win_rate": "many"}}, ("rates.win_rate", "invalid")),
            ({"rates": {"win_rate": True}}, ("rates.win_rate", "invalid")),
            ({"rates": {"luck": 1}}, ("rates.luck", "unknown")),
            ({"rates": {"win_rate": "own"}}, ("rates.win_rate", "no_history")),
            ({"rates": []}, ("rates", "not_object")),
            ({"average_deal_size": 0}, ("average_deal_size", "min_value")),
            ({"lead_times_days": {"mql": -1}}, ("lead_times_days.mql", "invalid")),
            ({"lead_times_days": {"visits": 1}}, ("lead_times_days.visits", "unknown")),
            ({"capacity": {"people": 0}}, ("capacity.people", "invalid")),
            ({"capacity": {"opportunities": "few"}}, ("capacity.opportunities", "invalid")),
            ({"goal": {"metric": "luck", "value": 1}}, ("goal.metric", "invalid")),
            ({"goal": {"metric": "bookings", "value": 0}}, ("goal.value", "min_value")),
            ({"tree": "00000000-0000-0000-0000-000000000000"}, ("tree", "does_not_exist")),
        ],
    )
    def test_name_their_place(self, api, tree, changes, fault):
        assert faults(api.post("back-calculations/", body(tree) | changes)) == [fault]


class TestApply:
    def test_writes_the_targets_and_is_kept(self, api, tree):
        applied = api.made("back-calculations/apply/", body(tree, 120_000_000, "", reason="Plan"))
        assert (applied["value"], applied["scenario"], applied["reason"]) == (120_000_000, "standard", "Plan")
        assert (
            sum(row["value"] for row in api.shown("targets/", tree=str(tree.public_id), node="mql")["results"]) == 600
        )
        assert api.shown("back-calculations/", tree=str(tree.public_id))["results"] == [applied]
        assert api.shown(f"back-calculations/{applied['id']}/") == applied

    def test_the_same_again_is_the_same_record(self, api, tree):
        first = api.made("back-calculations/apply/", body(tree, 120_000_000, ""))
        assert api.made("back-calculations/apply/", body(tree, 120_000_000, "")) == first
        assert BackCalculation.objects.count() == 1

    def test_from_a_month_on_with_the_cautious_rates(self, api, tree):
        asked = body(tree, 120_000_000, "", scenario="cautious", **{"from": "2026-12-01"})
        api.made("back-calculations/apply/", asked)
        rows = Target.objects.filter(node__code="opportunity_rate")
        assert [float(value) for value in rows.values_list("value", flat=True)] == [0.18] * 4

    def test_a_change_in_force_without_reason_is_refused(self, api, tree):
        api.made("back-calculations/apply/", body(tree, 120_000_000, ""))
        response = api.post("back-calculations/apply/", body(tree, 130_000_000, ""))
        assert response.status_code == 400
        assert {error["code"] for error in response.json()["errors"]} == {"required"}


class TestWho:
    def test_a_manager_works_back_but_applies_only_to_what_he_answers_for(self, signed_in, alice, tree):
        assert signed_in(alice).post("back-calculations/", body(tree)).status_code == 200
        assert signed_in(alice).post("back-calculations/apply/", body(tree)).status_code == 403
        assert not Target.objects.exists()
        tree.nodes.update(responsible_user=alice)
        assert signed_in(alice).post("back-calculations/apply/", body(tree)).status_code == 201

    def test_what_needs_approval_is_proposed(self, signed_in, api, alice, tree):
        tree.nodes.update(responsible_user=alice)
        KpiTree.objects.update(status="active")
        CompanySettings.objects.update(target_approval="one")
        caller = signed_in(alice)
        assert faults(caller.post("back-calculations/apply/", body(tree, reason=""))) == [("reason", "required")]
        applied = caller.made("back-calculations/apply/", body(tree, reason="Plan"))
        waiting = caller.shown(f"target-requests/{applied['request']}/")
        assert (waiting["status"], len(waiting["cells"])) == ("waiting", applied["target_count"])
        assert not Target.objects.exists()
        assert api.made("back-calculations/apply/", body(tree, reason="Plan"))["request"] is None

    @pytest.mark.parametrize(("name", "status"), [("dave", 201), ("bob", 403), ("vera", 403), ("hana", 403)])
    def test_others_by_their_role(self, signed_in, request, tree, name, status):
        caller = signed_in(request.getfixturevalue(name))
        assert caller.post("back-calculations/apply/", body(tree)).status_code == status

    def test_a_key_that_only_reads_cannot(self, caller_with, tree):
        assert caller_with("read").post("back-calculations/", body(tree)).status_code == 403
