"""Changes of targets that somebody has to agree to: proposed, approved by whom, returned, answered."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from kpis.choices import PeriodState, TreeStatus
from kpis.models import KpiTree, Period, Target, TargetRequest, TargetRevision
from kpis.selectors.approvals import Approver, approval_steps
from kpis.selectors.confirmations import read_confirmations
from kpis.services.target_requests import (
    NotApproverError,
    TargetRequestError,
    approve_request,
    request_targets,
    return_request,
    withdraw_request,
)
from kpis.services.targets import NeedsApprovalError, TargetError, set_target
from tests.kpis.pages.conftest import send
from tests.kpis.targets_agreed.conftest import DECEMBER, NOVEMBER, entry_of, lead, login, need_steps

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 16)


def approve(request, actor, comment=""):
    return approve_request(request=request, comment=comment, actor=actor, now=timezone.now())


def send_back(request, actor, comment="Too low."):
    return return_request(request=request, comment=comment, actor=actor, now=timezone.now())


class TestSteps:
    def test_follow_the_size_of_the_company(self, sales, alice):
        assert approval_steps(user=alice, tree=sales.world.tree, today=TODAY) == 0
        send("people", *({"external_id": f"p{number}", "name": f"P{number}"} for number in range(10)))
        assert approval_steps(user=alice, tree=sales.world.tree, today=TODAY) == 1
        send("people", *({"external_id": f"q{number}", "name": f"Q{number}"} for number in range(40)))
        assert approval_steps(user=alice, tree=sales.world.tree, today=TODAY) == 2

    def test_who_has_left_does_not_count(self, sales, alice):
        gone = [{"external_id": f"p{n}", "name": f"P{n}", "left_on": "2026-10-31"} for n in range(10)]
        send("people", *gone)
        assert approval_steps(user=alice, tree=sales.world.tree, today=TODAY) == 0

    def test_who_sets_targets_for_the_whole_company_needs_none(self, sales, dave):
        need_steps("two")
        assert approval_steps(user=dave, tree=sales.world.tree, today=TODAY) == 0
        assert approval_steps(user=None, tree=sales.world.tree, today=TODAY) == 0

    def test_a_draft_is_approved_by_activating_it(self, sales, alice):
        need_steps("two")
        KpiTree.objects.update(status=TreeStatus.DRAFT)
        assert approval_steps(user=alice, tree=KpiTree.objects.get(), today=TODAY) == 0


class TestNeedsApproval:
    def test_a_target_in_force_is_not_set_by_who_needs_approval(self, sales, alice):
        need_steps("one")
        with pytest.raises(NeedsApprovalError):
            set_target(entry=entry_of(sales.goal, "person", "bob", 250), actor=alice, now=timezone.now())
        assert sales.target("person", "bob").value == 300_000

    def test_setting_it_to_what_it_is_changes_nothing_and_needs_nobody(self, sales, alice):
        need_steps("one")
        set_target(entry=entry_of(sales.goal, "person", "bob", 300), actor=alice, now=timezone.now())


class TestPropose:
    def test_the_current_target_holds_until_it_is_approved(self, sales, alice, propose):
        need_steps("one")
        request = propose(alice, bob=250)
        assert (request.status, request.steps, request.cells.count()) == ("waiting", 1, 1)
        assert sales.target("person", "bob").value == 300_000

    def test_without_approval_it_is_applied_at_once(self, sales, alice, propose):
        assert propose(alice, bob=250).status == "approved"
        assert sales.target("person", "bob").value == 250_000

    def test_what_changes_nothing_is_left_out(self, sales, alice, propose):
        need_steps("one")
        assert propose(alice, bob=250, cleo=200).cells.count() == 1
        with pytest.raises(TargetRequestError):
            propose(alice, cleo=200)

    def test_a_target_waits_only_once(self, sales, alice, propose):
        need_steps("one")
        propose(alice, bob=250)
        with pytest.raises(TargetError) as refused:
            propose(alice, cleo=100, bob=240)
        assert [(issue.field, issue.code) for issue in refused.value.issues] == [("1.value", "waiting")]

    def test_needs_a_reason(self, sales, alice):
        entry = entry_of(sales.goal, "person", "bob", 250, reason="")
        with pytest.raises(TargetRequestError) as refused:
            request_targets(entries=[entry], reason=" ", actor=alice, now=timezone.now())
        assert refused.value.issues[0].field == "reason"

    def test_a_closed_period_is_refused_at_once(self, sales, alice, propose):
        need_steps("one")
        Period.objects.filter(grain="month", start_date=NOVEMBER).update(state=PeriodState.CLOSED)
        with pytest.raises(TargetError):
            propose(alice, bob=250)
        assert not TargetRequest.objects.exists()


class TestApprove:
    def test_one_step_by_the_superior_applies_it_with_all_names(self, sales, alice, propose):
        need_steps("one")
        assert approve(propose(alice, bob=250), sales.sumi, "Agreed.").status == "approved"
        target = sales.target("person", "bob")
        assert (target.initial_value, target.value) == (300_000, 250_000)
        revision = target.revisions.last()
        assert (revision.actor, revision.reason) == (alice, "One deal slipped.")
        assert [(each.actor, each.comment) for each in revision.request.decisions.all()] == [(sales.sumi, "Agreed.")]

    def test_two_steps_wait_for_the_owner(self, sales, alice, dave, propose):
        need_steps("two")
        request = approve(propose(alice, bob=250), sales.sumi)
        assert request.status == "waiting"
        assert sales.target("person", "bob").value == 300_000
        with pytest.raises(NotApproverError):
            approve(request, sales.sumi)
        assert approve(request, dave).status == "approved"
        assert sales.target("person", "bob").value == 250_000

    def test_an_owner_settles_both_steps(self, sales, alice, dave, propose):
        need_steps("two")
        assert approve(propose(alice, bob=250), dave).status == "approved"

    def test_nobody_approves_the_own_proposal(self, sales, alice, propose):
        need_steps("one")
        with pytest.raises(NotApproverError):
            approve(propose(alice, bob=250), alice)

    def test_nor_does_a_peer_or_who_stands_in_for_the_proposer(self, sales, alice, propose):
        need_steps("one")
        dora, cleo = login("dora"), login("cleo")
        lead("dora", "west")
        lead("cleo", "east", is_deputy=True)
        request = propose(alice, bob=250)
        for person in (dora, cleo):
            with pytest.raises(NotApproverError):
                approve(request, person)

    def test_a_deputy_of_the_superior_decides_while_the_dates_hold(self, sales, alice, propose):
        need_steps("one")
        dora = login("dora")
        request = propose(alice, bob=250)
        lead("dora", "sales", is_deputy=True, starts_on=TODAY - timedelta(days=9), ends_on=TODAY)
        assert not Approver.load(user=dora, today=TODAY).may_decide(request)
        lead("dora", "sales", is_deputy=True, starts_on=TODAY, ends_on=TODAY + timedelta(days=9))
        assert approve(request, dora).status == "approved"

    def test_what_lies_beyond_the_superiors_reach_is_an_owners(self, sales, alice, dave):
        need_steps("one")
        entry = entry_of(sales.goal, "company", None, 900)
        request = request_targets(entries=[entry], reason="Market", actor=alice, now=timezone.now())
        with pytest.raises(NotApproverError):
            approve(request, sales.sumi)
        assert approve(request, dave).status == "approved"

    def test_periods_closed_meanwhile_keep_what_they_have(self, sales, alice, propose):
        need_steps("one")
        entries = [entry_of(sales.goal, "person", "bob", 250, month=month) for month in (NOVEMBER, DECEMBER)]
        request = request_targets(entries=entries, reason="Slower", actor=alice, now=timezone.now())
        Period.objects.filter(grain="month", start_date=NOVEMBER).update(state=PeriodState.CLOSED)
        approve(request, sales.sumi)
        assert sales.target("person", "bob").value == 300_000
        assert sales.target("person", "bob", DECEMBER).value == 250_000

    def test_a_target_changed_after_the_proposal_is_not_overwritten(self, sales, alice, dave, propose):
        need_steps("one")
        request = propose(alice, bob=250)
        set_target(entry=entry_of(sales.goal, "person", "bob", 280), actor=dave, now=timezone.now())
        with pytest.raises(TargetError) as refused:
            approve(request, sales.sumi)
        assert refused.value.issues[0].code == "changed_meanwhile"
        assert sales.target("person", "bob").value == 280_000
        assert not request.decisions.exists()

    def test_is_decided_once(self, sales, alice, dave, propose):
        need_steps("one")
        request = propose(alice, bob=250)
        approve(request, sales.sumi)
        with pytest.raises(TargetRequestError):
            send_back(request, dave)


class TestRemoving:
    """A manager's removal waits like every change."""

    @pytest.fixture
    def waiting(self, sales, alice):
        need_steps("one")
        entry = replace(entry_of(sales.goal, "person", "bob", 0), value=None)
        return request_targets(entries=[entry], reason="Wrong row.", actor=alice, now=timezone.now())

    def test_holds_once_it_is_approved(self, sales, waiting):
        assert sales.target("person", "bob").value == 300_000
        approve_request(request=waiting, actor=sales.sumi, now=timezone.now())
        assert not Target.objects.filter(member__code="bob").exists()
        revision = TargetRevision.objects.filter(target__member__code="bob").last()
        assert (revision.value, revision.reason, revision.approvers) == (None, "Wrong row.", [sales.sumi])

    def test_pages_say_that_there_would_be_no_target(self, sales, waiting, client_for, acme, alice):
        client = client_for(alice, acme)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        page = client.get(f"/targets/requests/{waiting.public_id}/").content.decode()
        assert '<strong><span class="absent">No target</span></strong>' in page
        assert 'data-proposed=""' in client.get("/targets/?by=person&kpi=bookings").content.decode()

    def test_nobody_is_asked_to_confirm_it(self, sales, waiting, bob):
        approve_request(request=waiting, actor=sales.sumi, now=timezone.now())
        people = [row.person.name for row in read_confirmations(tree=sales.goal.tree, members=None)]
        assert people == ["Cleo"]


class TestReturn:
    def test_needs_a_comment(self, sales, alice, propose):
        need_steps("one")
        request = propose(alice, bob=250)
        with pytest.raises(TargetRequestError):
            send_back(request, sales.sumi, " ")
        assert send_back(request, sales.sumi).status == "returned"
        assert sales.target("person", "bob").value == 300_000

    def test_is_answered_by_a_new_proposal_once(self, sales, alice, propose):
        need_steps("one")
        returned = send_back(propose(alice, bob=250), sales.sumi)
        answer = propose(alice, answers=returned, bob=280)
        assert answer.answers == returned
        with pytest.raises(TargetRequestError):
            propose(alice, answers=TargetRequest.objects.get(pk=returned.pk), cleo=100)


class TestWithdraw:
    def test_is_the_proposers_alone(self, sales, alice, propose):
        need_steps("one")
        request = propose(alice, bob=250)
        with pytest.raises(PermissionDenied):
            withdraw_request(request=request, actor=sales.sumi)
        assert withdraw_request(request=request, actor=alice).status == "withdrawn"
        assert propose(alice, bob=240).status == "waiting"


class TestApprover:
    def test_cost_does_not_grow_with_the_requests(self, sales, alice, dave, propose, django_assert_max_num_queries):
        with django_assert_max_num_queries(12):
            Approver.load(user=sales.sumi, today=TODAY)

    def test_sees_what_was_proposed_below_but_not_beside(self, sales, alice, bob, dave, propose):
        need_steps("one")
        dora = login("dora")
        lead("dora", "west")
        request = propose(alice, bob=250)
        seen = [Approver.load(user=user, today=TODAY).may_see(request) for user in (alice, sales.sumi, dave, dora, bob)]
        assert seen == [True, True, True, False, False]
