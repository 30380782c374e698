"""The page that works back from the KGI, and applying what it shows."""

from datetime import date

import pytest
import time_machine
from django.contrib.messages import get_messages
from django.utils import timezone

from kpis.models import BackCalculation, KpiTree, Period, Target, TargetRequest
from kpis.services.calendar import ensure_calendar
from kpis.services.target_requests import approve_request
from tenants.settings.models import CompanySettings
from tests.kpis.back_calculation import NOW, grow_tree, live_a_year
from tests.remembering import remembered

pytestmark = pytest.mark.django_db
TYPED = {"value": "27,000,000", "source_average_deal_size": "typed", "typed_average_deal_size": "1,000,000"}


@pytest.fixture(autouse=True)
def frozen():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
@remembered
def tree(in_acme):
    ensure_calendar(first_day=date(2025, 4, 1), last_day=date(2027, 3, 31))
    return grow_tree()


@pytest.fixture
@remembered
def lived(tree):
    live_a_year()
    return tree


@pytest.fixture
def visit(client_for, acme):
    def go(user, method="get", status=200, **data):
        client = client_for(user, acme)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        response = getattr(client, method)("/back-calculation/", data)
        assert response.status_code == status, response.content.decode()
        return response

    return go


def shown(response):
    return {row.step.stage: int(row.step.needed) for row in response.context["page"]["steps"]}


class TestQuestion:
    def test_is_filled_with_the_companys_own_rates_and_never_a_benchmark(self, visit, dave, lived):
        form = visit(dave).context["page"]["form"]
        assert form["source_win_rate"].value() == "own"
        assert form["source_lead_share"].value() == "own"

    def test_without_own_rates_it_says_where_the_way_ends(self, visit, dave, tree):
        page = visit(dave, value="1000000")
        assert page.context["page"]["form"]["source_win_rate"].value() == ""
        assert page.context["page"]["missing"] == ["平均受注単価"]

    def test_the_goal_is_the_kgis_target(self, visit, dave, lived):
        Target.objects.create(
            node=lived.nodes.get(code="bookings"), period_start=date(2026, 4, 1), value=5_000_000, initial_value=1
        )
        assert visit(dave).context["page"]["form"]["value"].value() == "5,000,000"

    def test_works_back_from_what_was_typed(self, visit, dave, lived):
        typed = {"source_win_rate": "typed", "typed_win_rate": "20", "source_lead_share": ""}
        page = visit(dave, value="２７，０００，０００", **typed)
        assert shown(page) == {
            "won_deals": 27,
            "closed_deals": 135,
            "opportunities": 135,
            "sql": 135,
            "mql": 675,
            "new_leads": 1350,
        }

    def test_the_benchmark_where_it_was_chosen(self, visit, dave, tree):
        page = visit(dave, **TYPED, source_win_rate="benchmark")
        assert shown(page)["closed_deals"] == 135

    def test_says_in_which_month_most_is_due_and_how_the_months_share_it(self, visit, dave, lived):
        page = visit(dave, value="9000000", period="month:2027-03-01", days_mql="30", source_lead_share="")
        rows = {row.step.stage: row for row in page.context["page"]["steps"]}
        opportunities = rows["opportunities"]
        assert (opportunities.first, opportunities.last) == ("Jan 2027", "Jan 2027")
        assert opportunities.lead == "Own close profile: 93% 2 months before"
        assert [(when, round(share * 100)) for when, share in opportunities.shares] == [
            ("2 months before", 93),
            ("3 months before", 7),
        ]
        assert (rows["mql"].lead, rows["mql"].shares) == ("30 days before the order (typed)", ())
        text = " ".join(page.content.decode().split())
        assert "<summary>Own close profile: 93% 2 months before</summary>" in text
        assert "3 months before" in text

    def test_people_who_do_not_suffice(self, visit, dave, lived):
        page = visit(dave, value="27000000", people_opportunities="1", each_opportunities="5")
        assert "The people do not suffice" in page.content.decode()

    def test_a_scenario_is_chosen_by_the_address(self, visit, dave, lived):
        page = visit(dave, value="27000000", scenario="cautious", source_lead_share="")
        assert shown(page)["closed_deals"] == 150

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"value": "much"}, "value"),
            ({"value": "1", "source_win_rate": "typed"}, "typed_win_rate"),
            ({"value": "1", "source_win_rate": "typed", "typed_win_rate": "101"}, "typed_win_rate"),
            ({"value": "1", "people_mql": "3"}, "each_mql"),
            ({"value": "1", "days_mql": "3", "days_sql": "30"}, "days_mql"),
        ],
    )
    def test_a_fault_stands_beside_its_field(self, visit, dave, lived, given, field):
        page = visit(dave, **given).context["page"]
        assert list(page["form"].errors) == [field]
        assert "steps" not in page

    def test_a_company_without_a_tree_is_told_so(self, visit, dave, in_acme):
        assert "There is no KPI tree yet" in visit(dave).content.decode()


class TestApply:
    def test_sets_the_targets_and_says_so(self, visit, dave, lived):
        response = visit(dave, "post", 302, value="27000000", reason="plan")
        assert "value=27000000" in response["Location"]
        assert sum(Target.objects.filter(node__code="closed_deals").values_list("value", flat=True)) == 120
        applied = BackCalculation.objects.get()
        assert (applied.applied_by, applied.reason) == (dave, "plan")

    def test_again_says_that_nothing_changed(self, visit, dave, lived, client_for, acme):
        client = client_for(dave, acme)
        client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
        data = {"value": "27000000", "reason": "plan"}
        first = client.post("/back-calculation/", data, follow=True).content.decode()
        again = client.post("/back-calculation/", data, follow=True).content.decode()
        assert "targets were set" in first
        assert "Nothing was changed" in again

    def test_says_that_closed_periods_stay(self, visit, dave, lived):
        visit(dave, "post", 302, value="27000000", reason="plan")
        Period.objects.filter(grain="month", start_date=date(2026, 4, 1)).update(state="closed")
        page = visit(dave, value="54000000")
        assert page.context["page"]["locked"] > 0
        assert "Closed periods keep their targets" in page.content.decode()

    def test_needs_a_reason(self, visit, dave, lived):
        visit(dave, "post", 422, value="27000000", reason="")
        assert not Target.objects.exists()

    def test_from_a_month_on(self, visit, dave, lived):
        visit(dave, "post", 302, value="27000000", reason="plan", first="2027-01-01")
        assert Target.objects.filter(node__code="bookings").count() == 3


class TestWho:
    def test_a_manager_looks_but_applies_only_to_his_own(self, visit, alice, lived):
        assert not visit(alice).context["page"]["may_apply"]
        visit(alice, "post", 403, value="27000000", reason="plan")
        lived.nodes.update(responsible_user=alice)
        visit(alice, "post", 302, value="27000000", reason="plan")

    def test_what_needs_approval_is_proposed(self, visit, alice, dave, lived):
        lived.nodes.update(responsible_user=alice)
        KpiTree.objects.update(status="active")
        CompanySettings.objects.update(target_approval="one")
        page = visit(alice, value="27000000").content.decode()
        assert "Propose the change" in page
        assert "Apply as targets" not in page
        response = visit(alice, "post", 302, value="27000000", reason="plan")
        (said,) = get_messages(response.wsgi_request)
        assert "targets are proposed for approval" in str(said)
        assert not Target.objects.exists()
        assert not BackCalculation.objects.applied().exists()
        approve_request(request=TargetRequest.objects.get(), actor=dave, now=timezone.now())
        assert sum(Target.objects.filter(node__code="closed_deals").values_list("value", flat=True)) == 120
        assert BackCalculation.objects.applied().get().applied_by == alice

    @pytest.mark.parametrize("name", ["bob", "vera", "hana"])
    def test_others_do_not(self, visit, request, lived, name):
        visit(request.getfixturevalue(name), status=403)

    def test_the_tree_leads_there_for_who_may(self, client_for, acme, dave, bob, lived):
        assert "/back-calculation/" in client_for(dave, acme).get("/kpis/").content.decode()
        assert "/back-calculation/" not in client_for(bob, acme).get("/kpis/").content.decode()
