"""The pages: proposing in the grid, deciding, confirming, and what Today asks for."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from kpis.models import TargetRequest
from kpis.services.target_requests import return_request
from kpis.services.targets import set_target
from tests.kpis.targets_agreed.conftest import entry_of, need_steps

pytestmark = pytest.mark.django_db


@pytest.fixture
def visit(client_for, acme):
    """`visit(alice, "/targets/")`: the page's text, in English."""

    def read(user, path, status=200, post=None):
        client = client_for(user, acme)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        response = client.get(path) if post is None else client.post(path, post, follow=True)
        assert response.status_code == status, response.content.decode()[:2000]
        return response.content.decode()

    return read


def address(request, end=""):
    return f"/targets/requests/{request.public_id}/{end}"


class TestGrid:
    def test_says_who_approves_and_sends_the_save_as_a_proposal(self, sales, alice, dave, visit):
        need_steps("two")
        page = visit(alice, "/targets/?by=person&kpi=bookings")
        assert "a superior approves them, then an owner" in page
        assert 'data-request-url="/api/v1/target-requests/"' in page
        assert "data-request-url" not in visit(dave, "/targets/?by=person&kpi=bookings")

    def test_marks_what_waits(self, sales, alice, propose, visit):
        need_steps("one")
        propose(alice, bob=250)
        assert 'data-proposed="250000"' in visit(alice, "/targets/?by=person&kpi=bookings")

    def test_fills_in_again_what_came_back(self, sales, alice, propose, visit):
        need_steps("one")
        request = propose(alice, bob=250)
        return_request(request=request, comment="Too low.", actor=sales.sumi, now=timezone.now())
        link = re.search(r'href="(/targets/\?[^"]*answers=[^"]*)"', visit(alice, address(request)))[1]
        page = visit(alice, link.replace("&amp;", "&"))
        assert "Returned: Too low." in page
        assert f'data-answers="{request.public_id}"' in page
        assert '"value": "250000"' in page

    @pytest.mark.parametrize("asked", ["none", "00000000-0000-0000-0000-000000000000"])
    def test_an_answer_to_nothing_is_an_ordinary_grid(self, sales, alice, visit, asked):
        assert "data-answers" not in visit(alice, f"/targets/?answers={asked}")


class TestDeciding:
    def test_what_waits_for_me_comes_first(self, sales, alice, propose, visit):
        need_steps("one")
        propose(alice, bob=250)
        assert "1 request waits for you." in visit(sales.sumi, "/targets/requests/")
        assert "No request waits for you." in visit(alice, "/targets/requests/")

    def test_shows_each_difference(self, sales, alice, dave, propose, visit):
        need_steps("one")
        set_target(entry=entry_of(sales.goal, "person", "bob", 280), actor=dave, now=timezone.now())
        page = visit(sales.sumi, address(propose(alice, bob=250)))
        row = re.search(r"<th scope=\"row\">Nov.*?</tr>", page, re.DOTALL)[0]
        assert re.findall(r"[\d,]{6,}", row) == ["300,000", "280,000", "250,000", "30,000"]

    def test_approves(self, sales, alice, propose, visit):
        need_steps("one")
        request = propose(alice, bob=250)
        page = visit(sales.sumi, address(request, "decide/"), post={"verdict": "approve"})
        assert "The targets hold from their periods on." in page
        assert sales.target("person", "bob").value == 250_000

    def test_returning_without_a_comment_says_what_is_missing(self, sales, alice, propose, visit):
        need_steps("one")
        request = propose(alice, bob=250)
        page = visit(sales.sumi, address(request, "decide/"), status=422, post={"verdict": "return"})
        assert "Write what is to be different" in page

    def test_the_proposer_has_no_button_to_approve(self, sales, alice, propose, visit):
        need_steps("one")
        request = propose(alice, bob=250)
        page = visit(alice, address(request))
        assert 'value="withdraw"' in page
        assert 'value="approve"' not in page
        visit(alice, address(request, "decide/"), status=403, post={"verdict": "approve"})

    def test_a_request_out_of_sight_is_not_found(self, sales, alice, propose, visit):
        need_steps("one")
        TargetRequest.objects.filter(pk=propose(alice, bob=250).pk).update(proposer=None)
        visit(alice, address(TargetRequest.objects.get()), status=404)


class TestToday:
    def test_lists_what_waits_for_me_and_what_came_back(self, sales, alice, propose, visit):
        need_steps("one")
        request = propose(alice, bob=250)
        assert "To be decided" in visit(sales.sumi, "/")
        assert address(request) not in visit(alice, "/")
        return_request(request=request, comment="Too low.", actor=sales.sumi, now=timezone.now())
        assert "Too low." in visit(alice, "/")
        assert address(request) not in visit(sales.sumi, "/")

    def test_asks_a_member_to_confirm(self, sales, bob, visit):
        assert "1 of your targets is new or has changed." in visit(bob, "/")


class TestConfirming:
    def confirm(self, visit, user):
        seen = re.search(r'name="seen_at" value="([^"]*)"', visit(user, "/targets/own/"))[1]
        return visit(user, "/targets/own/", post={"seen_at": seen})

    def test_a_member_sees_the_own_targets_only(self, sales, bob, visit):
        page = visit(bob, "/targets/own/")
        assert "300,000" in page
        assert "200,000" not in page

    def test_confirms_once_and_is_asked_again_after_a_change(self, sales, bob, dave, visit):
        assert "You confirmed your targets on" in self.confirm(visit, bob)
        assert "seen_at" not in visit(bob, "/targets/own/")
        set_target(entry=entry_of(sales.goal, "person", "bob", 280), actor=dave, now=timezone.now())
        page = visit(bob, "/targets/own/")
        assert "seen_at" in page
        assert re.search(r"<s[^>]*>.*?300,000.*?</s>.*?280,000", page, re.DOTALL)

    def test_what_was_set_after_looking_is_not_confirmed(self, sales, bob, dave, visit):
        seen = re.search(r'name="seen_at" value="([^"]*)"', visit(bob, "/targets/own/"))[1]
        later = timezone.now() + timedelta(minutes=1)
        set_target(entry=entry_of(sales.goal, "person", "bob", 280), actor=dave, now=later)
        assert "seen_at" in visit(bob, "/targets/own/", post={"seen_at": seen})

    @pytest.mark.parametrize("seen_at", ["", "soon", "2026-13-01T00:00", "2026-11-16T00:00"])
    def test_without_a_moment_nothing_is_confirmed(self, sales, bob, visit, seen_at):
        assert 'name="seen_at"' in visit(bob, "/targets/own/", post={"seen_at": seen_at})

    def test_the_manager_sees_who_has_and_who_has_not(self, sales, alice, bob, visit):
        self.confirm(visit, bob)
        page = visit(alice, "/targets/confirmations/")
        assert "Confirmed: 1 · Not yet: 1" in page
        rows = dict(re.findall(r'<th scope="row">(\w+).*?class="confirm ([\w-]+)"', page, re.DOTALL))
        assert rows == {"Bob": "confirm-done", "Cleo": "confirm-waiting"}

    def test_a_member_does_not_see_the_others(self, sales, bob, visit):
        visit(bob, "/targets/confirmations/", status=403)


class TestConfirmingOverTheApi:
    def test_a_member_confirms_and_is_seen(self, sales, bob, dave, signed_in, api):
        path = "targets/confirmations/"
        body = {"seen_at": timezone.now().isoformat()}
        assert signed_in(bob).made(path, body) == {"confirmed": 1}
        assert signed_in(bob).made(path, body) == {"confirmed": 0}
        rows = {row["name"]: row["unconfirmed_count"] for row in api.shown(path)["results"]}
        assert rows == {"Bob": 0, "Cleo": 1}
        assert [row["name"] for row in signed_in(bob).shown(path)["results"]] == ["Bob"]
        assert signed_in(dave).post(path, body).json()["code"] == "no_person"
