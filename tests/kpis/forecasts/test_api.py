"""Landings, managers' calls and confidence ranks over HTTP."""

from datetime import timedelta

import pytest

from kpis.models import KpiTree
from kpis.services.recompute import recompute
from tests.kpis.forecasts.conftest import NOVEMBER, NOW, send

pytestmark = pytest.mark.django_db
MONTH = {"grain": "month", "period_start": NOVEMBER.isoformat()}


def call_of(sales, **changes):
    return {"node": str(sales.goal.public_id), "period_start": NOVEMBER.isoformat(), "value": 800000, **changes}


class TestLandings:
    def test_answers_the_kgi_in_three_views(self, sales, api):
        api.made("forecast-calls/", call_of(sales))
        landing = api.shown("landings/", tree=sales.tree.public_id, **MONTH)["landing"]
        assert (landing["code"], landing["actual"], landing["target"]) == ("bookings", 150000, 1000000)
        assert {view["method"]: view["value"] for view in landing["views"]} == {
            "rollup": 330000,
            "pace": 600000,
            "call": 800000,
        }
        assert (landing["shown"], landing["proved"]) == ("rollup", None)
        assert landing["pace"] == {
            "share": 0.25,
            "basis": "curve",
            "low": 600000,
            "high": 600000,
            "period_count": 4,
        }

    def test_says_what_is_left_out_and_how_much(self, sales, api):
        rolled = api.shown("landings/", tree=sales.tree.public_id, **MONTH)["landing"]["roll_up"]
        assert (rolled["left_out_count"], rolled["left_out_amount"]) == (2, 480000)
        assert rolled["left_out"] == [
            {"reason": "past_expected", "count": 1, "amount": 480000},
            {"reason": "no_amount", "count": 1, "amount": 0},
        ]
        assert rolled["steps"][0] == {
            "rank": "A",
            "name": "A",
            "weight": 0.8,
            "count": 1,
            "amount": 100000,
            "cumulative": 250000,
        }

    def test_of_a_member(self, sales, api):
        asked = {"tree": sales.tree.public_id, "node": "bookings", "dimension": "team", "member": "west", **MONTH}
        landing = api.shown("landings/", **asked)["landing"]
        assert (landing["member"], landing["actual"]) == ("west", 0)

    def test_nothing_lands_in_a_period_that_is_over(self, sales, api):
        asked = {"tree": sales.tree.public_id, "grain": "month", "period_start": "2026-10-01"}
        assert api.shown("landings/", **asked) == {"landing": None}

    def test_a_member_of_the_company_may_not_look_at_another_team(self, sales, signed_in, bob):
        asked = {"tree": sales.tree.public_id, "dimension": "team", "member": "west", **MONTH}
        assert signed_in(bob).get("landings/", **asked).status_code == 403

    @pytest.mark.parametrize(
        ("changes", "field"),
        [({"period_start": "2026-11-02"}, "period_start"), ({"node": "nothing"}, "node"), ({"member": "x"}, "member")],
    )
    def test_names_the_parameter_at_fault(self, sales, api, changes, field):
        answer = api.get("landings/", **{"tree": sales.tree.public_id, **MONTH, **changes})
        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == [field]


class TestForecastTable:
    def asked(self, sales, **more):
        return {"tree": sales.tree.public_id, **MONTH, **more}

    def test_lists_the_deals_of_the_page_with_their_foot(self, sales, api):
        found = api.shown("forecast-table/", **self.asked(sales))
        table = found["table"]
        assert (found["code"], found["currency"], table["count"]) == ("bookings", "JPY", 5)
        bob, dora = table["groups"]
        assert (bob["name"], bob["won"], bob["open"], bob["left_out"], bob["total"]) == (
            "Bob", 150000, 100000, 480000, 250000,
        )  # fmt: skip
        assert [deal["external_id"] for deal in bob["deals"]] == ["late", "won", "sure"]
        assert bob["deals"][0]["faults"] == ["past_expected"]
        assert dora["deals"][-1]["amount"] is None
        assert (table["foot"]["won"], table["foot"]["value"], table["foot"]["left_out_count"]) == (150000, 330000, 2)

    def test_by_rank_and_of_a_team(self, sales, api):
        found = api.shown("forecast-table/", **self.asked(sales, by="rank", dimension="team", member="west"))
        assert [group["name"] for group in found["table"]["groups"]] == ["B"]

    def test_a_member_finds_the_own_deals(self, sales, signed_in, bob):
        found = signed_in(bob).shown("forecast-table/", **self.asked(sales))
        assert [group["name"] for group in found["table"]["groups"]] == ["Bob"]
        answer = signed_in(bob).get("forecast-table/losses/", **self.asked(sales, dimension="team", member="west"))
        assert answer.status_code == 403

    def test_a_tree_without_a_kgi_is_named(self, sales, api):
        empty = KpiTree.objects.create(name="空", fiscal_year=2026)
        answer = api.get("forecast-table/", tree=empty.public_id, **MONTH)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "tree")

    def test_changes_since_a_moment_or_of_seven_days(self, sales, api):
        send("deals", {"external_id": "sure", "created_on": "2026-11-02", "confidence": "B"},
             now=NOW - timedelta(days=9))  # fmt: skip
        found = api.shown("forecast-table/changes/", **self.asked(sales))
        assert (found["occasion"], found["changes"]) == (None, [])
        found = api.shown("forecast-table/changes/", **self.asked(sales, since="2026-11-01T00:00:00+09:00"))
        (change,) = found["changes"]
        assert (change["external_id"], change["field"], change["old"], change["new"]) == (
            "sure",
            "confidence",
            "A",
            "B",
        )

    def test_losses_in_full(self, sales, api):
        lost = {"outcome": "lost", "closed_on": "2026-11-06", "owner": "dora", "created_on": "2026-10-01"}
        send("deals", *({"external_id": f"l{n}", "amount": n, "competitor": f"c{n}", **lost} for n in range(30)))
        recompute(now=NOW)
        losses = api.shown("forecast-table/losses/", **self.asked(sales))["losses"]
        assert len(losses) == 30
        assert losses[0] == {"reason": "", "competitor": "c29", "phase": "", "owner": "Dora", "count": 1, "amount": 29}

    def test_deals_to_check_by_page_and_reason(self, sales, api, signed_in, bob):
        first = api.shown("deals-to-check/", limit=1)
        assert [row["external_id"] for row in first["results"]] == ["late"]
        assert first["next"]
        (bare,) = api.shown("deals-to-check/", reason="no_amount")["results"]
        assert (bare["external_id"], bare["amount"], bare["faults"]) == ("bare", None, ["no_amount"])
        assert [row["owner"] for row in signed_in(bob).shown("deals-to-check/")["results"]] == ["Bob"]
        assert api.get("deals-to-check/", reason="mood").status_code == 400


class TestCalls:
    def test_every_call_stays(self, sales, api):
        for value in (700000, 800000):
            api.made("forecast-calls/", call_of(sales, value=value, note="内示"))
        rows = api.shown("forecast-calls/", tree=sales.tree.public_id, node="bookings")["results"]
        assert sorted(row["value"] for row in rows) == [700000, 800000]

    def test_a_manager_calls_for_the_led_team_only(self, sales, signed_in, alice):
        caller = signed_in(alice)
        mine = caller.made("forecast-calls/", call_of(sales, dimension="team", member="east"))
        assert mine["actor"] == str(alice.public_id)
        assert caller.post("forecast-calls/", call_of(sales, dimension="team", member="west")).status_code == 403
        assert caller.post("forecast-calls/", call_of(sales)).status_code == 403

    def test_a_member_makes_no_call(self, sales, signed_in, bob):
        assert signed_in(bob).post("forecast-calls/", call_of(sales)).status_code == 403

    def test_a_period_that_is_over_takes_no_call(self, sales, api):
        answer = api.post("forecast-calls/", call_of(sales, period_start="2026-10-01"))
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_call")

    def test_a_call_is_never_changed(self, sales, api):
        made = api.made("forecast-calls/", call_of(sales))
        assert api.patch(f"forecast-calls/{made['id']}/", {"value": 1}).status_code == 405


class TestRanks:
    def test_stand_with_weight_and_measured_rate(self, sales, api):
        rows = api.shown("confidence-ranks/")["results"]
        assert [(row["code"], row["weight"], row["measured"]) for row in rows] == [
            ("A", 0.8, None),
            ("B", 0.5, None),
            ("C", 0.2, None),
        ]

    def test_the_owner_sets_a_weight(self, sales, signed_in, dave):
        caller = signed_in(dave)
        assert caller.made("confidence-ranks/", {"code": "A", "name": "内示", "weight": 0.9})["weight"] == 0.9
        assert caller.shown("confidence-ranks/")["results"][0]["name"] == "内示"

    def test_a_manager_does_not(self, sales, signed_in, alice):
        assert signed_in(alice).post("confidence-ranks/", {"code": "A", "weight": 0.9}).status_code == 403

    def test_a_weight_is_a_share(self, sales, api, signed_in, dave):
        assert signed_in(dave).post("confidence-ranks/", {"code": "A", "weight": 8}).status_code == 400


class TestPhases:
    def test_the_owner_numbers_them(self, sales, api, signed_in, dave):
        caller = signed_in(dave)
        assert caller.made("deal-phases/", {"code": "提案", "step": 2}) == {"code": "提案", "name": "提案", "step": 2}
        caller.made("deal-phases/", {"code": "訪問", "name": "初回訪問", "step": 1})
        assert [row["code"] for row in api.shown("deal-phases/")["results"]] == ["訪問", "提案"]

    def test_a_manager_does_not(self, sales, signed_in, alice):
        assert signed_in(alice).post("deal-phases/", {"code": "提案", "step": 2}).status_code == 403

    def test_a_step_is_a_number_from_1_to_9(self, sales, signed_in, dave):
        answer = signed_in(dave).post("deal-phases/", {"code": "提案", "step": 10})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "step")
