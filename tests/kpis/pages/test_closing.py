"""Closing periods in a browser: the steps, what they would lock, and what is done about late changes."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest
import time_machine

from kpis.choices import Grain
from kpis.models import Deal, FactStream, KpiNode, LockedCell, Period
from kpis.selectors.calendar import find_period
from kpis.services.definitions import create_metric
from kpis.services.facts import upsert_facts
from kpis.services.periods import close_period
from kpis.services.recompute import recompute
from tenants.settings.models import CompanySettings
from tests.remembering import remembered

from .conftest import NOW, _deal

pytestmark = pytest.mark.django_db
OCTOBER = date(2026, 10, 1)
CLOSED_AT = datetime(2026, 11, 16, 1, tzinfo=UTC)


@pytest.fixture
@remembered
def october(world):
    period = find_period(Grain.MONTH, OCTOBER)
    assert period is not None
    return period


@pytest.fixture
@remembered
def late(world, october):
    """October is closed; then one of its two deals turns out to be worth more."""
    earlier = datetime(2026, 11, 1, tzinfo=UTC)
    Deal.objects.update(recorded_at=earlier, changed_at=earlier)
    close_period(period=october, actor=None, now=CLOSED_AT)
    dearer = _deal("d2", "dora", "2026-10-06", 400_000, "won")
    upsert_facts(resource="deals", source="crm", records=[dearer], now=NOW)
    recompute(now=NOW)
    return october


@pytest.fixture
def read(client_for, acme):
    def read(user, query="?start=2026-10-01", status=200):
        response = client_for(user, acme).get(f"/closing/{query}", headers={"accept-language": "en"})
        assert response.status_code == status
        return response.content.decode()

    return read


@pytest.fixture
def send_form(client_for, acme):
    """Sends a form and shows the page that follows."""

    def post(user, address, status=200, **fields):
        client = client_for(user, acme)
        response = client.post(address, fields, follow=True, headers={"accept-language": "en"})
        assert response.status_code == status
        return response.content.decode()

    return post


class TestSteps:
    def test_says_what_closing_would_lock(self, october, dave, read):
        FactStream.objects.update(expected_every=timedelta(hours=1), last_success_at=NOW - timedelta(days=2))
        page = read(dave)
        close_period(period=october, actor=dave, now=NOW)
        count = LockedCell.objects.filter(grain="month").count()
        assert f"{count} numbers, of the company and all segments" in page
        assert "Stale sources" in page and "<div>crm " in page

    def test_names_what_has_no_value(self, october, dave, read):
        assert "受注率（件数） <span" in read(dave, "?start=2026-09-01")

    def test_begins_with_the_latest_period_that_is_over(self, october, dave, read):
        assert "<h2>Oct 2026" in read(dave, "")

    def test_a_manager_makes_provisional_and_does_not_close(self, october, alice, read, send_form):
        page = read(alice)
        assert 'value="provisional"' in page
        assert 'value="close"' not in page
        assert "is provisional now" in send_form(alice, f"/closing/{october.public_id}/", step="provisional")
        send_form(alice, f"/closing/{october.public_id}/", step="close", status=403)
        assert Period.objects.get(pk=october.pk).state == "provisional"

    def test_an_owner_closes_and_is_named(self, october, dave, send_form):
        page = send_form(dave, f"/closing/{october.public_id}/", step="close", reason="All invoices are in.")
        assert "Its numbers are locked" in page
        assert "All invoices are in." in page and "Dave" in page

    def test_opening_again_needs_a_reason(self, late, dave, send_form):
        assert "Write why the period is opened again" in send_form(dave, f"/closing/{late.public_id}/", step="reopen")
        page = send_form(dave, f"/closing/{late.public_id}/", step="reopen", reason="A large order came late.")
        assert "is provisional again" in page
        assert not LockedCell.objects.exists()

    def test_a_running_period_waits(self, october, dave, read):
        assert "still running" in read(dave, "?start=2026-11-01")

    def test_members_do_not_come_here(self, october, bob, read):
        read(bob, status=403)


@pytest.fixture
def begun(world):
    """The company began with the fiscal year; 3 November is a holiday, so business day 5 after October is the 9th."""
    CompanySettings.objects.update(start_date=date(2026, 4, 1))
    Period.objects.filter(grain="month", end_date__lt=date(2026, 11, 1)).update(state="closed")


class TestDues:
    def lines(self, page):
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))

    def test_says_by_when_and_that_it_is_overdue(self, begun, october, dave, read):
        page = self.lines(read(dave))
        assert "Overdue This month was to be closed by Mon 9 Nov 2026." in page
        assert "To be provisional by Thu 5 Nov 2026 business day 3" in page
        assert "To be closed by Mon 9 Nov 2026 business day 5" in page

    def test_on_its_day_it_is_in_time(self, begun, october, dave, read):
        with time_machine.travel(datetime(2026, 11, 9, 14, tzinfo=UTC), tick=False):
            page = read(dave)
        assert "To be closed by Mon 9 Nov 2026" in page and "This month was to be closed" not in page

    def test_a_clock_that_stood_still_is_told_too(self, begun, october, dave, read):
        with time_machine.travel(datetime(2026, 11, 6, 3, tzinfo=UTC), tick=False):
            assert "It was to be provisional by Thu 5 Nov 2026." in read(dave)

    def test_a_running_month_says_when_it_will_be_due(self, begun, dave, read):
        assert "To be closed by Mon 7 Dec 2026" in read(dave, "?start=2026-11-01")

    def test_follows_the_settings(self, begun, october, dave, read):
        CompanySettings.objects.update(closing_business_day=12)
        page = read(dave)
        assert "To be closed by Wed 18 Nov 2026" in page and "This month was to be closed" not in page

    def test_what_is_closed_is_due_no_more(self, begun, october, dave, read):
        close_period(period=october, actor=dave, now=NOW)
        assert "Overdue" not in read(dave) and "Closed by" not in read(dave)

    def test_a_week_is_closed_with_its_month(self, begun, dave, read):
        assert "Closed with its month" in read(dave, "?grain=week")

    def test_before_the_company_began_nothing_is_overdue(self, begun, october, dave, read):
        CompanySettings.objects.update(start_date=date(2026, 11, 1))
        assert "Overdue" not in read(dave)

    def test_the_first_page_tells_who_may_close(self, begun, october, dave, alice, client_for, acme):
        def line(user):
            page = client_for(user, acme).get("/", headers={"accept-language": "en"}).content.decode()
            found = re.search(r'id="panel-closing">(.*?)</section>', page, re.S)
            return found and self.lines(found[1])

        assert "Oct 2026" in line(dave) and "Overdue To be closed by Mon 9 Nov 2026" in line(dave)
        assert line(alice) is None
        close_period(period=october, actor=dave, now=NOW)
        assert line(dave) is None

    def test_an_owner_sets_the_days_and_not_the_wrong_way_round(self, begun, october, dave, read, client_for, acme):
        address = "/admin/company_settings/companysettings/1/change/"
        assert f'href="{address}"' in read(dave)
        client = client_for(dave, acme)
        form = client.get(address).context["adminform"].form
        fields = {name: value for name, value in form.initial.items() if value is not None}
        refused = client.post(address, {**fields, "closing_business_day": 2}, headers={"accept-language": "en"})
        assert "Choose business day 3 or a later one." in refused.content.decode()
        client.post(address, {**fields, "closing_business_day": 8})
        assert CompanySettings.objects.get().closing_business_day == 8

    def test_who_may_not_set_them_gets_no_link(self, begun, october, alice, read):
        assert "companysettings" not in read(alice)


class TestLateChanges:
    def test_lists_locked_and_now_with_the_cause(self, late, dave, read):
        page = read(dave)
        assert "2 KPIs to decide on" not in page
        assert "1 KPI to decide on" in page
        assert "At closing 800,000 JPY → now 1,100,000 JPY: Amount changed in 1 record" in page

    def test_a_number_of_customers_tells_its_cause_and_its_records(self, world, october, dave, read, client_for, acme):
        earlier = datetime(2026, 11, 1, tzinfo=UTC)
        begun = {"account": "A", "starts_on": "2026-04-01", "mrr": 100}
        for resource, record in (("accounts", {"external_id": "A", "name": "A社"}), ("contracts", begun)):
            upsert_facts(resource=resource, source="crm", records=[{"external_id": "A", **record}], now=earlier)
        words = {"code": "churn", "name": "解約率", "unit": "percent", "accumulation": "rate"}
        metric = create_metric(**words, spec={"kind": "retention", "measure": "logo_churn"}, actor=None, now=earlier)
        node = KpiNode.objects.create(
            tree=world.tree, parent=world.factor, level="kpi", code="churn", name="解約率", metric=metric
        )
        recompute(now=earlier)
        close_period(period=october, actor=None, now=CLOSED_AT)
        ended = {"external_id": "A", **begun, "ends_on": "2026-10-20"}
        upsert_facts(resource="contracts", source="crm", records=[ended], now=NOW)
        recompute(now=NOW)
        assert "At closing 0.0% → now 100.0%: Ends on (exclusive) changed in 1 record" in read(dave)
        asked = {"start": "2026-10-01", "as_of": CLOSED_AT.isoformat()}
        page = client_for(dave, acme).get(f"/kpis/{node.public_id}/records/", asked).content.decode()
        assert page.count("2026/10/20") == 1 and "100円 → 0円" in page  # it lessens no customer at the start

    def test_many_tell_the_rest_of_their_causes_when_asked(self, world, october, dave, read, monkeypatch):
        monkeypatch.setattr("kpis.views.closing.EXPLAINED", 1)
        Deal.objects.update(recorded_at=datetime(2026, 11, 1, tzinfo=UTC), changed_at=datetime(2026, 11, 1, tzinfo=UTC))
        close_period(period=october, actor=None, now=CLOSED_AT)
        lost = _deal("d2", "dora", "2026-10-06", 100_000, "lost")
        upsert_facts(resource="deals", source="crm", records=[lost], now=NOW)
        recompute(now=NOW)
        page = read(dave)
        assert "3 KPIs to decide on" in page  # bookings, win rate, won deals
        assert page.count("At closing") == 1
        found = re.search(r'<a [^>]*href="([^"]+)"[^>]*hx-select-oob="([^"]+)">Show the causes of 2 more', page)
        more = read(dave, unescape(found[1]))
        assert more.count("At closing") == 3 and "more-causes" not in more
        for place in found[2].split(","):  # what is taken out of the answer holds the sentence
            assert re.search(rf'<p id="{place.removeprefix("#")}">At closing', more)

    def test_approving_locks_the_new_number_and_keeps_the_old_in_sight(self, late, world, dave, send_form):
        address = f"/closing/{late.public_id}/restatements/"
        page = send_form(dave, address, node=world.goal.public_id, verdict="approved", reason="Contract was extended.")
        assert "to decide on" not in page
        assert "<s>" in page and "800,000" in page and "Contract was extended." in page
        assert LockedCell.objects.get(node=world.goal, grain="month", dimension="company").value == 1_100_000

    def test_refusing_keeps_the_locked_number_and_says_so(self, late, world, dave, read, send_form):
        send_form(dave, f"/closing/{late.public_id}/restatements/", verdict="refused", reason="Belongs to November.")
        page = read(dave)
        assert "Refused: the locked number stands" in page
        assert "Belongs to November." in page
        assert LockedCell.objects.get(node=world.goal, grain="month", dimension="company").value == 800_000

    def test_a_reason_is_needed(self, late, dave, send_form):
        page = send_form(dave, f"/closing/{late.public_id}/restatements/", verdict="approved", reason=" ")
        assert "Write why" in page
        assert "1 KPI to decide on" in page

    def test_a_manager_sees_them_and_does_not_decide(self, late, alice, read, send_form):
        page = read(alice)
        assert "An owner or a consultant approves or refuses." in page
        send_form(alice, f"/closing/{late.public_id}/restatements/", verdict="approved", reason="No.", status=403)

    def test_the_records_page_says_that_it_was_refused(self, late, world, client_for, acme, dave, send_form):
        send_form(dave, f"/closing/{late.public_id}/restatements/", verdict="refused", reason="Belongs to November.")
        asked = {"start": "2026-10-01", "as_of": CLOSED_AT.isoformat()}
        page = client_for(dave, acme).get(f"/kpis/{world.goal.public_id}/records/", asked).content.decode()
        assert "Belongs to November." in page
