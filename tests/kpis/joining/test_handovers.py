"""The handover ledger: what marketing handed over, how sales answered, and who may read it."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kpis.engine.handover import Standing, summarise
from kpis.models import FactStream, HandoverDefinition, Person
from kpis.selectors.handover_check import check_handover
from kpis.selectors.handovers import Handover, narrow_handovers, read_handovers, summarise_by_source
from kpis.services.handover import HandoverError, define_handover
from kpis.services.recompute import recompute
from tenants.accounts.models import User
from tenants.registry import ItemStatus
from tests.kpis.joining.conftest import NOW, deal, lead, send

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_acme")]

MONDAY = date(2026, 11, 9)
AGREED = {
    "mql_meaning": "スコア60点以上",
    "sql_meaning": "課題と時期を確認した",
    "response_hours": Decimal(4),
    "marketing_name": "田中",
    "sales_name": "佐藤",
    "agreed_on": date(2026, 4, 1),
    "effective_from": date(2026, 4, 1),
}


def agree(**more: object) -> HandoverDefinition:
    return define_handover(**{**AGREED, **more}, actor=None, now=NOW)


def stage(lead_id: str, code: str, at: str, **more: object) -> None:
    record = {"external_id": f"{lead_id}-{code}-{at}", "lead": lead_id, "stage": code, "entered_at": f"{at}:00+09:00"}
    send("ma", "lead-stage-events", record | more)


def call(lead_id: str, at: str, *, is_timed: bool = True, **more: object) -> None:
    timed = {"happened_at": f"{at}:00+09:00"} if is_timed else {}
    record = {"external_id": f"{lead_id}-{at}", "kind": "call", "happened_on": at[:10], "lead": lead_id}
    send("ma", "activities", record | timed | more)


def handed(lead_id: str, at: str = "2026-11-09T10:00", **more: object) -> None:
    lead(lead_id, **more)
    stage(lead_id, "mql", at)


@pytest.fixture
def ledger() -> Callable[[], dict[str, Handover]]:
    def read() -> dict[str, Handover]:
        recompute(now=NOW)
        rows = read_handovers(date(2026, 11, 1), date(2026, 12, 1), now=NOW)
        return {row.lead.external_id: row for row in rows}

    return read


class TestLedger:
    def test_lists_what_the_number_of_mqls_counts(self, ledger, counted) -> None:
        handed("L1")
        lead("L2", mql_on="2026-11-05")
        lead("L3")
        handed("L4", "2026-10-05T10:00", day="2026-10-02")
        assert sorted(ledger()) == ["L1", "L2"]
        assert counted("mql_on") == ["L1", "L2", "L4"]

    def test_measures_the_first_contact_in_office_hours(self, ledger) -> None:
        agree()
        handed("L1", "2026-11-06T17:00")  # a Friday
        call("L1", "2026-11-05T09:00")
        call("L1", "2026-11-10T09:00")
        call("L1", "2026-11-09T10:30")
        row = ledger()["L1"]
        assert row.contact.happened_on == MONDAY
        assert (row.response.hours, row.response.days, row.is_in_time) == (Decimal("2.50"), 1, True)

    def test_without_times_says_days_and_judges_only_what_is_sure(self, ledger) -> None:
        agree()
        for number, day in enumerate(("2026-11-09", "2026-11-12"), start=1):
            lead(f"L{number}", mql_on="2026-11-09")
            call(f"L{number}", f"{day}T10:00", is_timed=False)
        rows = ledger()
        assert [(row.response.hours, row.response.days, row.is_in_time) for row in rows.values()] == [
            (None, 3, False),
            (None, 0, None),
        ]

    def test_without_a_contact_it_is_late_as_soon_as_the_time_is_over(self, ledger) -> None:
        agree()
        call("elsewhere", "2026-11-02T10:00")
        handed("L1", "2026-11-13T10:00")
        handed("L2", "2026-11-16T10:00")  # two hours ago
        rows = ledger()
        assert (rows["L1"].response, rows["L1"].is_in_time) == (None, False)
        assert rows["L2"].is_in_time is None

    def test_what_has_not_been_delivered_is_no_delay(self, ledger) -> None:
        agree()
        handed("L1", "2026-11-12T10:00")
        row = ledger()["L1"]
        assert (row.is_contacted, row.is_in_time) == (None, None)
        assert summarise([row.counted]).contact_rate is None
        call("elsewhere", "2026-11-02T10:00")
        assert ledger()["L1"].is_in_time is False
        FactStream.objects.filter(fact="activities").update(last_success_at="2026-11-12T11:00:00+09:00")
        row = ledger()["L1"]
        assert (row.is_contacted, row.is_in_time) == (False, None)

    def test_reads_with_as_many_queries_for_many_as_for_one(self, ledger) -> None:
        counts = []
        for batch in range(2):
            for number in range(1 + 4 * batch):
                handed(f"L{batch}{number}", email_hash=f"p{batch}{number}@example.co.jp")
            recompute(now=NOW)
            with CaptureQueriesContext(connection) as queries:
                read_handovers(date(2026, 11, 1), date(2026, 12, 1), now=NOW)
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 15

    def test_without_an_agreement_nothing_is_late(self, ledger) -> None:
        handed("L1", "2026-11-02T10:00")
        call("elsewhere", "2026-11-02T10:00")
        assert ledger()["L1"].is_in_time is None

    def test_each_is_judged_by_what_was_agreed_on_its_day(self, ledger) -> None:
        agree()
        agree(effective_from=date(2026, 11, 10), response_hours=Decimal(1))
        for name, day in (("old", "2026-11-09"), ("new", "2026-11-10")):
            handed(name, f"{day}T10:00")
            call(name, f"{day}T12:00")
        assert {name: row.is_in_time for name, row in ledger().items()} == {"old": True, "new": False}

    def test_accepted_returned_or_waiting_is_what_came_last(self, ledger) -> None:
        for name in ("waiting", "accepted", "returned", "again", "gone"):
            handed(name)
        stage("accepted", "sql", "2026-11-10T10:00")
        stage("returned", "returned", "2026-11-10T10:00", attributes={"reason": "時期が未定"})
        stage("again", "returned", "2026-11-10T10:00")
        stage("again", "mql", "2026-11-12T10:00")
        lead("gone", disqualified_on="2026-11-11", disqualified_reason="競合")
        rows = ledger()
        assert {name: row.standing.value for name, row in rows.items()} == {
            "waiting": "waiting",
            "accepted": "accepted",
            "returned": "returned",
            "again": "waiting",
            "gone": "returned",
        }
        assert (rows["returned"].reason, rows["gone"].reason, rows["again"].reason) == ("時期が未定", "競合", "")

    def test_a_linked_deal_accepts_and_its_visits_are_contacts(self, ledger) -> None:
        handed("L1", email_hash="hana@example.co.jp")
        deal("D1", "2026-11-11", email_hash="hana@example.co.jp")
        send("crm", "activities", {"external_id": "V", "kind": "visit", "happened_on": "2026-11-11", "deal": "D1"})
        row = ledger()["L1"]
        assert (row.standing, row.settled_on, row.deal.external_id) == (Standing.ACCEPTED, date(2026, 11, 11), "D1")
        assert row.contact.kind == "visit"

    def test_what_a_duplicate_tells_belongs_to_the_lead_that_is_counted(self, ledger) -> None:
        lead("first", email_hash="hana@example.co.jp")
        handed("second", day="2026-11-04", email_hash="hana@example.co.jp")
        call("second", "2026-11-09T11:00")
        rows = ledger()
        assert list(rows) == ["first"]
        assert rows["first"].response.hours == Decimal("1.00")


class TestSummary:
    def test_by_lead_source_and_what_is_missing_is_no_zero(self, ledger) -> None:
        agree()
        handed("fair1", lead_source="展示会")
        call("fair1", "2026-11-09T12:00")
        stage("fair1", "sql", "2026-11-10T10:00")
        handed("fair2", lead_source="展示会")
        stage("fair2", "returned", "2026-11-10T10:00")
        handed("web", "2026-11-16T11:30", lead_source="Web")
        fair, web = summarise_by_source(ledger().values())
        assert (fair.source.name, fair.summary.handed, fair.summary.acceptance_rate) == ("展示会", 2, Decimal("0.5"))
        assert (fair.summary.in_time, fair.summary.judged, fair.summary.median_hours) == (1, 2, Decimal("2.00"))
        assert (web.summary.acceptance_rate, web.summary.in_time_rate, web.summary.median_hours) == (None, None, None)
        assert web.summary.contact_rate == 0

    def test_parts_add_up_to_the_whole(self, ledger) -> None:
        for number in range(6):
            handed(f"L{number}", lead_source=("Web", "展示会", "紹介")[number % 3])
        rows = tuple(ledger().values())
        whole = summarise([row.counted for row in rows])
        assert sum(line.summary.handed for line in summarise_by_source(rows)) == whole.handed == 6
        assert len(narrow_handovers(rows, source="Web")) == 2


class TestDefinition:
    def test_two_departments_agree_and_every_version_stays(self) -> None:
        agree()
        agree(effective_from=date(2026, 12, 1), response_hours=Decimal(2))
        assert HandoverDefinition.objects.count() == 2

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("sales_name", "田中"),
            ("sales_name", " "),
            ("response_hours", Decimal(0)),
            ("mql_meaning", ""),
            ("effective_from", date(2026, 3, 31)),
        ],
    )
    def test_refuses_what_is_no_agreement(self, field, value) -> None:
        with pytest.raises(HandoverError) as refusal:
            agree(**{field: value})
        assert [issue.field for issue in refusal.value.issues] == [field]
        assert not HandoverDefinition.objects.exists()

    def test_the_checklist_asks_for_it_every_year(self) -> None:
        assert check_handover(NOW.date()).status == ItemStatus.NOT_STARTED
        agree()
        assert check_handover(NOW.date()).status == ItemStatus.DONE
        assert check_handover(date(2027, 4, 2)).status == ItemStatus.EXPIRED


@pytest.fixture
def handed_over(in_acme: object) -> None:
    """Two leads of bob's and one of dora's, in November."""
    agree()
    for name in ("bob", "dora"):
        send("ma", "people", {"external_id": name, "name": name.title()})
    Person.objects.filter(external_id="bob").update(user=User.objects.get(username="bob"))
    handed("L1", owner="bob", lead_source="展示会", source_url="https://ma.example/L1")
    handed("L2", owner="bob", lead_source="Web")
    handed("L3", owner="dora", lead_source="Web")
    call("L1", "2026-11-09T11:30")
    stage("L1", "sql", "2026-11-10T10:00")
    stage("L3", "returned", "2026-11-10T10:00", attributes={"reason": "予算なし"})
    recompute(now=NOW)


@pytest.fixture
def page_of(client_for, acme):
    def read(user: User, path: str = "/handover/", **params: str) -> str:
        with time_machine.travel(NOW, tick=False):
            response = client_for(user, acme).get(path, params, headers={"accept-language": "en"})
        assert response.status_code == 200, response.status_code
        return response.content.decode("utf-8-sig")

    return read


@pytest.mark.usefixtures("handed_over")
class TestPage:
    def test_says_what_was_agreed_and_what_became_of_it(self, dave, page_of) -> None:
        page = page_of(dave)
        assert "<strong>3</strong> leads over to sales: <strong>1</strong> accepted" in page
        assert "スコア60点以上" in page
        assert 'href="https://ma.example/L1"' in page
        assert "1.5 hours" in page
        assert "予算なし" in page

    def test_is_narrowed_by_status_source_and_person(self, dave, page_of) -> None:
        page = page_of(dave, standing="returned", source="Web", owner="dora")
        assert ">L3<" in page
        assert ">L2<" not in page

    def test_a_member_reads_the_own_leads_and_the_companys_totals(self, bob, page_of) -> None:
        page = page_of(bob)
        assert "<strong>3</strong> leads over to sales" in page
        assert ">L2<" in page
        assert ">L3<" not in page

    def test_a_viewer_reads_totals_alone(self, vera, page_of) -> None:
        page = page_of(vera)
        assert "<strong>3</strong> leads over to sales" in page
        assert ">L2<" not in page

    def test_its_file_has_every_row_in_sight(self, bob, page_of) -> None:
        lines = page_of(bob, "/handover/ledger.csv").splitlines()
        assert len(lines) == 3
        assert "1.5" in "".join(lines)

    def test_a_new_agreement_is_typed_once(self, dave, client_for, acme) -> None:
        typed = {name: str(value) for name, value in AGREED.items()}
        with time_machine.travel(NOW, tick=False):
            client = client_for(dave, acme)
            assert client.post("/handover/definition/", typed | {"sales_name": "田中"}).status_code == 422
            assert client.post("/handover/definition/", typed | {"response_hours": "2"}).status_code == 302
        assert HandoverDefinition.objects.first().response_hours == 2


class TestMoments:
    def test_a_source_that_knows_only_the_day_writes_midnight(self, ledger) -> None:
        handed("L1", "2026-11-10T00:00")
        call("L1", "2026-11-10T10:30")
        row = ledger()["L1"]
        assert (row.handed_at, row.response.hours) == (None, None)

    def test_the_day_is_the_companys_not_that_of_utc(self, ledger) -> None:
        handed("L1", "2026-11-10T08:00")  # still the 9th in London
        call("L1", "2026-11-10T08:30")
        row = ledger()["L1"]
        assert row.day == date(2026, 11, 10)
        assert row.handed_at.isoformat() == "2026-11-10T08:00:00+09:00"
        assert row.response.hours == 0
