"""The landing in the table of target beside actual: the running month, the months to come, and what they add up to."""

import csv
import io
import re

import pytest
from openpyxl import load_workbook

from kpis.models import KpiNode, Metric
from kpis.services.recompute import recompute
from tests.kpis.forecasts.conftest import NOW, WON, send
from tests.kpis.pages.test_budget_table import block, columns
from tests.kpis.pages.test_pdf import pages_of

pytestmark = pytest.mark.django_db
OCTOBER, NOVEMBER, DECEMBER, THIRD = "2026年10月", "2026年11月", "2026年12月", "2026年度 第3四半期"


@pytest.fixture
def get(client_for, acme, dave):
    def read(address):
        response = client_for(dave, acme).get(address, headers={"accept-language": "ja"})
        assert response.status_code == 200
        return response.content

    return read


def at(page, measure, *titles):
    places = [columns(page)[0].index(title) for title in titles]
    return [block(page, "受注額")[measure][place] for place in places]


class TestScreen:
    def test_the_landing_stands_in_open_and_coming_months_and_their_quarter(self, sales, get):
        page = get("/budget/").decode()
        assert at(page, 2, OCTOBER, NOVEMBER, DECEMBER, THIRD) == ["", "330,000", "180,000", "910,000"]

    def test_variance_and_achievement_are_the_landings(self, sales, get):
        page = get("/budget/").decode()
        assert at(page, 1, NOVEMBER, DECEMBER) == ["150,000", ""]
        assert at(page, 4, OCTOBER, NOVEMBER, DECEMBER) == ["40.0%", "33.0%", "18.0%"]
        assert [each.replace("円", "") for each in at(page, 3, DECEMBER)] == ["△820,000"]

    def test_what_nobody_can_say_is_a_word(self, sales, get):
        send("deals", {"external_id": "next", "created_on": "2026-11-02", "confidence": ""},
             *({"external_id": each, "created_on": "2026-11-02", "confidence": ""} for each in
               ("sure", "even", "late", "bare")))  # fmt: skip
        recompute(now=NOW)
        page = get("/budget/").decode()
        assert at(page, 2, DECEMBER, THIRD) == ["データなし"] * 2
        assert at(page, 2, NOVEMBER) == ["600,000"]  # the pace

    def test_a_rate_has_no_landing(self, sales, get):
        spec = {"kind": "ratio", "numerator": {**WON, "aggregate": "count", "field": None}}
        spec["denominator"] = {**spec["numerator"], "filters": []}
        metric = Metric.objects.create(code="win_rate", name="受注率", unit="percent", accumulation="rate")
        metric.versions.create(number=1, spec=spec)
        KpiNode.objects.create(
            tree=sales.tree, parent=sales.goal, level="kpi", code="win_rate", name="受注率", metric=metric
        )
        page = get("/budget/").decode()
        assert block(page, "受注率")[2][columns(page)[0].index(DECEMBER)] == "対象外"

    def test_teams_have_their_own(self, sales, get):
        page = get("/budget/?rows=team&kpi=bookings").decode()
        november = columns(page)[0].index(NOVEMBER)
        assert block(page, "東日本営業部")[2][november] == "230,000"
        assert block(page, "西日本営業部")[2][november] == "100,000"

    def test_a_running_total_goes_on_with_the_landings(self, sales, get):
        send("deals", {"external_id": "first", "created_on": "2026-04-01", "closed_on": "2026-04-02", "amount": 0,
                       "outcome": "won", "owner": "bob"})  # fmt: skip
        recompute(now=NOW)
        page = get("/budget/?sum=1").decode()
        assert at(page, 1, OCTOBER, NOVEMBER) == ["1,600,000", "1,750,000"]
        assert at(page, 2, OCTOBER, NOVEMBER, DECEMBER) == ["", "1,930,000", "2,110,000"]

    def test_needs_no_more_queries_with_more_months_or_deals(
        self, sales, dave, client_for, acme, django_assert_max_num_queries
    ):
        client = client_for(dave, acme)
        client.get("/budget/")
        with django_assert_max_num_queries(90):
            client.get("/budget/")


class TestFiles:
    def test_csv(self, sales, get):
        rows = list(csv.reader(io.StringIO(get("/budget/table.csv").decode("utf-8-sig"))))
        landing = next(row for row in rows if row[3] == "着地見込み")
        assert [landing[rows[0].index(each)] for each in (OCTOBER, NOVEMBER, DECEMBER)] == ["", "330000", "180000"]
        assert landing[rows[0].index("2026年度")] == "データなし"

    def test_the_workbook_adds_what_has_ended_and_what_is_expected(self, sales, get):
        sheet = load_workbook(io.BytesIO(get("/budget/table.xlsx"))).active
        titles = [cell.value for cell in sheet[3]]
        assert sheet["B6"].value == "着地見込み"
        assert sheet.cell(6, titles.index(DECEMBER) + 1).value == 180_000
        assert sheet.cell(6, titles.index(THIRD) + 1).value == "=SUM(L5,M6,N6)"
        assert sheet.cell(7, titles.index(DECEMBER) + 1).value == '=IF(AND(ISNUMBER(N6),ISNUMBER(N4)),N6-N4,"")'
        assert sheet.cell(6, titles.index("2026年度") + 1).value == "データなし"

    def test_pdf(self, sales, get):
        (page,) = pages_of(get("/budget/table.pdf?scale=one"))
        assert "着地見込み" in page and "330,000" in page and "910,000" in page


class TestApi:
    def test_a_cell_has_its_landing_or_the_reason(self, sales, api):
        found = api.shown("budget/", tree=str(sales.tree.public_id))
        labels = [column["label"] for column in found["columns"]]
        cells = dict(zip(labels, found["rows"][0]["cells"], strict=True))
        december, october, year = cells["Dec 2026"], cells["Oct 2026"], cells["FY2026"]
        assert (december["value"], december["landing"], december["variance"]) == (None, 180_000, -820_000)
        assert (october["landing"], october["landing_absence"]) == (None, None)
        assert (year["landing"], year["landing_absence"]) == (None, "missing")


def test_the_line_is_explained(sales, get):
    assert re.search(r'<p class="help">[^<]*着地見込み', get("/budget/").decode())
