"""A source that is late: what nobody has told of is no zero, and the numbers that depend on it say so."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from openpyxl import load_workbook

from kpis.models import Deal, FactStream, Metric, MetricSnapshot, MetricVersion, Period
from kpis.selectors.breakdown import BreakdownQuery, read_breakdown
from kpis.selectors.calendar import find_period
from kpis.selectors.closing import preview_closing
from kpis.selectors.matrix import KpiMatrix, MatrixMember, MatrixQuery, build_matrix
from kpis.selectors.parts import read_cell
from kpis.services.calendar import ensure_calendar
from kpis.services.facts import upsert_facts
from kpis.services.recompute import recompute, recompute_all
from kpis.services.snapshots import take_snapshots
from kpis.services.streams import record_stream
from tests.kpis.pages.conftest import NOW, World, _deal
from tests.kpis.pages.test_pdf import pages_of

pytestmark = pytest.mark.django_db

JANUARY = datetime(2027, 1, 20, 3, tzinfo=UTC)  # two months after the last delivery
HOUR = timedelta(hours=1)
MARK = "更新が止まっています（最後の成功 11/16 8:00）"


@pytest.fixture
def silent(world: World) -> World:
    """The deals came every hour, and last in the middle of November."""
    ensure_calendar(first_day=date(2026, 4, 1), last_day=date(2027, 3, 31))
    FactStream.objects.filter(fact="deals").update(expected_every=HOUR)
    return world


def matrix(world: World, *, now: datetime = JANUARY, **changes: object) -> KpiMatrix:
    asked = {"grain": "month", "start": date(2026, 11, 1), "end": date(2027, 2, 1), "codes": ["won_deals"], **changes}
    return build_matrix(MatrixQuery(world.tree, **asked), now=now)


def row(world: World, **changes: object) -> list[object]:
    """Won deals of November, December and January: the number, else the word for why there is none."""
    found = matrix(world, **changes)
    return [
        absence if value is None else int(value)
        for value, absence in zip(found.value[0][0], found.absence[0][0], strict=True)
    ]


def teams(world: World) -> Iterator[tuple[MatrixMember, list[str | None]]]:
    found = matrix(world, dimension="team")
    return zip(found.members, found.absence[0], strict=True)


def deliver(source: str = "crm", *, now: datetime = JANUARY, every: timedelta | None = HOUR) -> None:
    record_stream(source=source, fact="deals", last_success_at=now, expected_every=every)


class TestNoZero:
    def test_a_period_that_began_after_the_last_success_has_no_number(self, silent):
        assert row(silent) == [1, "missing", "missing"]

    def test_a_quiet_month_is_zero_as_soon_as_the_source_has_told(self, silent):
        deliver()
        assert row(silent) == [1, 0, 0]

    def test_the_day_is_the_companys(self, silent):
        deliver(now=datetime(2026, 11, 30, 15, tzinfo=UTC))  # midnight of December 1 in Tokyo
        assert row(silent) == [1, 0, "missing"]

    def test_what_is_stored_is_shown(self, silent):
        early = _deal("d9", "bob", "2026-12-02", 1, "won")
        upsert_facts(resource="deals", source="crm", records=[early], run=1, now=NOW)
        recompute(now=NOW)
        assert row(silent) == [1, 1, "missing"]
        by_team = {member.code: words[1] for member, words in teams(silent)}
        assert (by_team["east"], by_team["west"]) == (None, "missing")

    def test_a_push_without_a_rhythm_tells_until_its_last_delivery(self, silent):
        FactStream.objects.update(expected_every=None)
        assert row(silent) == [1, "missing", "missing"]
        upsert_facts(resource="deals", source="crm", records=[], now=JANUARY)
        assert row(silent) == [1, 0, 0]

    def test_one_broken_source_of_several_leaves_the_sum_untold(self, silent):
        deliver("web")
        assert row(silent) == [1, "missing", "missing"]
        deliver()
        assert row(silent) == [1, 0, 0]

    def test_a_file_that_was_loaded_once_owes_nothing(self, silent):
        deliver("history", now=NOW, every=None)
        deliver()
        assert row(silent) == [1, 0, 0]

    def test_a_source_that_never_came_to_its_end_is_broken_once_it_has_a_rhythm(self, silent):
        FactStream.objects.create(source="web", fact="deals")
        deliver()
        assert row(silent) == [1, 0, 0]
        FactStream.objects.filter(source="web").update(expected_every=HOUR)
        assert row(silent) == [1, "missing", "missing"]

    def test_a_rate_is_missing_too_and_a_longer_period_is_not(self, silent):
        assert matrix(silent, codes=["win_rate"]).absence[0][0][1:] == ["missing", "missing"]
        assert row(silent, grain="quarter", start=date(2026, 10, 1), end=date(2027, 4, 1)) == [3, "missing"]

    def test_nor_where_it_is_read_from_the_records_themselves(self, silent):
        metric, december = silent.tree.nodes.get(code="won_deals").metric, find_period("month", date(2026, 12, 1))

        def value() -> object:
            return read_cell(metric, december, dimension="company", member=None, today=date(2027, 1, 20)).value

        assert value() == "missing"
        deliver()
        assert value() == 0

    def test_nor_where_two_dimensions_cross(self, silent):
        metric = silent.tree.nodes.get(code="won_deals").metric
        query = BreakdownQuery(metric, ("team", "person"), "month", date(2026, 11, 1), date(2027, 1, 1))
        assert [set(each.value) for each in read_breakdown(query, now=JANUARY).columns] == [{0, 1}, {"missing"}]

    def test_a_cohort_matures_only_as_far_as_the_source_has_told(self, silent):
        spec = {
            "kind": "conversion",
            "fact": "deals",
            "from": "created",
            "to": "won",
            "window_days": 60,
            "origin": ["unknown"],
        }
        metric = Metric.objects.create(code="cohort", name="成約率", unit="percent", accumulation="rate")
        MetricVersion.objects.create(metric=metric, number=1, spec=spec)
        silent.tree.nodes.create(level="kpi", code="cohort", name="成約率", metric=metric)
        recompute_all(now=NOW)
        span = {"codes": ["cohort"], "start": date(2026, 9, 1), "end": date(2026, 10, 1)}
        assert matrix(silent, **span).absence == [[["maturing"]]]
        deliver()
        assert round(matrix(silent, **span).value[0][0][0], 2) == Decimal("0.29")

    def test_no_snapshot_says_that_nothing_is_open(self, silent):
        gone = [{"external_id": name, "deleted": True} for name in ("late", "bare")]
        upsert_facts(resource="deals", source="crm", records=gone, run=1, now=NOW)
        recompute(now=NOW)
        taken = MetricSnapshot.objects.filter(measure="open_deals", dimension="company", metric=None)
        take_snapshots(now=JANUARY)
        assert not taken.exists()
        deliver()
        take_snapshots(now=JANUARY)
        assert taken.get().value == 0


class TestVerdict:
    def test_a_provisional_period_that_was_not_read_to_its_end_is_not_missed(self, silent):
        Period.objects.filter(grain="month", start_date=date(2026, 11, 1)).update(state="provisional")
        span = {"codes": ["bookings"], "end": date(2026, 12, 1)}
        assert matrix(silent, **span).status == [[["behind"]]]
        deliver()
        assert matrix(silent, **span).status == [[["missed"]]]

    def test_a_closed_one_is_as_it_was_closed(self, silent):
        Period.objects.filter(grain="month", start_date=date(2026, 11, 1)).update(state="closed")
        assert matrix(silent, codes=["bookings"], end=date(2026, 12, 1)).status == [[["missed"]]]


class TestLateness:
    def test_an_hourly_source_is_not_late_while_it_is_read(self, silent):
        assert not matrix(silent, now=NOW + timedelta(minutes=75)).nodes[0].is_stale
        assert matrix(silent, now=NOW + timedelta(minutes=76)).nodes[0].is_stale

    def test_a_stock_depends_on_it_too(self, silent):
        metric = Metric.objects.create(code="pipeline", name="案件残高", unit="amount", accumulation="stock")
        MetricVersion.objects.create(metric=metric, number=1, spec={"kind": "snapshot", "measure": "open_pipeline"})
        silent.tree.nodes.create(level="kpi", code="pipeline", name="案件残高", metric=metric)
        assert matrix(silent, codes=["pipeline"]).nodes[0].is_stale


@pytest.fixture
def page_of(client_for, acme, alice):
    def read(address: str) -> str:
        response = client_for(alice, acme).get(address, headers={"accept-language": "ja"})
        assert response.status_code == 200
        return response.content.decode()

    return read


@pytest.fixture
def content_of(client_for, acme, alice):
    return lambda address: client_for(alice, acme).get(address, headers={"accept-language": "ja"}).content


class TestMark:
    @pytest.fixture(autouse=True)
    def _late(self, silent):
        FactStream.objects.filter(fact="deals").update(last_success_at=NOW - timedelta(hours=4))

    @pytest.mark.parametrize(
        "address",
        [
            "/",
            "/kpis/",
            "/kpis/?view=list",
            "/budget/",
            "/budget/?rows=team",
            "/forecast/",
            "/deals-to-check/",
            "/handover/",
        ],
    )
    def test_stands_beside_every_number_that_depends_on_it(self, page_of, address):
        assert MARK in page_of(address)
        deliver(now=NOW)
        assert "更新が止まっています" not in page_of(address)

    def test_a_kpis_own_page_says_it_above_all(self, silent, page_of):
        address = f"/kpis/{silent.tree.nodes.get(code='bookings').public_id}/"
        assert "更新が止まっています" in page_of(address)
        deliver(now=NOW)
        assert "更新が止まっています" not in page_of(address)

    def test_not_beside_a_locked_number(self, page_of):
        Period.objects.filter(grain="month", start_date=date(2026, 10, 1)).update(state="closed")
        assert "更新が止まっています" not in page_of("/kpis/?start=2026-10-01")

    def test_is_a_note_in_every_file(self, content_of):
        note = f"{MARK}: 受注額、受注率（件数）、受注件数、決着件数"
        rows = list(csv.reader(io.StringIO(content_of("/budget/table.csv").decode("utf-8-sig"))))
        assert rows[-1] == [note]
        sheet = load_workbook(io.BytesIO(content_of("/budget/table.xlsx"))).active
        assert [cell.value for cell in sheet["A"]][-1] == note
        assert any(MARK in page for page in pages_of(content_of("/budget/table.pdf")))
        deliver(now=NOW)
        assert MARK not in content_of("/budget/table.csv").decode("utf-8-sig")

    def test_the_files_of_the_deal_forecast_table_too(self, content_of):
        note = f"{MARK}: 受注額"
        for part in ("table", "changes", "losses", "to-check"):
            rows = list(csv.reader(io.StringIO(content_of(f"/forecast/{part}.csv").decode("utf-8-sig"))))
            assert rows[-1] == [note], part
        book = load_workbook(io.BytesIO(content_of("/forecast/export/")))
        assert [sheet["A2"].value for sheet in book] == [note] * len(book.sheetnames)
        assert any(MARK in page for page in pages_of(content_of("/forecast/table.pdf")))
        deliver(now=NOW)
        assert MARK not in content_of("/forecast/table.csv").decode("utf-8-sig")
        assert load_workbook(io.BytesIO(content_of("/forecast/export/"))).active["A2"].value is None
        assert not any(MARK in page for page in pages_of(content_of("/forecast/table.pdf")))


class TestHandovers:
    """Leads came every hour, with the stages that say when one was handed over."""

    @pytest.fixture(autouse=True)
    def _leads(self, silent):
        record = {"external_id": "L1", "created_on": "2026-10-02", "mql_on": "2026-10-05"}
        upsert_facts(resource="leads", source="ma", records=[record], now=NOW)
        recompute(now=NOW)

    def read(self, moment: datetime) -> None:
        record_stream(source="ma", fact="leads", last_success_at=moment, expected_every=HOUR)

    def test_what_nobody_has_told_of_is_not_none(self, page_of):
        deliver(now=NOW)
        self.read(datetime(2026, 10, 30, 3, tzinfo=UTC))
        page = page_of("/handover/")
        assert "引き渡したリードはありません" not in page
        assert "リードの最終取得は10/30 12:00で、この期間より前です" in page
        assert "更新が止まっています（最後の成功 10/30 12:00）" in page

    def test_nor_after_the_last_reading(self, page_of):
        self.read(NOW - timedelta(hours=30))
        assert "それ以降は不明です" in page_of("/handover/")
        self.read(NOW)
        assert "引き渡したリードはありません" in page_of("/handover/")

    def test_nor_before_a_source_ever_came(self, page_of):
        FactStream.objects.filter(fact="leads").delete()
        assert "リードを届けたデータ元はまだありません" in page_of("/handover/")

    def test_nor_in_a_period_before_its_first_record(self, page_of):
        self.read(NOW)
        assert "この期間のリードを伝えるデータ元がありません" in page_of("/handover/?start=2026-04-01")

    def test_the_file_says_so_below_its_lines(self, content_of):
        self.read(datetime(2026, 10, 30, 3, tzinfo=UTC))
        deliver(now=NOW)
        rows = list(csv.reader(io.StringIO(content_of("/handover/ledger.csv").decode("utf-8-sig"))))
        assert rows[1][0].startswith("更新が止まっています（最後の成功 10/30 12:00）: リード")
        assert rows[2][0].startswith("リードの最終取得は10/30 12:00")
        self.read(NOW)
        assert len(list(csv.reader(io.StringIO(content_of("/handover/ledger.csv").decode("utf-8-sig"))))) == 1


class TestDealsToCheck:
    @pytest.fixture(autouse=True)
    def _none(self, silent):
        Deal.objects.update(outcome="won")

    def test_none_at_the_last_reading_is_not_none_now(self, page_of):
        deliver(now=NOW - timedelta(hours=4))
        assert "要確認の商談はありませんでした" in page_of("/deals-to-check/")
        deliver(now=NOW)
        assert "要確認の商談はありません。" in page_of("/deals-to-check/")

    def test_none_where_no_source_ever_came_says_nothing(self, page_of):
        FactStream.objects.all().delete()
        assert "商談を届けたデータ元はまだありません" in page_of("/deals-to-check/")


class TestClosing:
    def test_warns_of_what_was_not_read_since_the_period_ended(self, silent, page_of, alice):
        with time_machine.travel(JANUARY, tick=False):
            page = page_of("/closing/?start=2026-11-01")
            assert "期間の終わりの後に未取得" in page
            assert "最終取得 2026/11/16" in page
            deliver()
            assert "期間の終わりの後に未取得" not in page_of("/closing/?start=2026-11-01")

    def test_names_each_kind_of_data_once(self, silent):
        period = Period.objects.get(grain="month", start_date=date(2026, 11, 1))
        unread = preview_closing(period, now=JANUARY).unread
        assert [(each.fact, each.known_until) for each in unread] == [("deals", date(2026, 11, 16))]
