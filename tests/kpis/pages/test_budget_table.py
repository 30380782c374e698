"""The table of target beside actual: what stands in it, for whom, and what the files of it hold."""

import csv
import io
import re
from datetime import date
from html import unescape

import pytest
from openpyxl import load_workbook

from kpis.models import DimensionMember, KpiNode, Metric, MetricVersion, Target, Team
from kpis.selectors.calendar import find_period
from kpis.services.definitions import create_metric
from kpis.services.periods import close_period
from kpis.services.recompute import recompute
from tests.kpis.pages.conftest import NOW, _deal, send
from tests.kpis.pages.test_pdf import pages_of
from tests.remembering import remembered

pytestmark = pytest.mark.django_db


@pytest.fixture
def get(client_for, acme):
    def read(user, address="/budget/", status=200):
        response = client_for(user, acme).get(address)
        assert response.status_code == status
        return response

    return read


@pytest.fixture
def open_table(get):
    return lambda user, query="": get(user, f"/budget/{query}").content.decode()


def block(page, name):
    """The lines of one KPI as lists of texts."""
    body = next(
        body for body in re.findall(r"<tbody>.*?</tbody>", page, re.S) if re.search(rf">{re.escape(name)}[ <]", body)
    )
    rows = re.findall(r"<tr.*?</tr>", body, re.S)[1:]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.S)] for row in rows]


def columns(page):
    heads = re.findall(r'<th scope="col" class="([^"]*)" title="([^"]*)"', page)
    return [title for _classes, title in heads], [classes for classes, _title in heads]


class TestColumns:
    def test_months_with_quarters_halves_and_the_year(self, world, alice, open_table):
        titles, _classes = columns(open_table(alice))
        assert titles[:4] == ["2026年4月", "2026年5月", "2026年6月", "2026年度 第1四半期"]
        assert titles[7:9] == ["2026年度 第2四半期", "2026年度 上期"]
        assert titles[-3:] == ["2026年度 第4四半期", "2026年度 下期", "2026年度"]
        assert len(titles) == 19

    def test_the_border_stands_before_the_first_month_that_is_ahead(self, world, alice, open_table):
        titles, classes = columns(open_table(alice))
        assert [title for title, each in zip(titles, classes, strict=True) if "is-border" in each] == ["2026年12月"]

    def test_running_totals_are_months_alone(self, world, alice, open_table):
        titles, _classes = columns(open_table(alice, "?sum=1"))
        assert len(titles) == 12


class TestCells:
    def column(self, page, title):
        return columns(page)[0].index(title)

    def test_target_actual_and_what_follows(self, world, alice, open_table):
        page = open_table(alice)
        at = self.column(page, "2026年10月")
        target, actual, _landing, gap, reached, _year = (line[at] for line in block(page, "受注額"))
        assert (target, actual, reached) == ("1,000,000", "800,000", "80.0%")
        assert gap.startswith("△200,000")

    def test_a_month_ahead_shows_its_target_and_why_it_has_no_landing(self, world, alice, open_table):
        Target.objects.create(node=world.goal, period_start=date(2026, 12, 1), initial_value=5, value=5)
        page = open_table(alice)
        at = self.column(page, "2026年12月")
        assert [line[at] for line in block(page, "受注額")] == ["5", "", "データなし", "", "", ""]

    def test_what_came_before_the_first_record_leaves_no_running_total(self, world, alice, open_table):
        assert block(open_table(alice, "?sum=1"), "受注額")[1][6:8] == ["データなし"] * 2

    def test_a_missing_value_is_a_word(self, world, alice, open_table):
        page = open_table(alice)
        assert block(page, "受注額")[1][self.column(page, "2026年4月")] == "データなし"

    def test_too_few_cases_say_how_many(self, world, alice, open_table):
        version = world.goal.metric.versions.get()
        version.spec = {**version.spec, "min_count": 5}
        version.save()
        page = open_table(alice)
        assert block(page, "受注額")[1][self.column(page, "2026年10月")] == "件数不足（n=2）"

    def test_the_year_before_stands_beside(self, world, alice, open_table):
        send("deals", _deal("old", "bob", "2025-10-20", 400_000, "won"))
        recompute(now=NOW)
        page = open_table(alice)
        assert block(page, "受注額")[5][self.column(page, "2026年10月")] == "200.0%"

    def test_a_rate_is_all_cases_over_all_also_in_running_totals(self, world, alice, open_table):
        send("deals", _deal("first", "bob", "2026-04-02", 0, "lost"))
        recompute(now=NOW)
        page = open_table(alice, "?sum=1")
        actual = block(page, "決着件数")[1]
        assert actual[6:8] == ["3", "6"]
        assert [round(float(each), 1) for each in block(page, "受注率（件数）")[1][6:8]] == [66.7, 50.0]

    def test_the_sentence_says_where_the_year_stands(self, world, alice, open_table):
        for month in range(4, 10):
            Target.objects.create(node=world.goal, period_start=date(2026, month, 1), initial_value=0, value=0)
        send("deals", _deal("first", "bob", "2026-04-02", 0, "won"))
        recompute(now=NOW)
        lead = re.search(r'<p class="lead">(.*?)</p>', open_table(alice), re.S)
        assert lead and "800,000" in lead[1] and "80.0%" in lead[1] and "200,000" in lead[1]


class TestRows:
    def test_the_tree_with_its_factors_as_headings(self, world, alice, open_table):
        page = open_table(alice)
        assert page.index("受注額</a>") < page.index("営業力を高める") < page.index("受注率（件数）</a>")

    def test_people_in_sight_only(self, world, alice, bob, vera, dave, open_table):
        query = "?rows=person&kpi=bookings"
        assert all(name in open_table(dave, query) for name in ("Bob", "Dora"))
        page = open_table(alice, query)
        assert "Bob" in page and "Dora" not in page
        assert "Dora" not in open_table(bob, query)
        assert "Bob" not in open_table(vera, query)

    def test_teams_with_their_own_targets(self, world, dave, open_table):
        east = DimensionMember.objects.get(dimension__code="team", code="east")
        Target.objects.create(
            node=world.goal,
            period_start=date(2026, 10, 1),
            dimension="team",
            member=east,
            initial_value=350_000,
            value=350_000,
        )
        page = open_table(dave, "?rows=team&kpi=bookings")
        at = columns(page)[0].index("2026年10月")
        assert [line[at] for line in block(page, "東日本営業部")][:2] == ["350,000", "700,000"]

    def test_hr_reads_no_results(self, world, hana, get):
        get(hana, status=403)


def link_of(page, name, title):
    """Where the actual of a row leads to in one column."""
    body = next(body for body in re.findall(r"<tbody>.*?</tbody>", page, re.S) if f">{name}<" in body)
    cells = re.findall(r"<td.*?</td>", re.findall(r"<tr.*?</tr>", body, re.S)[2], re.S)
    found = re.search(r'href="([^"]+)"', cells[columns(page)[0].index(title)])
    return found and unescape(found[1])


class TestEvidence:
    """Each actual leads to the records that were counted in it."""

    def follow(self, get, user, address):
        path, _mark, place = address.partition("#")
        page = get(user, path).content.decode()
        assert f'id="{place}"' in page
        return get(user, unescape(re.search(r'id="record-table" hx-get="([^"]+)"', page)[1])).content.decode()

    @pytest.mark.parametrize(
        ("title", "deals"), [("2026年10月", {"d1", "d2"}), ("2026年11月", {"d3"}), ("2026年度", {"d1", "d2", "d3"})]
    )
    def test_a_period_leads_to_its_own_records(self, world, dave, get, open_table, title, deals):
        page = self.follow(get, dave, link_of(open_table(dave), "受注額", title))
        assert set(re.findall(r"Deal (\w+)", page)) == deals

    def test_a_member_leads_to_his_own(self, world, dave, get, open_table):
        address = link_of(open_table(dave, "?rows=person&kpi=bookings"), "Bob", "2026年10月")
        assert set(re.findall(r"Deal (\w+)", self.follow(get, dave, address))) == {"d1"}

    def test_the_name_of_a_team_leads_to_its_page(self, world, dave, get, open_table):
        page = open_table(dave, "?rows=team&kpi=bookings")
        assert (
            "西日本営業部"
            in get(dave, unescape(re.search(r'<a href="([^"]+)">西日本営業部</a>', page)[1])).content.decode()
        )

    def test_who_may_not_see_a_member_gets_no_link_to_him(self, world, alice, get, open_table):
        assert "person:dora" not in open_table(alice, "?rows=person&kpi=bookings")
        get(alice, f"/kpis/{world.goal.public_id}/?segment=person:dora", status=403)

    def test_a_running_total_leads_to_the_month_that_it_adds(self, world, dave, open_table):
        page = open_table(dave, "?sum=1")
        assert "grain=month&start=2026-10-01" in link_of(page, "受注額", "2026年10月")
        assert "その月に加わった" in page

    def test_what_is_ahead_leads_nowhere(self, world, dave, open_table):
        assert link_of(open_table(dave), "受注額", "2026年12月") is None


@pytest.fixture
@remembered
def late(world):
    """October is closed with 800,000; then Dora's deal of 100,000 turns out to be worth 400,000."""
    close_period(period=find_period("month", date(2026, 10, 1)), actor=None, now=NOW)
    send("deals", _deal("d2", "dora", "2026-10-06", 400_000, "won"))
    recompute(now=NOW)
    return world


@pytest.fixture
@remembered
def reorganised(world):
    """On 1 November 東日本営業部 ended and 首都圏営業部 began in its place; Bob and Cleo sell there now."""
    east = Team.objects.get(external_id="east")
    Team.objects.filter(pk=east.pk).update(ends_on=date(2026, 11, 1))
    send("teams", {"external_id": "metro", "name": "首都圏営業部", "starts_on": "2026-11-01", "succeeds": ["east"]})
    moved = {"team": "metro", "source_updated_at": "2026-11-01T00:00:00+09:00"}
    send("people", *({"external_id": who, "name": who.title(), **moved} for who in ("bob", "cleo")))
    recompute(now=NOW)
    return world


class TestOrganisation:
    """Two views of a reorganisation: teams as they were, and as they are now."""

    TEAMS = "?rows=team&kpi=bookings"

    def actuals(self, page, name):
        return [block(page, name)[1][columns(page)[0].index(title)] for title in ("2026年10月", "2026年11月")]

    def test_as_they_were_each_team_has_its_own_months(self, reorganised, dave, open_table):
        page = open_table(dave, self.TEAMS)
        assert self.actuals(page, "東日本営業部") == ["700,000", "0"]
        assert self.actuals(page, "首都圏営業部") == ["0", "300,000"]
        assert "現在の組織で集計" not in page

    def test_as_they_are_now_the_one_in_its_place_has_them_all(self, reorganised, dave, open_table):
        page = open_table(dave, f"{self.TEAMS}&org=now")
        assert self.actuals(page, "首都圏営業部") == ["700,000", "300,000"]
        assert "東日本営業部" not in page
        assert "現在の組織で集計" in page

    def test_a_number_leads_to_the_records_of_both(self, reorganised, dave, get, open_table):
        page = open_table(dave, f"{self.TEAMS}&org=now")
        address = link_of(page, "首都圏営業部", "2026年度")
        detail = get(dave, address.partition("#")[0]).content.decode()
        assert "1000000.0" in detail and "現在の組織" in detail
        records = get(dave, unescape(re.search(r'id="record-table" hx-get="([^"]+)"', detail)[1])).content.decode()
        assert set(re.findall(r"Deal (\w+)", records)) == {"d1", "d3"}
        then = get(dave, address.partition("#")[0].replace("&org=now", "")).content.decode()
        records = get(dave, unescape(re.search(r'id="record-table" hx-get="([^"]+)"', then)[1])).content.decode()
        assert set(re.findall(r"Deal (\w+)", records)) == {"d3"}

    def test_closed_months_follow_the_records(self, reorganised, dave, open_table):
        close_period(period=find_period("month", date(2026, 10, 1)), actor=None, now=NOW)
        send("deals", _deal("d1", "bob", "2026-10-05", 900_000, "won"))
        recompute(now=NOW)
        assert self.actuals(open_table(dave, self.TEAMS), "東日本営業部")[0] == "700,000"
        assert self.actuals(open_table(dave, f"{self.TEAMS}&org=now"), "首都圏営業部")[0] == "900,000"

    def test_what_does_not_add_up_is_left_out_of_teams_put_together(self, reorganised, dave, get, open_table):
        spec = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "median", "field": "amount"}
        words = {"code": "median", "name": "受注単価の中央値", "unit": "amount", "accumulation": "average"}
        metric = create_metric(**words, spec=spec, actor=None, now=NOW)
        KpiNode.objects.create(
            tree=reorganised.tree, parent=reorganised.factor, level="kpi", code="median", name="中央値", metric=metric
        )
        recompute(now=NOW)
        assert self.actuals(open_table(dave, "?rows=team&kpi=median"), "首都圏営業部")[1] == "195,000"
        page = open_table(dave, "?rows=team&kpi=median&org=now")
        assert self.actuals(page, "西日本営業部") == ["100,000", "50,000"]
        assert "首都圏営業部" not in page
        assert (
            "対象外" in get(dave, f"/kpis/{metric.nodes.get().public_id}/?segment=team:metro&org=now").content.decode()
        )

    def test_every_file_says_so(self, reorganised, dave, get):
        query = f"{self.TEAMS}&org=now"
        sheet = load_workbook(io.BytesIO(get(dave, f"/budget/table.xlsx{query}").content)).active
        assert "現在の組織" in sheet["A2"].value
        assert "現在の組織" in get(dave, f"/budget/table.csv{query}").content.decode("utf-8-sig").splitlines()[0]
        assert "現在の組織" in pages_of(get(dave, f"/budget/table.pdf{query}").content)[0]
        assert "現在の組織" not in get(dave, f"/budget/table.csv{self.TEAMS}").content.decode("utf-8-sig")

    def test_the_switch_is_there_where_it_makes_a_difference(self, world, dave, open_table):
        assert "org=now" not in open_table(dave, self.TEAMS)
        send("teams", {"external_id": "metro", "name": "首都圏営業部", "succeeds": ["east"]})
        assert "org=now" in open_table(dave, self.TEAMS)
        assert "org=now" not in open_table(dave, "?rows=person&kpi=bookings")

    def test_the_tree_and_the_segments_of_a_kpi_follow_it(self, reorganised, dave, get):
        tree = get(dave, "/kpis/?segment=team:metro&start=2026-10-01&org=now").content.decode()
        assert "700,000" in tree and "org=now" in tree
        assert "700,000" not in get(dave, "/kpis/?segment=team:metro&start=2026-10-01").content.decode()
        address = f"/kpis/{reorganised.goal.public_id}/?by=team&start=2026-10-01"
        row = re.compile(r"首都圏営業部</a></th>\s*<td[^>]*>.*?700,000", re.S)
        assert row.search(get(dave, f"{address}&org=now").content.decode())
        assert not row.search(get(dave, address).content.decode())


class TestMonthsBesideTheirQuarter:
    """A closed month shows what was locked, its quarter what is live: said everywhere, and the same everywhere."""

    THIRD = "2026年度 第3四半期"

    def remark(self, page):
        found = re.search(r'id="remarks">(.*?)</ul>', page, re.S)
        return found and re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", found[1])).strip()

    def actual(self, page, name, title):
        return block(page, name)[1][columns(page)[0].index(title)]

    def test_says_by_how_much_and_why(self, late, dave, open_table):
        page = open_table(dave)
        assert self.actual(page, "受注額", "2026年10月") == "800,000"
        assert self.actual(page, "受注額", self.THIRD).startswith("1,400,000")
        assert self.remark(page) == (
            "※ 受注額 2026年度 第3四半期、2026年度 下期、2026年度 月の合計との差 +300,000円：確定後の変更 2026年10月"
        )
        assert '<a href="/closing/?grain=month&amp;start=2026-10-01">2026年10月</a>' in page

    def test_who_does_not_close_is_led_to_the_records(self, late, vera, open_table):
        page = open_table(vera, "?rows=team&kpi=bookings")
        address = f"/kpis/{late.goal.public_id}/?grain=month&amp;start=2026-10-01&amp;segment=team:west#records"
        assert f'<a href="{address}">2026年10月</a>' in page
        assert "※ 西日本営業部" in self.remark(page) and "東日本営業部" not in self.remark(page)

    def test_a_member_out_of_sight_is_not_spoken_of(self, late, bob, open_table):
        assert self.remark(open_table(bob, "?rows=person&kpi=bookings")) is None

    def test_nothing_is_said_where_months_add_up(self, world, dave, open_table):
        close_period(period=find_period("month", date(2026, 10, 1)), actor=None, now=NOW)
        assert self.remark(open_table(dave)) is None

    def test_running_totals_add_what_is_shown(self, late, dave, open_table):
        assert self.remark(open_table(dave, "?sum=1")) is None

    def test_the_workbook_writes_the_total_with_a_note(self, late, dave, get):
        Target.objects.create(node=late.goal, period_start=date(2026, 12, 1), initial_value=5, value=5)
        sheet = load_workbook(io.BytesIO(get(dave, "/budget/table.xlsx?scale=one").content)).active
        titles = [cell.value for cell in sheet[3]]
        third = sheet.cell(5, titles.index(self.THIRD) + 1)
        assert third.value == 1_400_000
        assert "表の下" in third.comment.text
        assert sheet.cell(5, titles.index("2026年度 上期") + 1).value.startswith("=SUM(")  # these months add up
        assert sheet.cell(4, titles.index(self.THIRD) + 1).value.startswith("=SUM(")  # so do the targets
        words = sheet.cell(sheet.max_row, 1).value
        assert "月の合計との差" in words and "+300,000" in words and "2026年10月" in words

    def test_csv_and_pdf_say_it_too(self, late, dave, get):
        rows = list(csv.reader(io.StringIO(get(dave, "/budget/table.csv").content.decode("utf-8-sig"))))
        found = {row[3]: row[rows[0].index(self.THIRD)] for row in rows if row[0] == "受注額"}
        assert (found["実績"], found["月の合計との差"]) == ("1400000", "300000")
        (pdf,) = pages_of(get(dave, "/budget/table.pdf?scale=one").content)
        assert "1,400,000" in pdf and "月の合計との差" in pdf

    def test_distinct_customers_do_not_add_up_by_nature(self, world, dave, get):
        metric = Metric.objects.create(code="customers", name="取引先数", unit="count", accumulation="sum")
        spec = {"kind": "simple", "fact": "deals", "date": "closed_on", "aggregate": "distinct", "field": "account"}
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        KpiNode.objects.create(
            tree=world.tree, parent=world.factor, level="kpi", code="customers", name="取引先数", metric=metric
        )
        send("accounts", {"external_id": "a", "name": "A社"})
        send("deals", *(_deal(each, "bob", day, 1, "won", account="a") for each, day in
                        (("x", "2026-10-07"), ("y", "2026-11-06"))))  # fmt: skip
        recompute(now=NOW)
        page = get(dave).content.decode()
        assert [self.actual(page, "取引先数", each) for each in ("2026年10月", "2026年11月", self.THIRD)] == ["1"] * 3
        assert self.remark(page) is None
        sheet = load_workbook(io.BytesIO(get(dave, "/budget/table.xlsx").content)).active
        line = next(row for row in range(4, sheet.max_row) if sheet.cell(row, 1).value == "取引先数") + 1
        assert sheet.cell(line, [cell.value for cell in sheet[3]].index(self.THIRD) + 1).value == 1


class TestWorkbook:
    @pytest.fixture
    def sheet(self, world, dave, get):
        return load_workbook(io.BytesIO(get(dave, "/budget/table.xlsx?scale=thousand").content)).active

    def rows_of(self, sheet, name):
        first = next(row for row in range(1, sheet.max_row) if sheet.cell(row, 1).value == name)
        return [[cell.value for cell in sheet[first + offset]][2:] for offset in range(7)]

    def test_is_the_sheet_that_people_know(self, sheet):
        assert sheet.freeze_panes == "C4"
        assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 8)
        assert sheet.sheet_properties.pageSetUpPr.fitToPage

    def test_totals_differences_and_achievement_are_formulas(self, sheet):
        target, actual, _landing, gap, reached, _before, _year = self.rows_of(sheet, "受注額")
        line = next(row for row in range(1, 9) if sheet.cell(row, 1).value == "受注額")
        titles = [cell.value for cell in sheet[3]][2:]
        third = titles.index("2026年度 第3四半期")
        assert actual[titles.index("2026年10月")] == 800_000
        assert actual[third] == f"=SUM(L{line + 1},M{line + 1},N{line + 1})"
        assert titles[9:12] == ["2026年10月", "2026年11月", "2026年12月"]
        assert gap[9] == f'=IF(AND(ISNUMBER(L{line + 1}),ISNUMBER(L{line})),L{line + 1}-L{line},"")'
        assert reached[9].startswith("=IF(") and f"/ABS(L{line})" in reached[9]
        assert target[9] == 1_000_000

    def test_achievement_is_counted_as_the_metric_says(self, world, dave, get):
        Metric.objects.filter(code="bookings").update(direction="down", achievement_formula="ratio")
        book = load_workbook(io.BytesIO(get(dave, "/budget/table.xlsx?scale=thousand").content))
        _target, _actual, _landing, _gap, reached, *_rest = self.rows_of(book.active, "受注額")
        line = next(row for row in range(1, 9) if book.active.cell(row, 1).value == "受注額")
        assert f"IF(AND(L{line + 1}>0,L{line}>0),L{line}/L{line + 1},MAX(" in reached[9]

    def test_a_missing_number_is_a_word_that_no_formula_takes_for_one(self, sheet):
        titles = [cell.value for cell in sheet[3]][2:]
        target, actual, landing, gap, *_rest = self.rows_of(sheet, "受注額")
        april = titles.index("2026年4月")
        assert (target[april], actual[april], landing[april]) == ("目標なし", "データなし", None)
        assert gap[april].startswith("=IF(AND(ISNUMBER(C5),ISNUMBER(C4)),")

    def test_a_rate_is_not_summed(self, sheet):
        titles = [cell.value for cell in sheet[3]][2:]
        actual = self.rows_of(sheet, "受注率（件数）")[1]
        assert actual[titles.index("2026年度 第3四半期")] == pytest.approx(0.6)

    def test_negatives_and_scale_are_written_by_the_format(self, sheet):
        assert sheet["L4"].number_format == "#,##0,;△#,##0,"

    def test_a_name_is_never_a_formula(self, world, dave, get):
        KpiNode.objects.filter(pk=world.goal.pk).update(name="=cmd()")
        book = load_workbook(io.BytesIO(get(dave, "/budget/table.xlsx").content))
        assert book.active["A4"].value == "'=cmd()"


class TestCsv:
    @pytest.mark.parametrize(("query", "encoding"), [("", "utf-8-sig"), ("&encoding=cp932", "cp932")])
    def test_opens_in_excel(self, world, dave, get, query, encoding):
        content = get(dave, f"/budget/table.csv?rows=tree{query}").content
        assert content.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
        rows = list(csv.reader(io.StringIO(content.decode(encoding))))
        october = rows[0].index("2026年10月")
        actual = next(row for row in rows if row[0] == "受注額" and row[3] == "実績")
        assert actual[october] == "800000"
        assert actual[rows[0].index("2026年4月")] == "データなし"
        assert actual[rows[0].index("2026年12月")] == ""
        target = next(row for row in rows if row[0] == "受注額" and row[3] == "目標")
        assert target[rows[0].index("2026年4月")] == "目標なし"

    def test_what_cp932_lacks_is_a_geta(self, world, dave, get):
        KpiNode.objects.filter(pk=world.goal.pk).update(name="受注額🎯")
        assert "受注額〓" in get(dave, "/budget/table.csv?encoding=cp932").content.decode("cp932")
