"""The matrix: what is asked is checked, what is seen follows the role, what is locked stays."""

from datetime import UTC, datetime

import pytest
import time_machine

from kpis.models import Person, Team, TeamLeader
from tenants.settings.models import CompanySettings
from tests.kpis.api.conftest import WON, count_of
from tests.remembering import remembered

pytestmark = pytest.mark.django_db

YEAR = {"grain": "month", "from": "2026-04-01", "to": "2027-04-01"}
OCTOBER = {"grain": "month", "from": "2026-10-01", "to": "2026-11-01"}


def send(api, resource, *records):
    result = api.made(f"facts/{resource}/bulk/?wait=1", {"source": "crm", "records": records})
    assert result["rejected"] == []


@pytest.fixture
@remembered
def sales(api, plan, alice, bob, in_acme):
    """Alice leads North with Bob, Carl is in South; Bob won 100, Carl 300, in October."""
    send(api, "teams", *({"external_id": name, "name": name.title()} for name in ("north", "south")))
    send(
        api,
        "people",
        {"external_id": "alice", "name": "Alice", "team": "north"},
        {"external_id": "bob", "name": "Bob", "team": "north"},
        {"external_id": "carl", "name": "Carl", "team": "south"},
    )
    won = {"created_on": "2026-09-01", "closed_on": "2026-10-05", "outcome": "won"}
    send(
        api,
        "deals",
        {"external_id": "D1", "owner": "bob", "amount": 100, "region": "east", **won},
        {"external_id": "D2", "owner": "carl", "amount": 300, "region": "west", **won},
    )
    Person.objects.filter(external_id="alice").update(user=alice)
    Person.objects.filter(external_id="bob").update(user=bob)
    TeamLeader.objects.create(team=Team.objects.get(name="North"), person=Person.objects.get(name="Alice"))
    return plan


def bookings(caller, plan, dimension):
    """Member code → bookings of October."""
    shown = caller.shown("matrix/", tree=plan["tree"], nodes="bookings", dimension=dimension, **OCTOBER)
    (rows,) = shown["cells"]["value"]
    return {member["code"]: row[0] for member, row in zip(shown["members"], rows, strict=True)}


class TestParameters:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"tree": None}, "tree"),
            ({"tree": "nothing"}, "tree"),
            ({"grain": "day"}, "grain"),
            ({"grain": None}, "grain"),
            ({"from": "2027-04-01"}, "to"),
            ({"from": "yesterday"}, "from"),
            ({"to": None}, "to"),
            ({"from": "1990-01-01"}, "to"),
            ({"dimension": "planet"}, "dimension"),
            ({"nodes": "bookings,luck"}, "nodes"),
            ({"org": "later"}, "org"),
            ({"line": "dream"}, "line"),
            ({"live": "perhaps"}, "live"),
        ],
    )
    def test_bad_ones_are_named(self, api, plan, change, field):
        asked = {key: value for key, value in {"tree": plan["tree"], **YEAR, **change}.items() if value is not None}
        response = api.get("matrix/", **asked)
        assert response.status_code == 400
        assert field in {error["field"] for error in response.json()["errors"]}

    def test_labels_follow_the_language(self, api, plan):
        asked = {"tree": plan["tree"], "grain": "quarter", "from": "2026-04-01", "to": "2026-07-01"}
        english = api.get("matrix/", **asked).json()["periods"][0]["label"]
        japanese = api.get("matrix/", headers={"accept-language": "ja"}, **asked).json()["periods"][0]["label"]
        assert (english, japanese) == ("FY2026 Q1", "2026年度 第1四半期")

    @pytest.mark.parametrize("year", [2018, 2033])
    def test_any_year_answers(self, api, plan, year):
        asked = {"grain": "quarter", "from": f"{year}-04-01", "to": f"{year + 1}-04-01"}
        shown = api.shown("matrix/", tree=plan["tree"], **asked, nodes="bookings")
        assert [each["start"][5:] for each in shown["periods"]] == ["04-01", "07-01", "10-01", "01-01"]
        assert shown["cells"]["absence"] == [[["missing"] * 4]]
        assert len(api.shown("periods/", **asked)["results"]) == 4

    def test_a_stretch_outside_every_calendar_has_no_periods(self, api, plan):
        for year in ("0001", "9998"):
            asked = {"grain": "year", "from": f"{year}-01-01", "to": f"{year}-12-31"}
            assert api.shown("matrix/", tree=plan["tree"], **asked)["periods"] == []
            assert api.shown("periods/", **asked)["results"] == []

    def test_a_stretch_that_ends_before_it_starts_has_no_periods(self, api, plan):
        assert api.shown("periods/", **{"from": "2026-10-01", "to": "0001-01-01"})["results"] == []

    def test_too_few_cases_come_with_their_number(self, api, sales):
        metrics = {each["code"]: each for each in api.shown("metrics/")["results"]}
        spec = {**metrics["bookings"]["spec"], "min_count": 5}
        assert api.patch(f"metrics/{metrics['bookings']['id']}/", {"spec": spec}).status_code == 200
        shown = api.shown("matrix/", tree=sales["tree"], nodes="bookings", dimension="team", **OCTOBER)
        codes = [member["code"] for member in shown["members"]]
        north = codes.index("north")
        assert shown["cells"]["absence"][0][north] == ["too_few"]
        assert shown["cells"]["denominator"][0][north] == [None]
        assert {"node": 0, "member": north, "period": 0, "cases": 1} in shown["too_few"]

    def test_every_grain_and_dimension_answers(self, api, sales):
        for grain in ("week", "month", "quarter", "half", "year"):
            shown = api.shown("matrix/", tree=sales["tree"], **{**YEAR, "grain": grain})
            places = len(shown["nodes"]), len(shown["members"]), len(shown["periods"])
            for plane in shown["cells"].values():
                assert (len(plane), len(plane[0]), len(plane[0][0])) == places
        for dimension in ("team", "person", "region", "product", "lead_source", "customer_type", "seg1"):
            assert "unassigned" in bookings(api, sales, dimension)


class TestSight:
    def test_a_key_an_owner_and_a_consultant_see_all(self, api, signed_in, dave, carol, sales):
        for caller in (api, signed_in(dave), signed_in(carol)):
            assert bookings(caller, sales, "person") == {"alice": 0, "bob": 100, "carl": 300, "unassigned": 0}
            assert bookings(caller, sales, "team") == {"north": 100, "south": 300, "unassigned": 0}

    def test_a_manager_sees_the_team_and_below(self, signed_in, alice, sales):
        caller = signed_in(alice)
        assert bookings(caller, sales, "company") == {None: 400}
        assert bookings(caller, sales, "team") == {"north": 100}
        assert bookings(caller, sales, "person") == {"alice": 0, "bob": 100}

    def test_a_member_sees_the_own_row_and_company_totals(self, signed_in, bob, sales):
        caller = signed_in(bob)
        assert bookings(caller, sales, "company") == {None: 400}
        assert bookings(caller, sales, "region")["west"] == 300
        assert bookings(caller, sales, "team") == {"north": 100}
        assert bookings(caller, sales, "person") == {"bob": 100}

    def test_a_viewer_sees_company_and_team_totals(self, signed_in, vera, sales):
        caller = signed_in(vera)
        assert bookings(caller, sales, "company") == {None: 400}
        assert bookings(caller, sales, "team") == {"north": 100, "south": 300, "unassigned": 0}
        assert bookings(caller, sales, "person") == {}

    def test_hr_does_not_read_live_results(self, signed_in, hana, sales):
        assert signed_in(hana).get("matrix/", tree=sales["tree"], **OCTOBER).status_code == 403

    @pytest.mark.parametrize(
        ("visibility", "seen"), [("team", {"alice", "bob"}), ("company", {"alice", "bob", "carl", "unassigned"})]
    )
    def test_the_company_may_open_persons(self, signed_in, bob, sales, visibility, seen):
        CompanySettings.objects.update(visibility=visibility)
        assert set(bookings(signed_in(bob), sales, "person")) == seen


class TestRecords:
    ASKED = {"node": "bookings", "period_start": "2026-10-01", "grain": "month"}

    def _ids(self, caller, plan, **change):
        asked = {"tree": plan["tree"], **self.ASKED, **change}
        return [row["external_id"] for row in caller.shown("records/", **asked)["results"]]

    def test_lists_the_facts_behind_a_cell(self, api, sales):
        assert sorted(self._ids(api, sales)) == ["D1", "D2"]
        assert self._ids(api, sales, dimension="region", member="west") == ["D2"]
        assert self._ids(api, sales, dimension="team", member="north") == ["D1"]
        assert sorted(self._ids(api, sales, node="win_rate", side="denominator")) == ["D1", "D2"]
        (record,) = api.shown("records/", tree=sales["tree"], **self.ASKED, dimension="person", member="bob")["results"]
        assert record.items() >= {"fact": "deals", "owner": "Bob", "date": "2026-10-05", "amount": 100}.items()

    def test_an_average_has_the_same_facts_on_both_sides(self, api, sales):
        spec = {**count_of(WON), "aggregate": "average", "field": "amount"}
        metric = {"code": "deal_size", "name": "Size", "unit": "amount", "accumulation": "average", "spec": spec}
        api.made("metrics/", metric)
        api.made("nodes/", {"tree": sales["tree"], "level": "kpi", "metric": "deal_size"})
        asked = {"tree": sales["tree"], "node": "deal_size", "grain": "month", "period_start": "2026-10-01"}
        above, below = (api.shown("records/", **asked, side=side) for side in ("numerator", "denominator"))
        assert [row["external_id"] for row in above["results"]] == [row["external_id"] for row in below["results"]]
        assert (above["total"], below["total"]) == (400, 2)

    def test_a_formula_names_what_to_ask_for(self, api, sales):
        spec = {"kind": "formula", "expression": "bookings - won_deals * 100"}
        api.made("metrics/", {"code": "rest", "name": "Rest", "unit": "amount", "accumulation": "sum", "spec": spec})
        api.made("nodes/", {"tree": sales["tree"], "level": "kpi", "metric": "rest"})
        asked = {"tree": sales["tree"], **self.ASKED, "node": "rest"}
        refused = api.get("records/", **asked)
        (error,) = refused.json()["errors"]
        assert (refused.status_code, error["field"]) == (400, "side")
        assert "operand: bookings, won_deals" in error["message"]
        assert api.shown("records/", **asked, operand="bookings")["total"] == 400
        assert api.shown("records/", **asked, operand="won_deals")["total"] == 2
        (error,) = api.get("records/", **asked, operand="closed_deals").json()["errors"]
        assert error["field"] == "operand"

    def test_customers_come_with_their_contracts(self, api, sales):
        contract = {"external_id": "K1", "starts_on": "2026-01-01", "mrr": 100, "account": "A"}
        send(api, "accounts", {"external_id": "A", "name": "Ace", "source_url": "https://crm.example/A"})
        send(api, "contracts", {**contract, "ends_on": "2026-10-20", "source_url": "https://crm.example/K1"})
        spec = {"kind": "retention", "measure": "gross_churn"}
        api.made("metrics/", {"code": "gone", "name": "Gone", "unit": "percent", "accumulation": "rate", "spec": spec})
        api.made("nodes/", {"tree": sales["tree"], "level": "kpi", "metric": "gone"})
        found = api.shown("records/", tree=sales["tree"], **{**self.ASKED, "node": "gone"})
        (customer,) = found["results"]
        assert (found["total"], customer["share"], customer["before"], customer["after"]) == (100, 100, 100, 0)
        assert (customer["fact"], customer["url"]) == ("accounts", "https://crm.example/A")
        (part,) = customer["records"]
        assert (part["fact"], part["external_id"], part["url"]) == ("contracts", "K1", "https://crm.example/K1")

    def test_pages(self, api, sales):
        first = api.shown("records/", tree=sales["tree"], **self.ASKED, limit=1)
        second = api.shown(first["next"])
        assert {page["results"][0]["external_id"] for page in (first, second)} == {"D1", "D2"}
        assert second["next"] is None
        assert api.shown(second["previous"]) == first

    def test_a_reader_finds_only_records_in_sight(self, signed_in, alice, bob, vera, sales):
        assert self._ids(signed_in(bob), sales) == ["D1"]
        assert self._ids(signed_in(alice), sales) == ["D1"]
        assert self._ids(signed_in(vera), sales) == []
        denied = signed_in(bob).get("records/", tree=sales["tree"], **self.ASKED, dimension="person", member="carl")
        assert denied.status_code == 403

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"node": "luck"}, "node"),
            ({"period_start": "2026-10-02"}, "period_start"),
            ({"dimension": "region"}, "member"),
            ({"dimension": "region", "member": "mars"}, "member"),
            ({"side": "left"}, "side"),
            ({"side": "denominator"}, "side"),
            ({"as_of": "2026-01-01T00:00:00Z"}, "as_of"),
        ],
    )
    def test_bad_parameters_are_named(self, api, plan, change, field):
        response = api.get("records/", tree=plan["tree"], **{**self.ASKED, **change})
        assert response.status_code == 400
        assert field in {error["field"] for error in response.json()["errors"]}


class TestPeriods:
    def test_a_closed_period_keeps_its_number_and_tells_what_differs(self, api, sales):
        with time_machine.travel(datetime(2026, 11, 10, 3, tzinfo=UTC)):
            (october,) = api.shown("periods/", **OCTOBER)["results"]
            assert (october["start"], october["end"], october["label"]) == ("2026-10-01", "2026-11-01", "Oct 2026")
            assert (october["state"], october["grain"], october["fiscal_year"]) == ("open", "month", 2026)
            assert api.made(f"periods/{october['id']}/provisional/", None)["state"] == "provisional"
            assert api.made(f"periods/{october['id']}/close/", None)["state"] == "closed"
            assert api.shown("restatements/")["results"] == []

            send(api, "deals", {"external_id": "D1", "created_on": "2026-09-01", "amount": 150})
            assert bookings(api, sales, "company") == {None: 400}
            live = api.shown("matrix/", tree=sales["tree"], nodes="bookings", live=1, **OCTOBER)
            assert live["cells"]["value"] == [[[450]]]
            (found,) = api.shown("restatements/")["results"]
            assert (found["code"], found["period_start"], found["member"]) == ("bookings", "2026-10-01", None)
            assert (found["locked"]["value"], found["live"]["value"]) == (400, 450)
            pages = api.shown("restatements/", tree=sales["tree"], dimension="person", limit=1)
            assert [row["member"] for row in pages["results"]] == ["bob"]

            refused = api.post(f"periods/{october['id']}/reopen/")
            assert (refused.status_code, "reason" in str(refused.json()["errors"])) == (400, True)
            assert api.made(f"periods/{october['id']}/reopen/", {"reason": "late deal"})["state"] == "provisional"
            assert bookings(api, sales, "company") == {None: 450}

    def test_only_a_person_in_charge_closes(self, api, signed_in, alice, bob, plan):
        with time_machine.travel(datetime(2026, 11, 10, 3, tzinfo=UTC)):
            (october,) = api.shown("periods/", **OCTOBER)["results"]
            manager = signed_in(alice)
            assert signed_in(bob).post(f"periods/{october['id']}/provisional/").status_code == 403
            assert manager.post(f"periods/{october['id']}/provisional/").status_code == 200
            assert manager.post(f"periods/{october['id']}/close/").status_code == 403

    def test_a_period_that_is_not_over_is_not_closed(self, api, plan):
        with time_machine.travel(datetime(2026, 10, 10, 3, tzinfo=UTC)):
            (october,) = api.shown("periods/", **OCTOBER)["results"]
            assert api.post(f"periods/{october['id']}/close/").status_code == 409


class TestTargetsInTheMatrix:
    def test_a_target_met_before_the_end_is_on_track(self, api, sales):
        body = {"node": sales["bookings"], "period_start": "2026-10-01", "value": 200}
        with time_machine.travel(datetime(2026, 10, 20, 3, tzinfo=UTC)):
            api.made("targets/", body)
            shown = api.shown("matrix/", tree=sales["tree"], nodes="bookings", **OCTOBER)
        cells = {name: plane[0][0][0] for name, plane in shown["cells"].items()}
        assert (cells["target"], cells["achievement"], cells["status"]) == (200, 2, "on_track")
        assert shown["nodes"][0]["stale"] is False
        assert datetime.fromisoformat(shown["nodes"][0]["as_of"])
