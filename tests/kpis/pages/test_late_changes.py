"""What changes after a period was closed is told where people look, until somebody has decided about it."""

import csv
import io
import re
from datetime import UTC, date, datetime
from html import unescape

import pytest
from openpyxl import load_workbook

from kpis.models import Deal, Metric, OpenRestatement, Period, PeriodToCompare
from kpis.selectors.calendar import find_period
from kpis.services.definitions import update_metric
from kpis.services.facts import upsert_facts
from kpis.services.merges import merge_facts
from kpis.services.periods import close_period, reopen_period
from kpis.services.recompute import recompute
from kpis.tasks import compare_periods, move_periods
from tests.kpis.pages.test_pdf import pages_of
from tests.remembering import remembered

from .conftest import NOW, _deal, send

pytestmark = pytest.mark.django_db
EARLIER = datetime(2026, 11, 1, tzinfo=UTC)
CLOSED_AT = datetime(2026, 11, 16, 1, tzinfo=UTC)
OCTOBER = "?grain=month&start=2026-10-01"


def words(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", unescape(page))).strip()


@pytest.fixture
@remembered
def october(world):
    """October is closed with two deals won: 700,000 and 100,000."""
    Deal.objects.update(recorded_at=EARLIER, changed_at=EARLIER)
    period = find_period("month", date(2026, 10, 1))
    assert period is not None
    return close_period(period=period, actor=None, now=CLOSED_AT)


@pytest.fixture
def work(drain_outbox):
    """Let the workers do what waits."""

    def run():
        recompute(now=NOW)
        drain_outbox()

    return run


@pytest.fixture
def deleted(october, work):
    """The smaller deal is deleted at its source."""
    send("deals", {"external_id": "d2", "deleted": True})
    work()
    return october


@pytest.fixture
def read(client_for, acme):
    def get(user, address):
        response = client_for(user, acme).get(address, headers={"accept-language": "en"})
        assert response.status_code == 200
        return response.content.decode()

    return get


@pytest.fixture
def told(read, world):
    """What each place says of October's late changes to a person who closes; None where it says nothing."""

    def look(user):
        today = re.search(r'id="panel-closing">(.*?)</section>', read(user, "/"), re.S)
        listed = re.search(r'<a href="\?grain=month&amp;start=2026-10-01".*?</a>', read(user, "/closing/"), re.S)
        strip = re.search(
            r'class="strip strip-warn"[^>]*>(.*?)</p>', read(user, f"/kpis/{world.goal.public_id}/{OCTOBER}")
        )
        table = read(user, "/budget/")
        return {
            "today": words(today[0]) if today and "changed after closing" in today[0] else None,
            "closing": "late change" in listed[0],
            "kpi": words(strip[1]) if strip else None,
            "column": re.search(r'budget-late" href="/closing/\?grain=month&amp;start=2026-10-01', table) is not None,
            "cells": re.findall(r'class="budget-late"[^>]* title="([^"]+)"', table),
        }

    return look


NOTHING = {"today": None, "closing": False, "kpi": None, "column": False, "cells": []}


@pytest.fixture
def decide(client_for, acme, dave):
    """Dave decides about all of a period."""

    def post(period, verdict):
        address = f"/closing/{period.public_id}/restatements/"
        fields = {"verdict": verdict, "reason": "The order was void."}
        page = client_for(dave, acme).post(address, fields, follow=True, headers={"accept-language": "en"})
        return page.content.decode()

    return post


def shown(read, user, world):
    """The number of the KPI's page for October, as its own sentence says it."""
    page = read(user, f"/kpis/{world.goal.public_id}/{OCTOBER}")
    return re.search(r"([\d,]+) JPY", words(re.search(r'<p class="lead">.*?</p>', page, re.S)[0]))[1]


class TestTold:
    def test_a_deleted_deal_is_told_wherever_people_look(self, deleted, world, dave, told, read):
        said = told(dave)
        assert "Oct 2026 Closed 4 KPIs changed after closing See and decide" in said["today"]
        assert said["closing"] and said["column"]
        assert said["kpi"].startswith("Changed after closing: 800,000 JPY → 700,000 JPY")
        assert "Changed after closing: 800,000 JPY → 700,000 JPY" in said["cells"]
        assert shown(read, dave, world) == "800,000"

    def test_so_is_a_merged_one(self, october, world, dave, told, read, work):
        upsert_facts(resource="deals", source="crm", records=[{"external_id": "d2", "deleted": True}], now=NOW)
        merge_facts(resource="deals", source="crm", merges={"d2": "d1"}, now=NOW)
        work()
        assert told(dave)["kpi"].startswith("Changed after closing: 800,000 JPY → 700,000 JPY")
        assert shown(read, dave, world) == "800,000"

    def test_the_ways_lead_to_the_change_with_its_cause(self, deleted, world, dave, read):
        page = read(dave, "/")
        (way,) = re.findall(r'<a href="([^"]+)">See and decide', page)
        late = words(read(dave, unescape(way)))
        assert "4 KPIs to decide on" in late
        assert "At closing 800,000 JPY → now 700,000 JPY: 1 record deleted" in late
        assert f'<a href="{way}">See the late changes' in read(dave, f"/kpis/{world.goal.public_id}/{OCTOBER}")

    def test_who_does_not_close_sees_the_mark_and_no_way_there(self, deleted, world, bob, read):
        page = read(bob, f"/kpis/{world.goal.public_id}/{OCTOBER}")
        assert "Changed after closing: 800,000 JPY → 700,000 JPY" in page
        table = read(bob, "/budget/")
        assert '<span class="budget-late">Changed after closing' in table
        assert all("/closing/" not in each for each in (page, table, read(bob, "/")))

    def test_a_segment_says_its_own(self, deleted, world, dave, read):
        west, east = (
            read(dave, f"/kpis/{world.goal.public_id}/{OCTOBER}&segment=team:{code}") for code in ("west", "east")
        )
        assert "Changed after closing: 100,000 JPY → 0 JPY" in west
        assert "Changed after closing" not in east

    def test_live_numbers_bear_no_mark(self, deleted, world, dave, read):
        assert "Changed after closing" not in read(dave, "/budget/?org=now&rows=team&kpi=bookings")
        assert "Changed after closing" not in read(dave, "/budget/?line=stretch")

    def test_a_running_total_names_the_month_alone(self, deleted, dave, read):
        page = read(dave, "/budget/?sum=1")
        assert page.count("Changed after closing") == 1

    def test_the_files_of_the_table_say_it_too(self, deleted, world, dave, client_for, acme):
        def content(name):
            address = f"/budget/table.{name}?scale=one"
            return client_for(dave, acme).get(address, headers={"accept-language": "en"}).content

        name = world.goal.name
        line = f"{name} (Oct 2026): Changed after closing: 800,000 JPY → 700,000 JPY"
        assert line in [row[0] for row in csv.reader(io.StringIO(content("csv").decode("utf-8-sig"))) if row]
        sheet = load_workbook(io.BytesIO(content("xlsx"))).active
        assert line in [sheet.cell(number, 1).value for number in range(1, sheet.max_row + 1)]
        (marked,) = [place for row in sheet for place in row if place.comment and place.value == 800_000]
        assert marked.comment.text == "Changed after closing; see below the table."
        text = "".join(pages_of(content("pdf")))
        assert "※800,000" in text and line in re.sub(r"\s+", " ", text)

    def test_the_api_lists_how_many(self, deleted, client_for, dave, acme):
        asked = {"grain": "month", "from": "2026-09-01", "to": "2026-11-01"}
        rows = client_for(dave, acme).get("/api/v1/periods/", asked).json()["results"]
        assert [row["open_restatement_count"] for row in rows] == [0, 4]

    def test_an_older_period_is_listed_as_long_as_it_waits(self, deleted, dave, read, monkeypatch):
        monkeypatch.setattr("kpis.views.closing.PERIODS", 1)
        assert "<h2>Oct 2026" in read(dave, f"/closing/{OCTOBER}")
        assert "4 late changes" in read(dave, "/closing/")


class TestDecided:
    def test_approving_shows_the_new_number_and_takes_every_mark_off(self, deleted, world, dave, told, read, decide):
        decide(deleted, "approved")
        assert shown(read, dave, world) == "700,000"
        assert told(dave) == NOTHING

    def test_refusing_leaves_the_number_and_takes_every_mark_off(self, deleted, world, dave, told, read, decide):
        decide(deleted, "refused")
        assert shown(read, dave, world) == "800,000"
        assert told(dave) == NOTHING

    def test_what_was_refused_is_told_again_only_where_it_changes_again(self, deleted, dave, told, decide, acme, work):
        decide(deleted, "refused")
        move_periods(company_id=str(acme.pk))
        work()
        assert told(dave) == NOTHING
        send("deals", _deal("d1", "bob", "2026-10-05", 600_000, "won"))
        work()
        assert told(dave)["kpi"].startswith("Changed after closing: 800,000 JPY → 600,000 JPY")

    def test_of_one_kpi_leaves_the_others(self, deleted, world, client_for, acme, dave, told):
        fields = {"verdict": "refused", "reason": "No.", "node": str(world.goal.public_id)}
        client_for(dave, acme).post(f"/closing/{deleted.public_id}/restatements/", fields)
        assert told(dave)["kpi"] is None
        assert "3 KPIs changed after closing" in told(dave)["today"]

    def test_a_change_that_is_taken_back_at_its_source_is_no_longer_told(self, deleted, dave, told, work):
        send("deals", _deal("d2", "dora", "2026-10-06", 100_000, "won"))
        work()
        assert told(dave) == NOTHING

    def test_opening_again_and_closing_take_it_off(self, deleted, dave, told):
        reopen_period(period=deleted, reason="Late.", actor=None, now=NOW)
        assert not OpenRestatement.objects.exists()
        close_period(period=deleted, actor=None, now=NOW)
        assert told(dave) == NOTHING


class TestCompared:
    def test_only_what_was_touched(self, october):
        PeriodToCompare.objects.all().delete()
        send("deals", _deal("d3", "bob", "2026-11-05", 1, "won"))
        recompute(now=NOW)
        assert not PeriodToCompare.objects.exists()
        send("deals", {"external_id": "d2", "deleted": True})
        recompute(now=NOW)
        assert {each.period for each in PeriodToCompare.objects.all()} == {october}

    def test_no_page_compares(self, october, dave, told):
        """What nobody has compared yet is not told, and the pages compute nothing to find out."""
        send("deals", {"external_id": "d2", "deleted": True})
        recompute(now=NOW)
        assert told(dave) == NOTHING

    def test_every_night_what_no_recompute_touches(self, october, dave, told, acme, drain_outbox):
        drain_outbox()
        halved = {"kind": "formula", "expression": "won_deals / closed_deals / 2"}
        rate = Metric.objects.get(code="win_rate")
        update_metric(metric=rate, spec=halved, effective_from=date(2026, 10, 1), actor=None, now=NOW)
        drain_outbox()
        assert told(dave) == NOTHING
        move_periods(company_id=str(acme.pk))
        drain_outbox()
        assert "1 KPI changed after closing" in told(dave)["today"]

    def test_whoever_was_stopped_leaves_it_noted(self, october, dave, told, work, acme, monkeypatch):
        send("deals", {"external_id": "d2", "deleted": True})
        with monkeypatch.context() as patch:
            patch.setattr("kpis.services.comparing.find_restatements_of", lambda *_args, **_more: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                work()
        assert told(dave) == NOTHING
        compare_periods(company_id=str(acme.pk))
        assert told(dave)["today"] is not None

    def test_a_closed_week_waits_by_itself(self, world, dave, told, work):
        world.goal.frequency = "week"
        world.goal.save()
        Deal.objects.update(recorded_at=EARLIER, changed_at=EARLIER)
        week = Period.objects.get(grain="week", start_date__lte=date(2026, 10, 6), end_date__gt=date(2026, 10, 6))
        close_period(period=week, actor=None, now=CLOSED_AT)
        send("deals", {"external_id": "d2", "deleted": True})
        work()
        assert "1 KPI changed after closing" in told(dave)["today"]
        assert not told(dave)["closing"]
