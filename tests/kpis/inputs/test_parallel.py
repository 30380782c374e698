"""並行確認: typed visits beside the won deals of the CRM, until these may take their place.

Two deals were won in October, by Bob on the 5th and by Dora on the 6th; none in the months before.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis.engine.parallel import Verdict, compare, equal_months
from kpis.engine.values import Absence
from kpis.models import FactStream, ManualEntry, Metric, ParallelCheck
from kpis.selectors.inputs import read_inputs
from kpis.selectors.matrix import MatrixQuery, build_matrix
from kpis.selectors.parallel import CheckTable, read_check
from kpis.services.definitions import create_metric
from kpis.services.entries import enter_value
from kpis.services.parallel import ParallelError, start_check, stop_check, switch_to_automatic
from tests.kpis.inputs.conftest import NOVEMBER, NOW, OCTOBER, SEPTEMBER, Visits
from tests.remembering import remembered

pytestmark = pytest.mark.django_db
AUGUST = date(2026, 8, 1)
READ = datetime(2026, 11, 15, tzinfo=UTC)


def type_months(visits: Visits, **months: int) -> None:
    starts = {"august": AUGUST, "september": SEPTEMBER, "october": OCTOBER, "november": NOVEMBER}
    for name, value in months.items():
        enter_value(metric=visits.metric, period_start=starts[name], value=Decimal(value), actor=None, now=NOW)


@pytest.fixture
@remembered
def won(visits: Visits) -> Metric:
    """The CRM has been read since the spring, last yesterday."""
    FactStream.objects.update_or_create(
        source="crm", fact="deals", defaults={"last_success_at": READ, "covered_from": date(2026, 4, 1)}
    )
    return Metric.objects.get(code="won_deals")


@pytest.fixture
def check(visits: Visits, won: Metric, dave: Any) -> ParallelCheck:
    return start_check(metric=visits.metric, candidate=won, actor=dave, now=NOW)


def table_of(check: ParallelCheck, visits: Visits) -> CheckTable:
    return read_check(check, visits.node.tree, now=NOW)


def issues_of(refused: pytest.ExceptionInfo[ParallelError]) -> list[str]:
    return [issue.field for issue in refused.value.issues]


class TestStart:
    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"candidate": "visits"}, "candidate"),
            ({"candidate": "bookings"}, "candidate"),
            ({"candidate": "double_visits"}, "candidate"),
            ({"metric": "won_deals", "candidate": "closed_deals"}, "metric"),
            ({"tolerance": Decimal(-1)}, "tolerance"),
            ({"months_needed": 0}, "months_needed"),
        ],
    )
    def test_refuses_what_cannot_be_compared(
        self, visits: Visits, won: Metric, changed: dict[str, Any], field: str
    ) -> None:
        create_metric(
            code="double_visits",
            name="2倍",
            unit="count",
            accumulation="sum",
            spec={"kind": "formula", "expression": "visits * 2"},
            actor=None,
            now=NOW,
        )
        asked = {"metric": visits.metric, "candidate": won} | {
            name: Metric.objects.get(code=value) if isinstance(value, str) else value for name, value in changed.items()
        }
        with pytest.raises(ParallelError) as refused:
            start_check(**asked, actor=None, now=NOW)
        assert issues_of(refused) == [field]

    def test_one_at_a_time(self, check: ParallelCheck, visits: Visits, won: Metric) -> None:
        with pytest.raises(ParallelError, match="訪問数"):
            start_check(metric=visits.metric, candidate=won, actor=None, now=NOW)


class TestMonths:
    def test_typed_beside_automatic(self, check: ParallelCheck, visits: Visits) -> None:
        type_months(visits, august=0, september=3, october=2)
        table = table_of(check, visits)
        assert [(month.period.start_date, month.compared.verdict) for month in table.months[:4]] == [
            (OCTOBER, Verdict.EQUAL),
            (SEPTEMBER, Verdict.DIFFERENT),
            (AUGUST, Verdict.EQUAL),
            (date(2026, 7, 1), Verdict.NOT_TYPED),
        ]
        assert table.months[1].compared.difference == -3
        assert (table.equal_count, table.is_earned) == (1, False)

    def test_a_source_that_was_not_read_since_differs_from_nothing(self, check: ParallelCheck, visits: Visits) -> None:
        type_months(visits, august=0, september=0, october=9)
        FactStream.objects.update(last_success_at=READ - timedelta(days=20))
        table = table_of(check, visits)
        assert table.months[0].compared.verdict is Verdict.INCOMPLETE
        assert table.equal_count == 2

    def test_a_tolerance_is_in_the_unit(self, visits: Visits, won: Metric) -> None:
        check = start_check(metric=visits.metric, candidate=won, tolerance=Decimal(1), actor=None, now=NOW)
        type_months(visits, october=3)
        assert table_of(check, visits).months[0].compared.verdict is Verdict.EQUAL


class TestSwitch:
    def test_after_enough_equal_months_and_history_stays_typed(
        self, check: ParallelCheck, visits: Visits, dave: Any
    ) -> None:
        type_months(visits, august=0, september=0, october=2)
        ended = switch_to_automatic(check=check, actor=dave, now=NOW)
        assert (ended.outcome, ended.effective_from, ended.equal_months, ended.ended_by) == (
            "switched",
            NOVEMBER,
            3,
            dave,
        )
        ManualEntry.objects.filter(period_start=OCTOBER).update(value=7)
        query = MatrixQuery(
            tree=visits.node.tree, grain="month", start=OCTOBER, end=date(2026, 12, 1), codes=["visits"]
        )
        assert build_matrix(query, now=NOW).value == [[[Decimal(7), Decimal(1)]]]

    def test_too_early_needs_a_person_with_a_reason(self, check: ParallelCheck, visits: Visits, dave: Any) -> None:
        type_months(visits, october=2)
        for actor, reason in ((dave, " "), (None, "trusted")):
            with pytest.raises(ParallelError) as refused:
                switch_to_automatic(check=check, reason=reason, actor=actor, now=NOW)
            assert issues_of(refused) == ["reason"]
        assert visits.metric.versions.count() == 1
        ended = switch_to_automatic(check=check, reason="SFAで全件確認済み", actor=dave, now=NOW)
        assert (ended.equal_months, ended.reason) == (1, "SFAで全件確認済み")

    def test_a_month_that_was_typed_stays(self, check: ParallelCheck, visits: Visits, dave: Any) -> None:
        type_months(visits, november=1)
        with pytest.raises(ParallelError) as refused:
            switch_to_automatic(check=check, reason="yes", actor=dave, now=NOW)
        assert issues_of(refused) == ["effective_from"]
        switch_to_automatic(check=check, effective_from=date(2026, 12, 1), reason="yes", actor=dave, now=NOW)
        assert ParallelCheck.objects.get().outcome == "switched"

    def test_a_day_that_begins_no_month_changes_nothing(self, check: ParallelCheck, visits: Visits, dave: Any) -> None:
        with pytest.raises(Exception, match="2026-11-10"):
            switch_to_automatic(check=check, effective_from=date(2026, 11, 10), reason="yes", actor=dave, now=NOW)
        assert ParallelCheck.objects.get().is_running

    def test_nobody_is_asked_to_type_afterwards(self, check: ParallelCheck, visits: Visits, dave: Any) -> None:
        switch_to_automatic(check=check, reason="yes", actor=dave, now=NOW)
        later = {cell.period.start_date for cell in read_inputs(today=date(2026, 12, 10))}
        assert OCTOBER in later
        assert NOVEMBER not in later

    def test_ends_once(self, check: ParallelCheck, dave: Any) -> None:
        stop_check(check=check, reason="別の項目を使う", actor=dave, now=NOW)
        with pytest.raises(ParallelError):
            switch_to_automatic(check=check, reason="yes", actor=dave, now=NOW)
        assert ParallelCheck.objects.get().outcome == "stopped"


class TestPage:
    @pytest.fixture
    def open_page(self, visits: Visits, client_for: Any, acme: Any) -> Any:
        def read(user: Any, rest: str = "parallel/") -> str:
            response = client_for(user, acme).get(
                f"/kpis/{visits.node.public_id}/{rest}", headers={"accept-language": "en"}
            )
            assert response.status_code == 200
            return response.content.decode()

        return read

    @pytest.fixture
    def post(self, visits: Visits, client_for: Any, acme: Any) -> Any:
        def send(user: Any, step: str, **fields: str) -> Any:
            address = f"/kpis/{visits.node.public_id}/parallel/{step}/"
            return client_for(user, acme).post(address, fields, headers={"accept-language": "en"})

        return send

    def test_from_the_kpi_to_a_running_check(
        self, visits: Visits, won: Metric, dave: Any, open_page: Any, post: Any
    ) -> None:
        assert "Set a source beside it" in open_page(dave, "")
        assert 'value="won_deals"' in open_page(dave)
        assert post(dave, "start", candidate="won_deals", tolerance="", months_needed="2").status_code == 302
        check = ParallelCheck.objects.get()
        assert (check.candidate, check.tolerance, check.months_needed, check.started_by) == (won, 0, 2, dave)
        assert "0 of 2 months in a row are equal" in open_page(dave, "")

    def test_each_difference_leads_to_its_records(
        self, check: ParallelCheck, visits: Visits, bob: Any, open_page: Any, client_for: Any, acme: Any, dave: Any
    ) -> None:
        type_months(visits, october=5)
        shown = open_page(bob)
        assert "△3" in shown or "−3" in shown
        assert "Switch to automatic" not in shown
        query = "records/?operand=won_deals&amp;grain=month&amp;start=2026-10-01"
        assert query in shown
        records = open_page(dave, query.replace("&amp;", "&"))
        assert "Deal d1" in records
        assert "Deal d2" in records

    def test_switches_with_a_reason(self, check: ParallelCheck, visits: Visits, dave: Any, post: Any) -> None:
        fields = {"check": str(check.public_id), "act": "switch", "effective_from": "2026-12-01"}
        refused = post(dave, "end", **fields)
        assert refused.status_code == 422
        assert "0 of 3 months in a row are equal" in refused.content.decode()
        assert post(dave, "end", **fields, reason="SFAで確認").status_code == 302
        assert ParallelCheck.objects.get().effective_from == date(2026, 12, 1)

    def test_a_member_changes_nothing(self, check: ParallelCheck, bob: Any, post: Any) -> None:
        assert post(bob, "end", check=str(check.public_id), act="stop", reason="x").status_code == 403


class TestApi:
    def test_from_start_to_switch(self, visits: Visits, won: Metric, signed_in: Any, dave: Any, bob: Any) -> None:
        type_months(visits, october=5)
        caller = signed_in(dave)
        made = caller.made("parallel-checks/", {"metric": "visits", "candidate": "won_deals"})
        assert (made["outcome"], made["months_needed"], made["tolerance"]) == ("running", 3, 0)
        months = signed_in(bob).shown(f"parallel-checks/{made['id']}/months/")
        assert (months["equal_count"], months["is_earned"]) == (0, False)
        assert months["months"][0] == {
            "period_start": "2026-10-01",
            "typed": 5,
            "typed_absence": "",
            "automatic": 2,
            "automatic_absence": "",
            "difference": -3,
            "verdict": "different",
        }
        refused = caller.post(f"parallel-checks/{made['id']}/switch/", {})
        assert refused.json()["errors"][0]["field"] == "reason"
        switched = caller.post(f"parallel-checks/{made['id']}/switch/", {"reason": "SFAで確認"})
        assert (switched.status_code, switched.json()["outcome"]) == (200, "switched")
        assert signed_in(bob).post(f"parallel-checks/{made['id']}/stop/", {"reason": "x"}).status_code == 403


NUMBERS = st.decimals(-1000, 1000, places=4)


class TestEngine:
    @given(NUMBERS, st.sampled_from(["count", "amount", "percent", "days"]))
    def test_a_source_equals_itself(self, value: Decimal, unit: str) -> None:
        assert compare(value, value, unit=unit, tolerance=Decimal(0)).verdict is Verdict.EQUAL

    @given(NUMBERS, NUMBERS, st.decimals(0, 100, places=2), st.decimals(0, 100, places=2))
    def test_a_wider_tolerance_never_parts(self, typed: Decimal, source: Decimal, one: Decimal, other: Decimal) -> None:
        narrow, wide = (compare(typed, source, unit="count", tolerance=each).verdict for each in sorted((one, other)))
        assert narrow is not Verdict.EQUAL or wide is Verdict.EQUAL

    @given(NUMBERS, st.sampled_from(Absence))
    def test_an_absence_is_no_number(self, value: Decimal, absence: Absence) -> None:
        found = compare(value, absence, unit="count", tolerance=Decimal(1_000_000))
        assert (found.verdict, found.difference) == (Verdict.DIFFERENT, None)

    @given(st.lists(st.sampled_from(Verdict), max_size=12))
    def test_a_difference_ends_the_row(self, verdicts: list[Verdict]) -> None:
        assert equal_months(verdicts) <= verdicts.count(Verdict.EQUAL)
        assert equal_months([Verdict.DIFFERENT, *verdicts]) == 0
