"""Trees as an integration edits them: moved, copied, drafted from a template, checked."""

import pytest
from django.utils import timezone

from kpis.models import KpiTree
from tenants.context import tenant_context

pytestmark = pytest.mark.django_db
FACTS = {"no_person", "no_target"}


@pytest.fixture
def draft(api):
    """A draft from the referral template; ids of its nodes by code, the tree's as `tree`."""
    tree = api.made("trees/from-template/", {"template": "referral", "fiscal_year": 2026, "name": "Referrals"})
    rows = api.shown("nodes/", tree=tree["id"])["results"]
    return {"tree": tree["id"], **{row["code"]: row["id"] for row in rows}}


def order(api, tree: str) -> list[str]:
    rows = api.shown("nodes/", tree=tree)["results"]
    return [row["code"] for row in sorted(rows, key=lambda row: row["position"])]


class TestTemplates:
    def test_a_draft_is_made_and_named(self, api, draft):
        tree = api.shown(f"trees/{draft['tree']}/")
        assert (tree["name"], tree["style"], tree["status"]) == ("Referrals", "referral", "draft")

    def test_an_unknown_one_is_refused(self, api):
        refused = api.post("trees/from-template/", {"template": "door_to_door", "fiscal_year": 2026})
        assert refused.json()["errors"][0]["field"] == "template"


class TestMove:
    def test_below_a_parent_at_a_position(self, api, draft):
        body = {"parent": "introductions", "position": 0}
        moved = api.made(f"nodes/{draft['existing_contact_coverage']}/move/", body)
        assert moved["parent"] == draft["introductions"]
        assert order(api, draft["tree"])[:3] == ["bookings", "introductions", "existing_contact_coverage"]

    def test_one_step(self, api, draft):
        api.made(f"nodes/{draft['deepening']}/move/", {"step": "up"})
        assert order(api, draft["tree"])[:3] == ["bookings", "deepening", "existing_contact_coverage"]
        assert api.post(f"nodes/{draft['deepening']}/move/", {"step": "up"}).status_code == 409

    @pytest.mark.parametrize("body", [{}, {"parent": None}, {"step": "up", "position": 1}, {"step": "sideways"}])
    def test_half_a_place_is_refused(self, api, draft, body):
        assert api.post(f"nodes/{draft['deepening']}/move/", body).status_code == 400

    def test_a_node_never_hangs_below_itself(self, api, draft):
        body = {"parent": "referrals", "position": 0}
        refused = api.post(f"nodes/{draft['introductions']}/move/", body)
        assert [error["field"] for error in refused.json()["errors"]] == ["parent"]


class TestLife:
    def test_is_activated_with_the_five_facts_only(self, api, draft):
        refused = api.post(f"trees/{draft['tree']}/activate/", {"needs_facts": False})
        assert refused.status_code == 400
        errors = refused.json()["errors"]
        assert {error["code"] for error in errors} == {"no_responsible", "no_target", "no_source"}
        told = next(e["message"] for e in errors if (e["field"], e["code"]) == ("referrals", "no_responsible"))
        assert api.shown(f"nodes/{draft['referrals']}/")["name"] in told
        assert api.shown(f"trees/{draft['tree']}/")["status"] == "draft"

    def test_in_force_every_door_keeps_a_factors_last_kpi(self, api, draft, acme):
        with tenant_context(acme):
            KpiTree.objects.filter(public_id=draft["tree"]).update(status="active")
        assert api.delete(f"nodes/{draft['average_deal_size']}/").status_code == 204
        before, last = order(api, draft["tree"]), f"nodes/{draft['existing_contact_coverage']}/"
        goal = {"tree": draft["tree"], "level": "kgi", "metric": "referrals", "code": "other"}
        for answer, fault in (
            (api.delete(last), ("deepening", "no_kpi")),
            (api.patch(last, {"parent": "introductions"}), ("deepening", "no_kpi")),
            (api.post("nodes/", goal), ("other", "second_kgi")),
        ):
            assert answer.status_code == 400
            assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [fault]
        assert order(api, draft["tree"]) == before
        assert api.shown(last)["parent"] == draft["deepening"]

    def test_issues_say_how_much_they_matter(self, api, draft):
        found = api.shown(f"trees/{draft['tree']}/issues/")["results"]
        assert {issue["severity"] for issue in found} == {"fact"}

    def test_next_year_is_a_copy_to_be_changed(self, api, draft):
        copy = api.made(f"trees/{draft['tree']}/copy/", {"fiscal_year": 2027, "name": "Next"})
        assert (copy["fiscal_year"], copy["status"]) == (2027, "draft")
        assert order(api, copy["id"]) == order(api, draft["tree"])


class TestFitness:
    def test_findings_carry_evidence_proposal_and_due_date(self, api, draft):
        found = api.shown(f"trees/{draft['tree']}/findings/")["results"]
        requests = [finding for finding in found if finding["node"] == draft["referral_requests"]]
        assert {finding["code"] for finding in requests} == FACTS
        assert all(finding["is_fault"] and finding["evidence"] and finding["proposal"] for finding in requests)
        assert {finding["due_on"] for finding in requests} == {timezone.localdate().isoformat()}

    def test_guidance_names_benchmark_caveat_and_what_is_missing(self, api):
        tree = api.made("trees/from-template/", {"template": "new_business", "fiscal_year": 2026})
        rows = {row["code"]: row["id"] for row in api.shown("nodes/", tree=tree["id"])["results"]}
        told = api.shown(f"nodes/{rows['win_rate']}/guidance/")
        assert [(each["kind"], each["low"], each["high"]) for each in told["benchmarks"]] == [("band", 0.15, 0.25)]
        assert told["benchmarks"][0]["note"].startswith("From private surveys")
        assert (told["own"], told["months_missing"], told["review"]) == (None, 6, None)
        body = {"verdict": "consulted", "note": "We aim at 20 % for now."}
        assert api.post(f"nodes/{rows['win_rate']}/benchmark-review/", body).status_code == 201
        assert api.shown(f"nodes/{rows['win_rate']}/guidance/")["review"]["note"] == body["note"]
        refused = api.post(f"nodes/{rows['bookings']}/benchmark-review/", body)
        assert [error["field"] for error in refused.json()["errors"]] == ["node"]

    def test_only_who_manages_definitions_changes_anything(self, signed_in, alice, draft):
        manager = signed_in(alice)
        assert manager.post(f"nodes/{draft['deepening']}/move/", {"step": "up"}).status_code == 403
        assert manager.post(f"trees/{draft['tree']}/copy/", {"fiscal_year": 2027, "name": "x"}).status_code == 403
        assert manager.get(f"nodes/{draft['referrals']}/guidance/").status_code == 200
