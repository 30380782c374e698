"""How often a deal was put off: as its source says, else as its expected close was seen to move."""

import csv
import io
from datetime import date, timedelta

import pytest
from openpyxl import load_workbook

from kpis.services.recompute import recompute
from tests.kpis.forecasts.conftest import NOVEMBER, NOW, send
from tests.kpis.pages.test_pdf import pages_of

pytestmark = pytest.mark.django_db
SEEN = "2026-11-16"  # the day on which the fixture's deals were first read


def move(*days, external_id="sure", **changes):
    """Read a deal again, each time an hour later, with another day on which it is expected to close."""
    for hours, day in enumerate(days, start=1):
        record = {"external_id": external_id, "created_on": "2026-11-02", "expected_close_on": day, **changes}
        send("deals", record, now=NOW + timedelta(hours=hours))
    recompute(now=NOW)


@pytest.fixture
def counted(sales, api):
    """A deal's count and since when, as the API tells them."""

    def read(external_id="sure"):
        asked = {"tree": sales.tree.public_id, "grain": "month", "period_start": NOVEMBER.isoformat()}
        groups = api.shown("forecast-table/", **asked)["table"]["groups"]
        (deal,) = (deal for group in groups for deal in group["deals"] if deal["external_id"] == external_id)
        return deal["postponed_count"], deal["postponed_since"]

    return read


class TestCount:
    def test_each_move_to_a_later_day_counts_also_within_a_month(self, counted):
        move("2026-11-28", "2026-12-25", "2026-11-30")
        assert counted() == (2, SEEN)

    def test_no_move_is_none_seen_since(self, counted):
        move("2026-11-20")
        assert counted() == (0, SEEN)

    def test_what_the_source_says_wins(self, counted):
        move("2026-11-28", "2026-11-29")
        send("deals", {"external_id": "sure", "created_on": "2026-11-02", "postponed_count": 7})
        assert counted() == (7, None)
        send("deals", {"external_id": "sure", "created_on": "2026-11-02", "postponed_count": 0})
        assert counted() == (0, None)

    def test_of_a_deal_that_was_read_when_it_was_made_all_moves_are_known(self, counted):
        new = {"created_on": SEEN, "expected_close_on": "2026-11-20", "amount": 5, "confidence": "A", "owner": "bob"}
        send("deals", {"external_id": "new", **new})
        move("2026-11-24", external_id="new", created_on=SEEN)
        assert counted("new") == (1, None)

    def test_a_day_that_was_not_there_is_not_put_off(self, counted):
        move(None, "2026-11-28")
        assert counted() == (0, SEEN)

    def test_the_day_of_the_close_is_not_a_postponement_nor_what_is_corrected_later(self, counted):
        move("2026-11-28")
        move("2026-11-29", outcome="won", closed_on="2026-11-29")
        move("2026-11-30", closed_on="2026-11-30")
        assert counted() == (1, SEEN)

    def test_a_deal_that_is_opened_again_counts_what_was_moved_while_it_was_open(self, counted):
        move("2026-11-28")
        move("2026-11-28", outcome="lost", closed_on="2026-11-16")
        move("2026-11-29", outcome="lost")
        move("2026-11-30", outcome="open", closed_on=None)
        assert counted() == (2, SEEN)

    def test_needs_one_query_however_many_deals(self, sales, dave, client_for, acme, django_assert_max_num_queries):
        client = client_for(dave, acme)
        client.get("/forecast/")
        for number in range(5):
            more = {"expected_close_on": "2026-11-25", "confidence": "A", "amount": 10, "owner": "bob"}
            send("deals", {"external_id": f"m{number}", "created_on": "2026-11-02", **more})
            move("2026-11-26", external_id=f"m{number}")
        with django_assert_max_num_queries(70) as seen:
            client.get("/forecast/")
        asked = [query["sql"] for query in seen if "'expected_close_on'->>1" in query["sql"]]
        assert len(asked) == 1


class TestShown:
    @pytest.fixture
    def get(self, sales, dave, client_for, acme):
        move("2026-11-28", "2026-11-29")

        def read(address, language):
            response = client_for(dave, acme).get(address, headers={"accept-language": language})
            assert response.status_code == 200
            return response.content

        return read

    @pytest.mark.parametrize(
        ("language", "since", "told"),
        [
            ("ja", "2026/11/16(月)から", "取り込み始めてから"),
            ("en", "since Mon 16 Nov 2026", "has been counted since the deal was first read"),
        ],
    )
    def test_the_page_says_how_often_and_since_when(self, get, language, since, told):
        section = get("/forecast/", language).decode().split('aria-labelledby="deals"')[1].split("</section>")[0]
        assert f'>2 <span class="faint">{since}</span></td>' in section
        assert section.count(since) == 1
        assert told in section

    def test_says_nothing_more_where_the_source_says_all(self, get):
        sent = ("sure", "even", "late", "bare", "won")
        send("deals", *({"external_id": each, "created_on": "2026-11-02", "postponed_count": 3} for each in sent))
        recompute(now=NOW)
        section = get("/forecast/", "en").decode().split('aria-labelledby="deals"')[1].split("</section>")[0]
        assert ">3</td>" in section and "since" not in section

    def test_csv_and_workbook_have_the_day_in_a_column(self, get):
        rows = list(csv.DictReader(io.StringIO(get("/forecast/table.csv", "ja").decode("utf-8-sig"))))
        found = {row["商談名"]: (row["延期回数"], row["延期回数の集計開始日"]) for row in rows}
        assert (found["Deal sure"], found["Deal even"]) == (("2", SEEN), ("0", SEEN))
        sheet = load_workbook(io.BytesIO(get("/forecast/export/", "ja"))).active
        line = next(row for row in sheet.iter_rows(min_row=4) if row[1].value == "Deal sure")
        assert (line[7].value, line[11].value.date()) == (2, date(2026, 11, 16))

    def test_pdf(self, get):
        text = "\n".join(pages_of(get("/forecast/table.pdf", "en")))
        assert "has been counted since the deal was first read" in " ".join(text.split())
