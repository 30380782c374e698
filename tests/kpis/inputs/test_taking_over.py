"""What people type is not taken over by a source in passing: after a parallel check, or with a person's reason."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from kpis.models import KpiNode, Metric, MetricVersion
from kpis.services.definitions import DefinitionError, update_metric
from kpis.services.entries import enter_value
from kpis.services.parallel import ParallelError, start_check, switch_to_automatic
from tests.kpis.inputs.conftest import NOVEMBER, NOW, OCTOBER, Visits

pytestmark = pytest.mark.django_db

COUNTED = {"kind": "simple", "fact": "activities", "date": "happened_on", "aggregate": "count"}
TYPED = {
    "act": "save",
    "name": "訪問数",
    "unit": "count",
    "direction": "up",
    "accumulation": "sum",
    "kind": "simple",
    "fact": "activities",
    "date": "happened_on",
    "aggregate": "count",
}


@pytest.fixture
def visits(visits: Visits) -> Visits:
    """October has been typed."""
    enter_value(metric=visits.metric, period_start=OCTOBER, value=Decimal(4), actor=None, now=NOW)
    return visits


@pytest.fixture
def page(client_for: Any, acme: Any, dave: Any, visits: Visits) -> Any:
    client: Client = client_for(dave, acme)

    def post(**more: str) -> tuple[int, str]:
        address = f"/metrics/{visits.metric.public_id}/definition/"
        answer = client.post(address, TYPED | more, headers={"accept-language": "en"})
        return answer.status_code, answer.content.decode()

    return post


def versions(visits: Visits) -> list[MetricVersion]:
    return list(visits.metric.versions.order_by("number"))


class TestPage:
    def test_refuses_and_leads_to_the_parallel_check(self, page: Any, visits: Visits) -> None:
        status, text = page(since="2026-11-01")
        assert status == 422
        assert "People type 訪問数. Set the source beside it in a parallel check" in text
        assert f'href="/kpis/{visits.node.public_id}/parallel/"' in text
        assert len(versions(visits)) == 1

    def test_keeps_the_reason_of_a_person(self, page: Any, visits: Visits, dave: Any) -> None:
        status, _text = page(since="2026-11-01", reason="CRMの記録と監査済み")
        assert status == 302
        made = versions(visits)[-1]
        assert (made.effective_from, made.reason, made.created_by) == (NOVEMBER, "CRMの記録と監査済み", dave)
        assert "CRMの記録と監査済み" in page(act="show")[1]

    @pytest.mark.parametrize("since", ["first", "2026-10-01"])
    def test_what_was_typed_stays_typed(self, page: Any, visits: Visits, since: str) -> None:
        status, text = page(since=since, reason="急ぎ")
        assert status == 422
        assert "was typed and stays" in text
        assert [version.spec["kind"] for version in versions(visits)] == ["manual"]

    def test_asks_for_no_reason_where_nothing_was_typed(self, page: Any, visits: Visits) -> None:
        visits.metric.entries.all().delete()
        status, _text = page(since="first")
        assert status == 302

    def test_nor_once_a_source_has_taken_over(self, page: Any, visits: Visits) -> None:
        page(since="2026-11-01", reason="監査済み")
        assert page(since="2026-12-01", aggregate="count", date="happened_on")[0] == 302
        assert 'name="reason"' not in page(act="show", since="2026-12-01")[1]


class TestService:
    def test_a_system_gives_no_reason(self, visits: Visits) -> None:
        change = {"spec": COUNTED, "effective_from": NOVEMBER, "reason": "だれが"}
        with pytest.raises(DefinitionError) as refused:
            update_metric(metric=visits.metric, **change, actor=None, now=NOW)
        assert [issue.field for issue in refused.value.issues] == ["reason"]

    def test_a_name_is_changed_without(self, visits: Visits) -> None:
        assert update_metric(metric=visits.metric, name="訪問", actor=None, now=NOW).name == "訪問"

    def test_a_check_that_was_passed_needs_none(self, visits: Visits, dave: Any) -> None:
        check = start_check(
            metric=visits.metric, candidate=Metric.objects.get(code="won_deals"), months_needed=1, actor=dave, now=NOW
        )
        switch_to_automatic(check=check, reason="確認済み", actor=dave, now=NOW)
        assert versions(visits)[-1].reason == ""

    def test_what_is_typed_by_the_week_is_shown_the_way_with_a_reason(self, visits: Visits, dave: Any) -> None:
        KpiNode.objects.filter(pk=visits.node.pk).update(frequency="week")
        with pytest.raises(ParallelError, match=r"page of its definition|定義のページ"):
            start_check(metric=visits.metric, candidate=Metric.objects.get(code="won_deals"), actor=dave, now=NOW)
        update_metric(
            metric=visits.metric,
            spec=COUNTED,
            effective_from=date(2026, 11, 1),
            reason="監査済み",
            actor=dave,
            now=NOW,
        )
        assert versions(visits)[-1].reason == "監査済み"


class TestApi:
    def test_asks_for_the_reason_and_keeps_it(self, visits: Visits, signed_in: Any, dave: Any) -> None:
        api = signed_in(dave)
        change = {"spec": COUNTED, "effective_from": "2026-11-01"}
        refused = api.patch(f"metrics/{visits.metric.public_id}/", change)
        assert refused.status_code in {400, 409, 422}
        assert "reason" in refused.content.decode()
        assert api.patch(f"metrics/{visits.metric.public_id}/", {**change, "reason": "監査済み"}).status_code == 200
        shown = api.shown(f"metrics/{visits.metric.public_id}/versions/")["results"]
        assert [each["reason"] for each in shown] == ["", "監査済み"]
