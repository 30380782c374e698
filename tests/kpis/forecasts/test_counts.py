"""Landings of what is counted: whole things for people, everywhere the same, and the exact number for programs."""

import csv
import io
import re
from decimal import Decimal

import pytest

from kpis.models import KpiNode, KpiTree, Target
from kpis.services.calls import make_call
from kpis.services.definitions import create_metric
from kpis.services.recompute import recompute
from tests.kpis.forecasts.conftest import NOVEMBER, NOW, WON
from tests.kpis.pages.test_budget_table import block, columns
from tests.kpis.pages.test_pdf import pages_of

pytestmark = pytest.mark.django_db
COUNTED = {**WON, "aggregate": "count", "field": None}


@pytest.fixture
def won(sales):
    """How many deals are won: one is, and three open ones are worth 0.8 and twice 0.5 of one; the target is four."""
    tree = KpiTree.objects.create(name="件数のツリー", fiscal_year=2026, status="active")
    metric = create_metric(
        code="won", name="受注件数", unit="count", accumulation="sum", spec=COUNTED, actor=None, now=NOW
    )
    node = KpiNode.objects.create(tree=tree, level="kgi", code="won", name="受注件数", metric=metric)
    Target.objects.create(node=node, period_start=NOVEMBER, initial_value=4, value=4)
    recompute(now=NOW)
    return node


@pytest.fixture
def get(client_for, acme, dave):
    def read(path, language="ja", **params):
        response = client_for(dave, acme).get(path, params, headers={"accept-language": language})
        assert response.status_code == 200, response
        return response.content

    return read


def test_a_table_shows_whole_things_and_their_distance_to_the_target(won, get):
    page = get("/budget/", tree=str(won.tree.public_id)).decode()
    november = columns(page)[0].index("2026年11月")
    lines = [measure[november] for measure in block(page, "受注件数")]
    assert (lines[0], lines[1], lines[2], lines[3], lines[4]) == ("4", "1", "3", "△1", "70.0%")


def test_what_is_shown_adds_up_where_the_target_is_no_whole_number(won, get):
    Target.objects.filter(node=won).update(value=Decimal("2.32"))
    page = get("/budget/", tree=str(won.tree.public_id)).decode()
    november = columns(page)[0].index("2026年11月")
    assert [measure[november] for measure in block(page, "受注件数")][:4] == ["2.32", "1", "3", "+0.68"]
    sentence = get("/forecast/", "en", tree=str(won.tree.public_id)).decode()
    assert "(<strong>0.68</strong> above it)" in sentence


def test_the_pdf_of_it_too(won, get):
    (page,) = pages_of(get("/budget/table.pdf", tree=str(won.tree.public_id)))
    assert "2.8" not in page and "70.0%" in page


def test_the_csv_keeps_numbers_in_full(won, get):
    content = get("/budget/table.csv", tree=str(won.tree.public_id)).decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(content)))
    landing = next(row for row in rows if row[3] == "着地見込み")
    assert Decimal(landing[rows[0].index("2026年11月")]) == Decimal("2.8")


def test_the_sentence_the_views_and_the_chart_say_the_same(won, get):
    make_call(node=won, grain="month", period_start=NOVEMBER, dimension="company", member=None,
              value=Decimal("2.4"), note="", actor=None, now=NOW)  # fmt: skip
    for address in ("/forecast/", f"/kpis/{won.public_id}/", "/"):
        page = get(address, "en", tree=str(won.tree.public_id)).decode()
        assert "(<strong>1</strong> short)" in page, address
        views = re.search(r'<table class="table table-phone table-landing">.*?</table>', page, re.S)
        assert views, address
        assert re.findall(r'<td class="num main"><span class="num">([^<]*)', views[0]) == ["3", "2", "2"], address
    assert '"3 (2 to 3)"' in get(f"/kpis/{won.public_id}/", "en").decode()
    assert '<span class="num">2</span></li>' in get("/forecast/", "en", tree=str(won.tree.public_id)).decode()


def test_less_than_half_a_thing_is_no_distance(won, get):
    Target.objects.filter(node=won).update(value=3)
    page = get("/forecast/", "en", tree=str(won.tree.public_id)).decode()
    assert "land at <strong>3</strong>; the target is 3 (achievement <strong>93.3%</strong>)" in page


def test_programs_get_the_exact_number(won, api):
    asked = {"tree": won.tree.public_id, "grain": "month", "period_start": NOVEMBER.isoformat()}
    landing = api.shown("landings/", **asked)["landing"]
    assert next(view for view in landing["views"] if view["method"] == "rollup")["value"] == 2.8
