"""Proposing and deciding through the API."""

import pytest

from kpis.models import TargetRequest
from tests.kpis.targets_agreed.conftest import NOVEMBER, login, need_steps

pytestmark = pytest.mark.django_db


@pytest.fixture
def record(sales):
    def make(code="bob", value=250_000, **changes):
        place = {"node": str(sales.goal.public_id), "period_start": NOVEMBER.isoformat(), "dimension": "person"}
        return {**place, "member": code, "value": value, **changes}

    return make


@pytest.fixture
def proposed(sales, signed_in, alice, record):
    """A request of Alice's that waits for one approval."""
    need_steps("one")
    return signed_in(alice).made("target-requests/", {"records": [record()], "reason": "One deal slipped."})


class TestProposing:
    def test_a_change_that_needs_approval_is_refused_where_it_would_be_set(self, signed_in, sales, alice, record):
        need_steps("one")
        caller = signed_in(alice)
        for path, body in (("targets/", record(reason="Slower")), ("targets/bulk/", [record(reason="Slower")])):
            refused = caller.post(path, body)
            assert (refused.status_code, refused.json()["code"]) == (409, "needs_approval")

    def test_shows_the_proposal_beside_what_it_was(self, proposed, alice):
        assert (proposed["status"], proposed["steps"], proposed["may_decide"]) == ("waiting", 1, False)
        assert proposed["proposer"] == str(alice.public_id)
        (cell,) = proposed["cells"]
        assert (cell["member"], cell["seen_value"], cell["value"], cell["line"]) == ("bob", 300_000, 250_000, "target")

    def test_another_system_sets_at_once(self, api, sales, record):
        need_steps("two")
        made = api.made("target-requests/", {"records": [record()], "reason": "Plan"})
        assert made["status"] == "approved"

    def test_names_the_place_of_a_fault(self, signed_in, sales, alice, record):
        need_steps("one")
        body = {"records": [record("cleo", 1), record(period_start="2026-11-02")], "reason": "Plan"}
        refused = signed_in(alice).post("target-requests/", body)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "records.1.period_start")

    def test_reaches_no_further_than_the_own_people(self, signed_in, sales, alice, record):
        need_steps("one")
        body = {"records": [record("dora")], "reason": "Plan"}
        assert signed_in(alice).post("target-requests/", body).status_code == 403

    def test_members_and_viewers_propose_nothing(self, signed_in, sales, bob, vera, record):
        for person in (bob, vera):
            assert signed_in(person).post("target-requests/", {"records": [record()]}).status_code == 403


class TestDeciding:
    def test_a_superior_approves_and_the_revision_names_both(self, proposed, signed_in, sales, alice, api):
        caller = signed_in(sales.sumi)
        assert caller.shown(f"target-requests/{proposed['id']}/")["may_decide"]
        done = caller.made(f"target-requests/{proposed['id']}/approve/", {"comment": "Fine."})
        assert (done["status"], done["decisions"][0]["comment"]) == ("approved", "Fine.")
        target = sales.target("person", "bob")
        revision = api.shown(f"targets/{target.public_id}/revisions/")["results"][-1]
        assert (revision["value"], revision["actor"], revision["approvers"], revision["request"]) == (
            250_000,
            str(alice.public_id),
            [str(sales.sumi.public_id)],
            proposed["id"],
        )

    def test_not_the_proposer_nor_a_system(self, proposed, signed_in, alice, api):
        path = f"target-requests/{proposed['id']}/approve/"
        assert signed_in(alice).post(path).status_code == 403
        assert api.post(path).status_code == 403

    def test_sending_back_needs_a_comment(self, proposed, signed_in, sales):
        caller = signed_in(sales.sumi)
        path = f"target-requests/{proposed['id']}/return/"
        refused = caller.post(path, {"comment": ""})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "comment")
        assert caller.made(path, {"comment": "Too low."})["status"] == "returned"
        again = caller.post(path, {"comment": "Too low."})
        assert (again.status_code, again.json()["code"]) == (409, "invalid_target_request")

    def test_an_answer_names_what_it_answers(self, proposed, signed_in, sales, alice, record):
        signed_in(sales.sumi).made(f"target-requests/{proposed['id']}/return/", {"comment": "Too low."})
        body = {"records": [record(value=280_000)], "reason": "Better", "answers": proposed["id"]}
        assert signed_in(alice).made("target-requests/", body)["answers"] == proposed["id"]

    def test_the_proposer_withdraws(self, proposed, signed_in, sales, alice):
        path = f"target-requests/{proposed['id']}/withdraw/"
        assert signed_in(sales.sumi).post(path).status_code == 403
        assert signed_in(alice).made(path, {})["status"] == "withdrawn"


class TestSeeing:
    def test_only_who_is_concerned(self, proposed, signed_in, sales, alice, dave):
        dora = login("dora")
        counts = [len(signed_in(user).shown("target-requests/")["results"]) for user in (alice, sales.sumi, dave, dora)]
        assert counts == [1, 1, 1, 0]
        assert signed_in(dora).get(f"target-requests/{proposed['id']}/").status_code == 404

    def test_by_status(self, proposed, api):
        assert len(api.shown("target-requests/", status="waiting")["results"]) == 1
        assert not api.shown("target-requests/", status="returned")["results"]
        assert TargetRequest.objects.count() == 1
