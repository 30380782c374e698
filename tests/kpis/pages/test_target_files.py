"""Targets out into a file and back: the round trip changes nothing, faults are named, all is saved or nothing."""

import csv
import html
import io
import re
from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import load_workbook

from kpis.choices import PeriodState
from kpis.models import DimensionMember, Period, Target, TargetRevision

pytestmark = pytest.mark.django_db
IMPORT, SAVE = "/targets/import/", "/targets/import/save/"


@pytest.fixture
def dave_browser(client_for, acme, dave, world):
    return client_for(dave, acme)


@pytest.fixture
def send(dave_browser):
    """Sends a file and returns the page that shows what it would change."""

    def post(content, name="targets.csv", browser=dave_browser):
        return browser.post(IMPORT, {"file": SimpleUploadedFile(name, content)}).content.decode()

    return post


def sheet(*rows, heading="KPI code,2026年10月,2026年11月,2026年12月", encoding="utf-8-sig"):
    return "\r\n".join([heading, *rows, ""]).encode(encoding)


def counts(page):
    """Would change, as before, refused."""
    found = re.search(r'id="changes">.*?</h2><span class="faint">(.*?)</span>', page, re.S)
    return [int(number) for number in re.findall(r"\d+", found[1])]


def payload(page):
    found = re.search(r'name="payload" value="([^"]*)"', page)
    return html.unescape(found[1]) if found else ""


def refusals(page):
    rows = re.findall(r'<th scope="row" class="num">(\d+)</th><td>([^<]*)</td><td>([^<]*)</td>', page)
    return [(int(row), column, html.unescape(message)) for row, column, message in rows]


class TestExport:
    def test_a_workbook_with_frozen_names_and_a_sum_that_lives(self, dave_browser):
        book = load_workbook(io.BytesIO(dave_browser.get("/targets/grid.xlsx").content))
        assert book.active.freeze_panes == "H2"
        assert book.active["N2"].value == 1_000_000
        assert book.active["T2"].value == "=SUM(H2:S2)"

    @pytest.mark.parametrize(("query", "encoding"), [("", "utf-8-sig"), ("?encoding=cp932", "cp932")])
    def test_csv_in_both_encodings(self, dave_browser, query, encoding):
        rows = list(csv.reader(io.StringIO(dave_browser.get(f"/targets/grid.csv{query}").content.decode(encoding))))
        assert rows[1][0] == "bookings"
        assert "1000000" in rows[1]
        assert "50%" in rows[2]

    def test_another_ending_is_not_found(self, dave_browser):
        assert dave_browser.get("/targets/grid.pdf").status_code == 404


class TestRoundTrip:
    @pytest.mark.parametrize("address", ["grid.xlsx", "grid.csv", "grid.csv?encoding=cp932"])
    @pytest.mark.parametrize("rows", ["", "by=person&kpi=bookings"])
    def test_what_was_exported_changes_nothing(self, world, dave_browser, send, address, rows):
        bob = DimensionMember.objects.get(dimension__code="person", code="bob")
        Target.objects.create(
            node=world.goal,
            period_start=date(2026, 11, 1),
            dimension="person",
            member=bob,
            initial_value="123456.78",
            value="123456.78",
        )
        Period.objects.filter(grain="month", start_date="2026-10-01").update(state=PeriodState.CLOSED)
        content = dave_browser.get(f"/targets/{address}{'&' if '?' in address else '?'}{rows}").content
        changed, unchanged, refused = counts(send(content, address.partition("?")[0]))
        assert (changed, refused) == (0, 0)
        assert unchanged == (1 if rows else 4)


class TestPreview:
    def test_says_what_would_change_and_stores_nothing(self, world, send):
        page = send(sheet("bookings,,900000,800000"))
        assert counts(page) == [2, 0, 0]
        assert "1,000,000" in page and "900,000" in page
        assert Target.objects.get(node=world.goal, period_start="2026-11-01").value == 1_000_000

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
    def test_reads_the_encodings_of_japanese_offices(self, send, encoding):
        page = send(sheet("受注額,,９００，０００,".replace("，", ""), heading="KPI,10月,11月,12月", encoding=encoding))
        assert counts(page) == [1, 0, 0]

    def test_the_unit_of_the_row_holds_for_its_amounts(self, world, send, dave_browser):
        page = send(sheet("bookings,千円,900", heading="KPI code,Unit,2026-11-01"))
        assert "900,000" in page

    @pytest.mark.parametrize(
        ("row", "column", "part"),
        [
            ("sales,,1,", "", "sales"),
            ("bookings,,たくさん,", "2026年11月", "たくさん"),
            ("win_rate,,25,", "2026年11月", "25"),
            ("bookings,,25%,", "2026年11月", "25%"),
            ("skill,,1,", "", "skill"),
        ],
    )
    def test_names_the_cell_that_cannot_be_taken(self, send, row, column, part):
        page = send(sheet(row))
        ((number, where, message),) = refusals(page)
        assert (number, where) == (2, column)
        assert part in message
        assert not payload(page)

    def test_a_closed_month_is_not_changed(self, world, send):
        Period.objects.filter(grain="month", start_date="2026-10-01").update(state=PeriodState.CLOSED)
        page = send(sheet("bookings,5,900000,"))
        assert [(row, column) for row, column, _message in refusals(page)] == [(2, "2026年10月")]
        assert not payload(page)

    def test_a_member_that_is_not_there(self, send):
        heading = "KPI code,Dimension,Member code,2026-11-01"
        assert counts(send(sheet("bookings,person,nobody,5", heading=heading))) == [0, 0, 1]
        assert counts(send(sheet("bookings,person,bob,5", heading=heading))) == [1, 0, 0]

    def test_a_manager_imports_for_the_own_people_only(self, world, client_for, acme, alice, send):
        heading = "KPI code,Dimension,Member code,2026-11-01"
        rows = sheet("bookings,person,bob,5", "bookings,person,dora,5", "bookings,,,5", heading=heading)
        page = send(rows, browser=client_for(alice, acme))
        assert [row for row, _column, _message in refusals(page)] == [3, 4]

    @pytest.mark.parametrize(
        "content", [b"", b"PK\x03\x04 no workbook", b"\xff\xfe\x00\x81\x00", b'KPI code,"2026', b"a,b\r\n1,2\r\n"]
    )
    def test_a_file_that_is_no_table_is_refused_in_words(self, send, content):
        page = send(content)
        assert not payload(page)
        assert 'role="alert"' in page


class TestSave:
    def save(self, browser, page, reason="Market fell."):
        return browser.post(SAVE, {"payload": payload(page), "reason": reason}, follow=True)

    def test_saves_what_was_shown_with_its_reason(self, world, send, dave_browser, dave):
        self.save(dave_browser, send(sheet("bookings,,900000,800000")))
        target = Target.objects.get(node=world.goal, period_start="2026-11-01")
        assert (target.value, target.initial_value) == (900_000, 1_000_000)
        revision = TargetRevision.objects.get(target=target)
        assert (revision.reason, revision.actor) == ("Market fell.", dave)

    def test_without_a_reason_nothing_is_saved(self, world, send, dave_browser):
        self.save(dave_browser, send(sheet("bookings,,900000,800000")), reason="")
        assert not TargetRevision.objects.exists()

    def test_what_was_changed_meanwhile_is_not_overwritten(self, world, send, dave_browser):
        page = send(sheet("bookings,,900000,800000"))
        Target.objects.filter(node=world.goal).update(value=7)
        self.save(dave_browser, page)
        assert Target.objects.get(node=world.goal, period_start="2026-11-01").value == 7
        assert not Target.objects.filter(period_start="2026-12-01").exists()

    def test_nothing_else_can_be_slipped_in(self, world, dave_browser):
        response = dave_browser.post(SAVE, {"payload": "forged", "reason": "x"})
        assert response.status_code == 302
        assert not TargetRevision.objects.exists()

    def test_members_import_nothing(self, world, client_for, acme, bob):
        assert client_for(bob, acme).post(SAVE, {"payload": ""}).status_code == 403


class TestRemoving:
    @pytest.mark.parametrize("word", ["目標なし", "no target"])
    def test_the_words_for_no_target_remove_it_and_a_blank_does_not(self, send, dave_browser, world, word):
        page = send(sheet(f"bookings,,{word},"))
        assert counts(page) == [1, 0, 0]
        dave_browser.post(SAVE, {"payload": payload(page), "reason": "行の誤り"})
        months = Target.with_removed.filter(node=world.goal).values_list("period_start__month", "value")
        assert dict(months) == {10: 1_000_000, 11: None}
        assert TargetRevision.objects.filter(target__node=world.goal).last().reason == "行の誤り"
        assert dave_browser.get("/targets/grid.csv").content.count(b"1000000") == 1

    def test_what_has_no_target_has_none_to_remove(self, send):
        assert counts(send(sheet("bookings,,,目標なし"))) == [0, 1, 0]
