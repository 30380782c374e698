"""Targets and entered values through the API, and who may write them for whom."""

import pytest
from django.utils import timezone

from kpis.models import KpiNode, Person, Team, TeamLeader
from kpis.services.facts import upsert_facts
from tenants.settings.choices import Visibility
from tenants.settings.models import CompanySettings
from tests.remembering import remembered

pytestmark = pytest.mark.django_db

OCTOBER, NOVEMBER = "2026-10-01", "2026-11-01"
MANUAL = {"unit": "count", "accumulation": "sum", "spec": {"kind": "manual"}}
DORA = {"external_id": "dora", "name": "Dora", "team": "north"}


@pytest.fixture
@remembered
def people(in_acme, alice, bob):
    """Alice leads North with Bob; Carl is in South."""
    for resource, records in {
        "teams": [{"external_id": "north", "name": "North"}, {"external_id": "south", "name": "South"}],
        "people": [
            {"external_id": "alice", "name": "Alice"},
            {"external_id": "bob", "name": "Bob", "team": "north"},
            {"external_id": "carl", "name": "Carl", "team": "south"},
        ],
    }.items():
        upsert_facts(resource=resource, source="crm", records=records, now=timezone.now())
    Person.objects.filter(external_id="alice").update(user=alice)
    Person.objects.filter(external_id="bob").update(user=bob)
    TeamLeader.objects.create(team=Team.objects.get(name="North"), person=Person.objects.get(name="Alice"))


class TestTargets:
    def test_sets_and_revises(self, api, plan):
        body = {"node": plan["bookings"], "period_start": OCTOBER, "value": 1000.5, "reason": "plan"}
        made = api.made("targets/", body)
        assert made["value"] == made["initial_value"] == 1000.5
        assert (made["line"], made["dimension"], made["member"], made["upper"]) == ("target", "company", None, None)
        changed = api.patch(f"targets/{made['id']}/", {"value": 900, "reason": "less"})
        assert changed.status_code == 200
        assert changed.json()["value"] == 900
        revisions = api.shown(f"targets/{made['id']}/revisions/")["results"]
        assert [(each["number"], each["value"], each["reason"]) for each in revisions] == [
            (1, 1000.5, "plan"),
            (2, 900, "less"),
        ]

    def test_null_removes_it_and_keeps_its_revisions(self, api, plan):
        place = {"node": plan["bookings"], "period_start": OCTOBER}
        made = api.made("targets/", {**place, "value": 1000})
        other = api.made("targets/", {**place, "period_start": NOVEMBER, "value": 500})
        removed = api.made("targets/", {**place, "value": None, "reason": "Wrong row."})
        assert (removed["id"], removed["value"]) == (made["id"], None)
        assert [row["id"] for row in api.shown("targets/")["results"]] == [other["id"]]
        revisions = api.shown(f"targets/{made['id']}/revisions/")["results"]
        assert [(each["value"], each["reason"]) for each in revisions] == [(1000, ""), (None, "Wrong row.")]
        asked = {"tree": plan["tree"], "nodes": "bookings", "grain": "month", "from": OCTOBER, "to": "2026-12-01"}
        assert api.shown("matrix/", **asked)["cells"]["target"] == [[[None, 500]]]

    def test_null_removes_many_and_by_patch(self, api, plan):
        place = {"node": plan["bookings"], "period_start": OCTOBER}
        made = api.made("targets/", {**place, "value": 1000})
        assert api.patch(f"targets/{made['id']}/", {"value": None}).json()["value"] is None
        refused = api.post("targets/bulk/", {"records": [{**place, "period_start": NOVEMBER, "value": None}]})
        assert [error["code"] for error in refused.json()["errors"]] == ["not_set"]

    def test_a_change_names_no_member_of_the_company(self, api, plan):
        made = api.made("targets/", {"node": plan["bookings"], "period_start": OCTOBER, "value": 5})
        refused = api.patch(f"targets/{made['id']}/", {"member": "bob", "value": 6})
        assert refused.status_code == 400
        assert [error["field"] for error in refused.json()["errors"]] == ["member"]
        assert api.shown(f"targets/{made['id']}/")["value"] == 5

    def test_the_node_may_be_a_code_and_the_line_official(self, api, plan):
        tree = api.patch(f"trees/{plan['tree']}/", {"official_line": "budget"})
        assert tree.status_code == 200
        body = {"tree": plan["tree"], "node": "bookings", "period_start": OCTOBER, "line": "official", "value": 5}
        assert api.made("targets/", body)["line"] == "budget"
        assert len(api.shown("targets/", tree=plan["tree"], node="bookings")["results"]) == 1

    def test_a_number_of_many_decimals_is_taken(self, api, plan):
        body = {"node": plan["win_rate"], "period_start": OCTOBER, "value": 1 / 3}
        assert api.made("targets/", body)["value"] == pytest.approx(1 / 3, abs=1e-8)

    def test_many_at_once_are_all_or_none(self, api, plan):
        rows = [{"node": plan["bookings"], "period_start": day, "value": 10} for day in (OCTOBER, NOVEMBER)]
        assert len(api.made("targets/bulk/", {"records": rows})["results"]) == 2
        bad = [*rows, {"node": plan["won_deals"], "period_start": "2026-10-02", "value": 1}]
        refused = api.post("targets/bulk/", bad)
        assert refused.status_code == 400
        assert [error["field"] for error in refused.json()["errors"]] == ["records.2.period_start"]
        assert len(api.shown("targets/")["results"]) == 2

    def test_a_long_list_costs_few_queries(self, api, plan, django_assert_max_num_queries):
        rows = [
            {"tree": plan["tree"], "node": code, "period_start": f"2026-{month:02}-01", "value": month}
            for code in ("bookings", "won_deals", "closed_deals")
            for month in range(4, 13)
        ]
        with django_assert_max_num_queries(110):
            assert len(api.made("targets/bulk/", {"records": rows})["results"]) == 27

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"period_start": "2026-10-02"}, "period_start"),
            ({"upper": 5}, "upper"),
            ({"dimension": "region"}, "member"),
            ({"dimension": "region", "member": "mars"}, "member"),
            ({"member": "north"}, "member"),
            ({"value": "a lot"}, "value"),
            ({"value": None}, "value"),
            ({"line": "dream"}, "line"),
        ],
    )
    def test_refuses_what_cannot_be(self, api, plan, change, field):
        response = api.post("targets/", {"node": plan["bookings"], "period_start": OCTOBER, "value": 1, **change})
        assert response.status_code == 400
        assert field in {error["field"] for error in response.json()["errors"]}


class TestReach:
    """A manager writes for the own team and below, a member for the KPIs that are the own ones."""

    def _target(self, plan, dimension="company", member=None):
        place = {"dimension": dimension, "member": member}
        return {"node": plan["bookings"], "period_start": OCTOBER, "value": 1, **place}

    @pytest.mark.parametrize(
        ("person", "dimension", "member", "status"),
        [
            ("dave", "company", None, 201),
            ("alice", "company", None, 403),
            ("alice", "person", "bob", 201),
            ("alice", "person", "carl", 403),
            ("alice", "team", "north", 201),
            ("alice", "team", "south", 403),
            ("bob", "person", "bob", 403),
            ("vera", "company", None, 403),
        ],
    )
    def test_targets(self, signed_in, request, plan, people, person, dimension, member, status):
        caller = signed_in(request.getfixturevalue(person))
        assert caller.post("targets/", self._target(plan, dimension, member)).status_code == status

    def test_a_manager_sets_the_company_target_of_the_own_kpi(self, signed_in, alice, plan, people):
        KpiNode.objects.filter(public_id=plan["bookings"]).update(responsible=Person.objects.get(name="Alice"))
        assert signed_in(alice).post("targets/", self._target(plan)).status_code == 201

    def test_reads_only_what_is_in_sight(self, api, signed_in, alice, bob, vera, plan, people):
        for dimension, member in (("company", None), ("person", "bob"), ("person", "carl"), ("team", "south")):
            api.made("targets/", self._target(plan, dimension, member))

        def seen(caller):
            return sorted(str(row["member"]) for row in caller.shown("targets/")["results"])

        assert seen(api) == ["None", "bob", "carl", "south"]
        assert seen(signed_in(alice)) == ["None", "bob"]
        assert seen(signed_in(bob)) == ["None", "bob"]
        assert seen(signed_in(vera)) == ["None", "south"]

    def test_a_member_enters_the_own_values(self, api, signed_in, bob, people):
        api.made("metrics/", {"code": "visits", "name": "Visits", **MANUAL})
        entry = {"metric": "visits", "period_start": OCTOBER, "value": 3, "dimension": "person"}
        caller = signed_in(bob)
        made = caller.post("entries/", {**entry, "member": "bob"})
        assert made.status_code == 201
        assert made.json()["entered_by"] == str(bob.public_id)
        assert caller.post("entries/", {**entry, "member": "carl"}).status_code == 403

    @pytest.mark.parametrize("visibility", Visibility.values)
    def test_seeing_is_not_writing(self, api, signed_in, plan, alice, bob, people, visibility):
        """Dora is in the team of Bob: he may see her where the company is open, and writes for himself alone."""
        upsert_facts(resource="people", source="crm", records=[DORA], now=timezone.now())
        CompanySettings.objects.update(visibility=visibility)
        api.made("metrics/", {"code": "visits", "name": "Visits", **MANUAL})
        entry = {"metric": "visits", "period_start": OCTOBER, "value": 3, "dimension": "person"}
        answers = {name: signed_in(bob).post("entries/", {**entry, "member": name}) for name in ("bob", "dora", "carl")}
        assert {name: answer.status_code for name, answer in answers.items()} == {"bob": 201, "dora": 403, "carl": 403}
        targets = {
            name: signed_in(alice).post("targets/", self._target(plan, "person", name)) for name in ("dora", "carl")
        }
        assert {name: answer.status_code for name, answer in targets.items()} == {"dora": 201, "carl": 403}


class TestEntries:
    def test_a_corrected_value_replaces_the_first(self, api):
        api.made("metrics/", {"code": "visits", "name": "Visits", **MANUAL})
        for value in (3, 4):
            api.made("entries/", {"metric": "visits", "period_start": OCTOBER, "value": value, "note": "typed"})
        (row,) = api.shown("entries/", metric="visits")["results"]
        assert (row["value"], row["grain"], row["note"], row["entered_by"]) == (4, "month", "typed", None)

    def test_a_computed_metric_is_not_entered(self, api, plan):
        refused = api.post("entries/", {"metric": "won_deals", "period_start": OCTOBER, "value": 3})
        assert (refused.status_code, refused.json()["code"]) == (409, "invalid_entry")
