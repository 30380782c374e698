"""Start from Excel: what is pasted or sent is shown with every choice open, then made; what is at fault is said."""

import html
import io
import re
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook

from kpis.models import DimensionMember, KpiTree, ManualEntry, Metric, Target
from tests.kpis.engine.sheets import SHEETS
from tests.kpis.pages.conftest import send

pytestmark = pytest.mark.django_db
PAGE = "/trees/from-excel/"
CELLS = SHEETS[0].cells
BY_PERSON = [["担当者", "2026年4月", "2026年5月"], ["佐藤", "5", "6"], ["訪問太郎", "7", "8"], ["合計", "12", "15"]]


@pytest.fixture
def browser(client_for, acme, dave, in_acme):
    with time_machine.travel(datetime(2026, 11, 16, 3, tzinfo=UTC), tick=False):
        yield client_for(dave, acme)


def pasted(cells):
    return "\r\n".join("\t".join(row) for row in cells)


def workbook(cells, change=None):
    book = Workbook()
    for row in cells:
        book.active.append([_typed(cell) for cell in row])
    if change:
        change(book.active)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def _typed(cell):
    plain = cell.replace(",", "")
    return (float(plain) if plain.isdecimal() else cell) or None


def look(browser, cells, year=2026):
    return browser.post(PAGE, {"text": pasted(cells), "fiscal_year": year})


def upload(browser, content, name="KPI.xlsx"):
    return browser.post(PAGE, {"file": SimpleUploadedFile(name, content), "fiscal_year": 2026})


def fields(response):
    """What a browser would send back from the page."""
    page = response.content.decode()
    form = page[page.index('id="sheet-start"') :]
    sent = {}
    for tag in re.findall(r"<input[^>]*>", form):
        said = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if said.get("type") == "checkbox" and "checked" not in tag:
            continue
        if "name" in said:
            sent[said["name"]] = html.unescape(said.get("value", ""))
    for name, body in re.findall(r'<select name="(\w+)".*?>(.*?)</select>', form, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        sent[name] = html.unescape(chosen[1]) if chosen else ""
    return sent


def make(browser, response, **changes):
    return browser.post(PAGE, {**fields(response), "step": "make", **changes}, follow=True)


class TestFirstStep:
    def test_asks_for_cells_or_a_file(self, browser):
        page = browser.get(PAGE).content.decode()
        assert 'name="text"' in page and 'name="file"' in page and 'value="2026"' in page

    @pytest.mark.parametrize(
        "sent",
        [
            {"text": "  ", "fiscal_year": "2026"},
            {"text": "受注額\t100", "fiscal_year": "2026"},
            {"text": "\t4月\t5月\r\n受注額\t1\t2", "fiscal_year": "soon"},
            {"text": "\t4月\t5月\r\n\t5月\t6月\r\n受注額\t1\t2", "fiscal_year": "2026"},
            {"text": "\t4月\t5月" + "\tx" * 298 + "\r\n受注額\t1\t2", "fiscal_year": "2026"},
            {"text": "\t4月\t5月" + "\r\n受注額\t1\t2" * 2100, "fiscal_year": "2026"},
        ],
    )
    def test_what_cannot_be_read_is_said_and_kept(self, browser, sent):
        response = browser.post(PAGE, sent)
        assert response.status_code == 422
        page = response.content.decode()
        assert "errorlist" in page
        assert html.escape(sent["text"].strip()[:6]) in page

    def test_members_and_managers_are_not_let_in(self, client_for, acme, alice, bob):
        assert [client_for(user, acme).get(PAGE).status_code for user in (alice, bob)] == [403, 403]


class TestFiles:
    def test_a_workbook_says_the_same_as_its_pasted_cells(self, browser):
        make(browser, upload(browser, workbook(CELLS)))
        assert (Target.objects.count(), ManualEntry.objects.count()) == (24, 18)
        assert ManualEntry.objects.filter(note__contains="KPI.xlsx", note__endswith="C5").count() == 1

    def test_real_dates_and_merged_headings(self, browser):
        def change(sheet):
            sheet["B1"], sheet["D1"] = date(2026, 4, 1), date(2026, 5, 1)
            sheet.merge_cells("B1:C1")
            sheet.merge_cells("D1:E1")

        cells = [["", "", "", "", ""], ["KPI", "目標", "実績", "目標", "実績"], ["訪問数", "5", "6", "7", "8"]]
        make(browser, upload(browser, workbook(cells, change)))
        assert sorted(Target.objects.values_list("value", flat=True)) == [5, 7]
        assert sorted(ManualEntry.objects.values_list("value", flat=True)) == [6, 8]

    def test_csv_of_a_japanese_office(self, browser):
        content = "\r\n".join(",".join(f'"{cell}"' for cell in row) for row in CELLS).encode("cp932")
        assert "seen" in fields(upload(browser, content, "KPI.csv"))

    def test_formulas_that_were_never_computed(self, browser):
        def change(sheet):
            sheet["B2"], sheet["C2"] = "=1+1", "=B2*2"

        response = upload(browser, workbook([["", "4月", "5月"], ["訪問数", "", ""]], change))
        assert response.status_code == 422
        assert "Excel" in response.content.decode()

    def test_a_cell_in_the_last_corner_is_refused_before_it_is_spread_out(self, browser):
        def change(sheet):
            sheet["XFD1048576"] = 1

        response = upload(browser, workbook(CELLS, change))
        assert response.status_code == 422
        assert "1048576" in response.content.decode()

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no workbook", b"\xff\xfe\x00\x81"])
    def test_what_is_no_table(self, browser, content):
        assert upload(browser, content).status_code == 422


class TestLooking:
    def test_shows_the_rows_the_totals_and_what_is_not_taken_and_stores_nothing(self, browser):
        page = look(browser, CELLS).content.decode()
        assert "O9" in page and "495" in page and "494" in page
        assert "10,000,000" in page
        assert not Metric.objects.exists()

    def test_a_choice_is_kept_and_what_follows_from_it_shown(self, browser):
        response = look(browser, CELLS)
        again = browser.post(PAGE, {**fields(response), "step": "look", "k1_use": "", "tree_name": "別の名前"})
        sent = fields(again)
        assert (sent["k1_use"], sent["tree_name"]) == ("", "別の名前")
        assert sent["seen"] != fields(response)["seen"]

    def test_another_unit_reads_the_numbers_anew(self, browser):
        response = look(browser, [["", "2026年4月", "2026年5月"], ["受注額", "5", "6"]])
        changed = browser.post(PAGE, {**fields(response), "step": "look", "k0_unit": "amount:1000"})
        make(browser, changed)
        assert sorted(ManualEntry.objects.values_list("value", flat=True)) == [5000, 6000]

    def test_a_fault_stands_beside_its_field(self, browser):
        response = look(browser, CELLS)
        for fault in ({"k0_name": ""}, {"k0_unit": "miles"}, {"tree": "nothing"}, {"tree_name": ""}, {"l0": "x"}):
            again = browser.post(PAGE, {**fields(response), "step": "make", **fault})
            assert again.status_code == 422, fault
            assert "errorlist" in again.content.decode()
        assert not Metric.objects.exists()

    def test_an_existing_kpi_keeps_its_unit(self, browser):
        make(browser, look(browser, CELLS))
        response = look(browser, [["", "2026年4月", "2026年5月"], ["商談数", "5", "6"]])
        code = Metric.objects.get(name="受注額").code
        again = browser.post(PAGE, {**fields(response), "step": "look", "k0_use": f"metric:{code}"})
        assert again.status_code == 422

    def test_names_that_nobody_has_can_be_given_to_somebody(self, browser):
        send("people", {"external_id": "p1", "name": "訪問 太郎"}, {"external_id": "p2", "name": "佐藤 花子"})
        cells = [["訪問数", *BY_PERSON[0][1:]], *BY_PERSON[1:]]
        response = look(browser, cells)
        sent = fields(response)
        assert (sent["s0"], sent["s1"]) == ("", "person:p1")
        make(browser, browser.post(PAGE, {**sent, "step": "look", "s0": "person:p2"}))
        member = DimensionMember.objects.get(code="p2", dimension__code="person")
        assert sorted(ManualEntry.objects.filter(member=member).values_list("value", flat=True)) == [5, 6]
        assert sorted(ManualEntry.objects.filter(member=None).values_list("value", flat=True)) == [12, 15]


class TestMaking:
    def test_makes_what_was_shown_and_opens_the_tree(self, browser):
        response = make(browser, look(browser, CELLS))
        tree = KpiTree.objects.get()
        assert response.redirect_chain == [(f"/trees/{tree.public_id}/edit/", 302)]
        assert (Target.objects.count(), ManualEntry.objects.count()) == (24, 18)

    def test_twice_the_same_sheet_has_nothing_to_make(self, browser):
        make(browser, look(browser, CELLS))
        again = look(browser, CELLS)
        assert 'value="make"' not in again.content.decode()

    def test_other_choices_than_those_shown_are_shown_first(self, browser):
        response = make(browser, look(browser, CELLS), k1_use="")
        assert response.status_code == 409
        assert not Metric.objects.exists()
        make(browser, response)
        assert [metric.name for metric in Metric.objects.all()] == ["受注額"]

    def test_confirming_twice_makes_it_once(self, browser):
        response = look(browser, CELLS)
        make(browser, response)
        assert make(browser, response).status_code == 409
        assert (KpiTree.objects.count(), Metric.objects.count()) == (1, 2)

    def test_a_forged_sheet_is_not_taken(self, browser):
        response = browser.post(PAGE, {"payload": "forged", "step": "make"}, follow=True)
        assert response.redirect_chain == [(PAGE, 302)]
        assert not Metric.objects.exists()
