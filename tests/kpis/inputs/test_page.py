"""The page 「入力」: whose values wait, typing them, the way back, the last year."""

import re
from datetime import date
from typing import Any

import pytest

from kpis.models import KpiNode, ManualEntry, MetricVersion, Person
from kpis.services.entries import enter_value
from tenants.accounts.models import User
from tests.kpis.inputs.conftest import NOVEMBER, NOW, SEPTEMBER, Visits, ask, close, person

pytestmark = pytest.mark.django_db
ROW = re.compile(r'<li class="entry( is-late)?" id="entry-visits-(\S+)-(\d+)">')


def rows(page: str) -> list[str]:
    """The starts of the periods that wait, in order."""
    return [found[1] for found in ROW.findall(page)]


class TestWhatWaits:
    def test_the_owner_sees_what_is_overdue_with_what_stands_beside(self, visits: Visits, bob: User, page: Any) -> None:
        enter_value(metric=visits.metric, period_start=SEPTEMBER, value=37, actor=None, now=NOW)
        shown = page(bob)
        assert rows(shown) == ["2026-10-01"]
        assert "7 business days overdue" in shown
        assert ">37<" in shown
        assert ">40<" in shown

    def test_due_is_said_in_words_until_then(self, visits: Visits, bob: User, page: Any) -> None:
        ask(visits.node, due_business_day=10)
        assert "due today" in page(bob)
        ask(visits.node, due_business_day=11)
        assert "11/17" in page(bob, language="ja")

    def test_nothing_from_before_the_company_began(self, visits: Visits, bob: User, page: Any) -> None:
        assert "2026-09-01" not in rows(page(bob))

    def test_nothing_of_a_period_whose_values_are_computed(self, visits: Visits, bob: User, page: Any) -> None:
        spec = {"kind": "simple", "fact": "activities", "date": "occurred_on", "aggregate": "count"}
        MetricVersion.objects.create(metric=visits.metric, number=2, spec=spec, effective_from=date(2026, 10, 1))
        assert rows(page(bob)) == []

    def test_nothing_of_a_closed_period(self, visits: Visits, bob: User, page: Any) -> None:
        close()
        shown = page(bob)
        assert rows(shown) == []
        assert "Dave can reopen a period with a reason" in shown

    def test_a_metric_in_two_trees_waits_once(self, visits: Visits, world: Any, bob: User, page: Any) -> None:
        other = KpiNode.objects.get(pk=visits.node.pk)
        tree = world.tree
        tree.pk, tree.public_id, tree.name = None, None, "Second"
        tree.public_id = "00000000-0000-4000-8000-000000000001"
        tree.save()
        other.pk, other.tree, other.parent, other.public_id = None, tree, None, "00000000-0000-4000-8000-000000000002"
        other.save()
        assert rows(page(bob)) == ["2026-10-01"]


class TestWhose:
    def test_the_deputy_sees_it_once_it_is_late(self, visits: Visits, alice: User, page: Any) -> None:
        assert rows(page(alice)) == ["2026-10-01"]
        ask(visits.node, due_business_day=10)
        assert rows(page(alice)) == []

    @pytest.mark.parametrize("gone", [{"left_on": date(2026, 11, 10)}, {"user": None}])
    def test_the_deputy_sees_it_at_once_where_the_owner_is_away(
        self, visits: Visits, alice: User, page: Any, gone: dict[str, Any]
    ) -> None:
        ask(visits.node, due_business_day=10)
        Person.objects.filter(external_id="bob").update(**gone)
        assert rows(page(alice)) == ["2026-10-01"]

    def test_who_runs_the_company_may_look_at_all(self, visits: Visits, dave: User, page: Any) -> None:
        assert rows(page(dave)) == []
        shown = page(dave, "?whose=all")
        assert rows(shown) == ["2026-10-01"]
        assert "Bob" in shown

    def test_a_manager_may_not(self, visits: Visits, alice: User, page: Any) -> None:
        ask(visits.node, due_business_day=10)
        assert rows(page(alice, "?whose=all")) == []

    def test_each_person_is_asked_beside_the_company(self, visits: Visits, bob: User, page: Any, dave: User) -> None:
        ask(visits.node, entered_for="person")
        assert len(rows(page(bob))) == 2
        assert len(rows(page(dave, "?whose=all"))) == 4  # the company, Bob, Cleo and Dora

    def test_each_team_is_asked_by_who_leads_it(self, visits: Visits, alice: User, page: Any) -> None:
        ask(visits.node, entered_for="team", due_business_day=10, deputy=None)
        shown = page(alice)
        assert rows(shown) == ["2026-10-01"]
        assert "東日本営業部" in shown

    def test_a_viewer_has_no_such_page(self, visits: Visits, vera: User, client_for: Any, acme: Any) -> None:
        assert client_for(vera, acme).get("/inputs/").status_code == 403


class TestTyping:
    @pytest.mark.parametrize("text", ["１，２３４", "1,234", " 1234件 "])
    def test_takes_numbers_as_people_write_them(self, visits: Visits, bob: User, type_in: Any, text: str) -> None:
        answer = type_in(bob, visits.cell(text))
        assert answer.status_code == 200
        entry = visits.entry()
        assert entry is not None
        assert (entry.value, entry.entered_by, entry.entered_at) == (1234, bob, NOW)

    def test_a_percent_field_is_in_percent(self, visits: Visits, bob: User, type_in: Any) -> None:
        type(visits.metric).objects.update(unit="percent")
        assert type_in(bob, visits.cell("0.5")).status_code == 422
        type_in(bob, visits.cell("２３.４"))
        assert str(visits.entry().value.normalize()) == "0.234"

    def test_an_amount_counts_in_the_scale_of_the_page(self, visits: Visits, bob: User, type_in: Any) -> None:
        type(visits.metric).objects.update(unit="amount")
        type_in(bob, visits.cell("△12", scale="thousand"))
        assert visits.entry().value == -12000

    def test_what_is_no_number_stays_in_the_field(self, visits: Visits, bob: User, type_in: Any) -> None:
        answer = type_in(bob, visits.cell("about 12"))
        assert answer.status_code == 422
        shown = answer.content.decode()
        assert 'value="about 12"' in shown
        assert "“about 12” is not a number." in shown
        assert visits.entry() is None

    def test_nothing_typed_is_not_zero(self, visits: Visits, bob: User, type_in: Any) -> None:
        answer = type_in(bob, visits.cell(""))
        assert answer.status_code == 422
        assert "Write a value, or say why there is none." in answer.content.decode()

    def test_no_value_needs_words(self, visits: Visits, bob: User, type_in: Any) -> None:
        assert type_in(bob, visits.cell(absence="no_denominator")).status_code == 422
        answer = type_in(bob, visits.cell(absence="no_denominator", note="展示会が中止"))
        assert "No cases" in answer.content.decode()
        assert visits.entry().absence == "no_denominator"

    def test_undo_lets_it_wait_again(self, visits: Visits, bob: User, type_in: Any, page: Any) -> None:
        done = type_in(bob, visits.cell("12")).content.decode()
        seen_at = re.search(r'name="seen_at" value="([^"]+)"', done)[1]
        again = type_in(bob, visits.cell(seen_at=seen_at), "undo")
        assert ROW.search(again.content.decode())
        assert visits.entry() is None
        assert rows(page(bob)) == ["2026-10-01"]

    def test_somebody_was_quicker(self, visits: Visits, bob: User, dave: User, type_in: Any) -> None:
        enter_value(metric=visits.metric, period_start=date(2026, 10, 1), value=3, actor=dave, now=NOW)
        answer = type_in(bob, visits.cell("12"))
        assert answer.status_code == 422
        assert "Dave has typed here in the meantime" in answer.content.decode()
        assert visits.entry().value == 3

    def test_without_script_the_page_comes_back(
        self, visits: Visits, bob: User, client_for: Any, acme: Any, page: Any
    ) -> None:
        client = client_for(bob, acme)
        refused = client.post("/inputs/enter/", visits.cell("x"))
        assert refused.status_code == 422
        assert 'value="x"' in refused.content.decode()
        assert client.post("/inputs/enter/", visits.cell("12"))["location"] == "/inputs/"
        assert visits.entry().value == 12

    def test_somebody_else_may_not(self, visits: Visits, type_in: Any) -> None:
        cleo = person("cleo")
        bob = User.objects.get(username="bob")
        Person.objects.filter(user=bob).update(user=None)
        Person.objects.filter(pk=cleo.pk).update(user=bob)
        assert type_in(bob, visits.cell("12")).status_code == 403
        assert visits.entry() is None

    @pytest.mark.parametrize("changed", [{"start": "2026-10-02"}, {"start": "x"}, {"node": "x"}, {"member": "bob"}])
    def test_what_is_not_asked_for_is_not_there(
        self, visits: Visits, bob: User, type_in: Any, changed: dict[str, str]
    ) -> None:
        assert type_in(bob, visits.cell("12") | changed).status_code == 404


class TestTheLastYear:
    def test_says_who_typed_what(self, visits: Visits, bob: User, dave: User, page: Any) -> None:
        enter_value(metric=visits.metric, period_start=SEPTEMBER, value=37, note="推計", actor=dave, now=NOW)
        shown = page(bob, language="ja")
        assert "Dave · 11/16 12:00" in shown
        assert "推計" in shown

    def test_is_corrected_in_place(self, visits: Visits, bob: User, dave: User, type_in: Any) -> None:
        enter_value(metric=visits.metric, period_start=SEPTEMBER, value=37, actor=dave, now=NOW)
        answer = type_in(bob, visits.cell("38", was="past", start="2026-09-01"), **{"accept-language": "ja"})
        assert "Bob · 11/16 12:00" in answer.content.decode()
        assert ManualEntry.objects.get().value == 38

    def test_a_closed_month_is_not(self, visits: Visits, bob: User, type_in: Any) -> None:
        close(SEPTEMBER)
        answer = type_in(bob, visits.cell("38", was="past", start="2026-09-01"))
        assert answer.status_code == 422
        assert "is closed. Reopen it with a reason" in answer.content.decode()


class TestToday:
    def test_counts_what_waits(self, visits: Visits, bob: User, client_for: Any, acme: Any) -> None:
        def first_page() -> str:
            return client_for(bob, acme).get("/", headers={"accept-language": "en"}).content.decode()

        assert "1 value waits to be typed. 1 of them is overdue." in first_page()
        enter_value(metric=visits.metric, period_start=date(2026, 10, 1), value=3, actor=bob, now=NOW)
        assert "Everything is typed." in first_page()

    def test_says_nothing_to_who_types_nothing(self, visits: Visits, dave: User, client_for: Any, acme: Any) -> None:
        assert 'id="panel-inputs"' not in client_for(dave, acme).get("/").content.decode()


class TestTheKpi:
    @pytest.fixture
    def kpi(self, visits: Visits, client_for: Any, acme: Any) -> Any:
        def read(user: User, node: KpiNode = visits.node) -> str:
            response = client_for(user, acme).get(f"/kpis/{node.public_id}/", headers={"accept-language": "en"})
            return response.content.decode()

        return read

    def test_says_who_types_it_and_what_waits(self, kpi: Any, bob: User, vera: User) -> None:
        shown = kpi(bob)
        assert "Typed by Bob. Deputy: Alice. 1 value waits to be typed." in shown
        assert 'href="/inputs/"' in shown
        assert 'href="/inputs/"' not in kpi(vera)

    def test_says_nothing_of_it_where_values_are_computed(self, kpi: Any, world: Any, bob: User) -> None:
        assert 'id="panel-typed"' not in kpi(bob, world.rate)


def test_the_running_month_is_not_asked_for(visits: Visits, bob: User, page: Any) -> None:
    assert NOVEMBER.isoformat() not in rows(page(bob))
