"""What is due by today: status, bars and contributions go by the company's own curve, as the landing does.

By half-time of November a quarter is usually there; 150,000 are.
"""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from kpis.engine.pace import Basis
from kpis.models import Deal, Period, Target
from kpis.selectors.contributions import read_contributions
from kpis.selectors.details import Segment
from kpis.selectors.figures import FigureReader
from kpis.selectors.matrix import KpiMatrix, MatrixQuery, build_matrix
from kpis.services.definitions import create_metric
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute
from kpis.services.trees import create_node
from tests.kpis.forecasts.conftest import HISTORY, NOVEMBER, NOW, WON, Sales, factor_of
from tests.remembering import remembered

pytestmark = pytest.mark.django_db


def matrix_of(sales: Sales, *, grain: str = "month", start: date = NOVEMBER, **changes: Any) -> KpiMatrix:
    period = Period.objects.get(grain=grain, start_date=start)
    query = MatrixQuery(tree=sales.tree, grain=grain, start=start, end=period.end_date, **changes)
    return build_matrix(query, now=NOW)


def forget(*months: int) -> None:
    """As if nothing had been sold in these months."""
    gone = [each["external_id"] for each in HISTORY if int(each["closed_on"][5:7]) in months]
    upsert_facts(resource="deals", source="crm", records=[{"external_id": i, "deleted": True} for i in gone], now=NOW)
    recompute(now=NOW)
    assert Deal.objects.filter(external_id__in=gone, deleted_at=None).count() == 0


@pytest.fixture
@remembered
def aimed(sales: Sales) -> Sales:
    """600,000 are aimed at in November: 150,000 by the curve, 315,789 by business days (10 of 19)."""
    Target.objects.filter(period_start=NOVEMBER).update(value=600_000)
    return sales


class TestStatus:
    def test_a_company_that_sells_late_is_not_behind_all_month(self, aimed: Sales) -> None:
        found = matrix_of(aimed)
        assert found.status[0][0][0] == "on_track"
        due = found.due[0][0]
        assert due is not None
        assert (due.share, due.basis, due.period_count) == (Decimal("0.25"), Basis.CURVE, 4)

    def test_too_few_months_are_no_curve(self, aimed: Sales) -> None:
        forget(7, 8)
        found = matrix_of(aimed)
        assert found.status[0][0][0] == "behind"
        due = found.due[0][0]
        assert due is not None
        assert (due.share, due.basis) == (Decimal(10) / 19, Basis.BUSINESS_DAYS)

    @pytest.mark.parametrize(("month", "share"), [(10, 1), (12, 0)])
    def test_a_period_that_is_over_or_to_come_needs_no_curve(self, aimed: Sales, month: int, share: int) -> None:
        due = matrix_of(aimed, start=date(2026, month, 1)).due[0][0]
        assert due is not None
        assert (due.share, due.basis) == (share, Basis.BUSINESS_DAYS)

    def test_every_team_is_held_against_the_curve_of_the_company(self, aimed: Sales) -> None:
        for target in list(Target.objects.filter(period_start=NOVEMBER)):
            for member in matrix_of(aimed, dimension="team").members:
                if member.id:
                    Target.objects.create(
                        node=target.node,
                        period_start=NOVEMBER,
                        dimension="team",
                        member_id=member.id,
                        value=600_000,
                        initial_value=600_000,
                    )
        found = matrix_of(aimed, dimension="team")
        status = {member.code: found.status[0][m][0] for m, member in enumerate(found.members)}
        assert status["east"] == "on_track", "Bob won the 150,000"

    def test_equals_the_landing(self, aimed: Sales) -> None:
        due = matrix_of(aimed).due[0][0]
        assert due is not None
        assert aimed.landing().pace.share == due.share

    def test_a_quarter_of_which_there_are_too_few_goes_by_business_days(self, aimed: Sales) -> None:
        found = matrix_of(aimed, grain="quarter", start=date(2026, 10, 1))
        column, due = found.periods[0], found.due[0][0]
        assert due is not None
        assert (due.share, due.basis) == (Decimal(column.elapsed) / column.business_days, Basis.BUSINESS_DAYS)


class TestCost:
    def counted(self, sales: Sales) -> int:
        with CaptureQueriesContext(connection) as queries:
            matrix_of(sales)
        return len(queries)

    def test_all_curves_are_read_with_one_query_once_an_hour(self, aimed: Sales) -> None:
        factor = factor_of(aimed)
        matrix_of(aimed)
        warm = self.counted(aimed)
        for n in range(5):
            filters = [*WON["filters"], {"field": "amount", "op": "gt", "value": n}]
            metric = create_metric(
                code=f"more{n}",
                name=f"More {n}",
                unit="amount",
                accumulation="sum",
                spec={**WON, "filters": filters},
                actor=None,
                now=NOW,
            )
            node = create_node(tree=aimed.tree, level="kpi", parent=factor, metric=metric, actor=None, now=NOW)
            Target.objects.create(node=node, period_start=NOVEMBER, initial_value=1, value=1)
        recompute(now=NOW)
        assert self.counted(aimed) == warm + 1
        assert self.counted(aimed) == warm
        assert warm < 12
        assert {due.share for line in matrix_of(aimed).due for due in line if due} == {Decimal("0.25")}


class TestPages:
    def test_bars_and_sentences_say_what_is_due_and_by_what(self, aimed: Sales, client_for, dave, acme) -> None:
        figure = FigureReader(matrix_of(aimed)).at(0, 0, 0)
        assert (figure.pace, figure.pace_basis, figure.expected) == (Decimal("0.25"), Basis.CURVE, 150_000)
        page = client_for(dave, acme).get(reverse("kpi", args=[aimed.goal.public_id], urlconf="config.urls.company"))
        told = page.content.decode()
        assert "今日までに目標の25.0%を見込みます（自社の過去の期間による）" in told
        assert 'class="bar-pace" x="25.0"' in told

    def test_the_api_says_it_too(self, aimed: Sales, api) -> None:
        asked = {"tree": str(aimed.tree.public_id), "grain": "month", "from": "2026-11-01", "to": "2026-12-01"}
        assert api.shown("matrix/", **asked)["due"] == [[{"share": 0.25, "basis": "curve"}]]


class TestContributions:
    def test_the_gap_to_date_is_that_of_the_status(self, aimed: Sales) -> None:
        november = Period.objects.get(grain="month", start_date=NOVEMBER)
        found = read_contributions(aimed.tree, november, Segment(), now=NOW, to_date=True)
        assert found is not None and found.due is not None
        assert (found.gap, found.due.basis) == (0, Basis.CURVE)

    def test_without_a_curve_it_goes_by_business_days(self, aimed: Sales) -> None:
        forget(7, 8)
        november = Period.objects.get(grain="month", start_date=NOVEMBER)
        found = read_contributions(aimed.tree, november, Segment(), now=NOW, to_date=True)
        assert found is not None and found.due is not None
        assert (found.gap, found.due.basis) == (150_000 - 315_789, Basis.BUSINESS_DAYS)

    def test_the_api_names_the_share(self, aimed: Sales, api) -> None:
        asked = {"tree": str(aimed.tree.public_id), "grain": "month", "period_start": "2026-11-01"}
        assert api.shown("contributions/", **asked)["due"] is None
        assert api.shown("contributions/", **asked, to_date="true")["due"] == {"share": 0.25, "basis": "curve"}
