"""Exports with columns of their own: from a sample over the editor to facts, and what is said when they change."""

from __future__ import annotations

import io
import os
import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from openpyxl import Workbook

from integrations.choices import RunState
from integrations.models import Connection, FieldMapping, SourceFile, SyncRun, Upload
from integrations.services.runs import look_into
from integrations.services.uploads import inbox_path
from kpis.models import Account, Deal, Lead

HEADINGS = ["見込客番号", "登録日時", "会社", "獲得経路", "段階"]
ROWS = [
    [f"S{n:03}", "2026/10/0" + str(n % 9 + 1), f"会社{n}", "展示会" if n % 2 else "Web", "新規"] for n in range(1, 31)
]
COLUMNS = {"column.external_id": "見込客番号", "column.created_on": "登録日時", "column.status": "段階"}


def csv_of(rows: list[list[str]] = ROWS, headings: list[str] = HEADINGS, encoding: str = "cp932") -> bytes:
    return "".join(",".join(line) + "\r\n" for line in [headings, *rows]).encode(encoding)


def xlsx_of(rows: list[list[str]] = ROWS, headings: list[str] = HEADINGS) -> bytes:
    return book_of({"Sheet1": [headings, *rows]})


def book_of(sheets: dict[str, list[list[str]]]) -> bytes:
    book, out = Workbook(), io.BytesIO()
    book.remove(book.active)
    for title, lines in sheets.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line)
    book.save(out)
    return out.getvalue()


def sent(name: str, body: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, body)


def page_of(answer: Any) -> str:
    return unescape(answer.content.decode())


@pytest.fixture
def owner(client_for, acme, dave):
    return client_for(dave, acme)


def set_up(client: Any, file: SimpleUploadedFile, **changes: str) -> Any:
    form = {"name": "SATORI", "carries": "ma", "source": "satori", "preset": "sample", "every": "1440", **changes}
    return client.post(reverse("connection_setup", args=["file"]), {**form, "sample": file})


@pytest.fixture
def satori(owner, in_acme) -> Connection:
    set_up(owner, sent("satori_20261101.csv", csv_of()))
    return Connection.objects.get()


def editor(connection: Connection, reads: str = "satori_20261101.csv", resource: str = "leads") -> str:
    return f"{reverse('stream_mapping', args=[connection.public_id])}?reads={reads}&resource={resource}"


def save(client: Any, connection: Connection, columns: dict[str, Any] = COLUMNS, **where: str) -> Any:
    return client.post(editor(connection, **where), {**columns, "save": "1"})


def upload(client: Any, connection: Connection, *files: SimpleUploadedFile) -> Any:
    return client.post(reverse("upload", args=[connection.public_id]), {"uploads": list(files)}, follow=True)


class TestFromASample:
    @pytest.mark.parametrize(("name", "body"), [("見込客.csv", csv_of()), ("見込客.xlsx", xlsx_of())])
    def test_to_facts(self, owner, in_acme, drain_outbox, name, body):
        made = set_up(owner, sent(name, body))
        connection = Connection.objects.get()
        assert made.url == reverse("streams", args=[connection.public_id])
        kinds = page_of(owner.get(made.url))
        assert name in kinds
        assert "獲得経路" in kinds

        begun = page_of(owner.get(editor(connection, reads=name)))
        offered = re.search(r'<select name="column.external_id".*?</select>', begun, re.S)[0]
        assert re.findall(r'<option value="([^"]+)"', offered) == HEADINGS
        assert "S001" in offered
        tried = page_of(owner.post(editor(connection, reads=name), {**COLUMNS, "preview": "1"}))
        rows = tried.split('id="preview"')[1]
        assert rows.count('<th scope="row" class="num">') == 20
        assert ("S020" in rows, "S021" in rows) == (True, False)
        assert not FieldMapping.objects.exists()

        assert save(owner, connection, reads=name).url == made.url
        brings = reverse("upload_preview", args=[connection.public_id, Upload.objects.get().public_id])
        assert brings in page_of(owner.get(made.url))
        owner.post(brings)
        drain_outbox()
        assert SyncRun.objects.get().state == RunState.SUCCEEDED
        assert Lead.objects.count() == 30
        assert (Lead.objects.get(external_id="S001").status, str(Lead.objects.get(external_id="S001").created_on)) == (
            "新規",
            "2026-10-02",
        )

    def test_numbers_the_rows_as_the_file_does(self, owner, satori):
        page = page_of(owner.post(editor(satori), {**COLUMNS, "preview": "1"}))
        assert re.search(r'class="num"><span class="phone-only">[^<]*</span>2</th><td[^>]*>S001', page)

    def test_a_long_name_of_a_file_is_no_hindrance(self, owner, in_acme):
        set_up(owner, sent(f"{'長' * 240}.csv", csv_of()))
        connection = Connection.objects.get()
        reads = re.search(
            r'name="reads" value="(長+)"', page_of(owner.get(reverse("streams", args=[connection.public_id])))
        )
        assert save(owner, connection, reads=reads[1]).status_code == 302

    def test_asks_for_a_preset_or_a_sample(self, owner, in_acme):
        form = {"name": "x", "carries": "ma", "source": "x", "preset": "sample", "every": ""}
        answer = owner.post(reverse("connection_setup", args=["file"]), form)
        assert answer.status_code == 422
        assert "errorlist" in page_of(answer)
        both = set_up(owner, sent("a.csv", csv_of()), preset="contract")
        assert both.status_code == 422
        assert not Connection.objects.exists()

    @pytest.mark.parametrize(
        ("body", "word"),
        [
            (csv_of(headings=["ID", "日付", "会社", "ID", "段階"]), "「ID」"),
            ("S001,2026/10/01,会社1\nS002,2026/10/02,会社2\n".encode(), "2026/10/01"),
            (b"1,2\n3,4\n", "「1」"),
            (csv_of(rows=[]), "a.csv"),
            (b"", "a.csv"),
            (b"%PDF-1.7", "PDF"),
        ],
    )
    def test_refuses_what_cannot_be_a_sample_and_keeps_nothing(self, owner, in_acme, body, word):
        answer = set_up(owner, sent("a.csv", body))
        assert answer.status_code == 422
        faults = re.search(r'<ul class="errorlist"[^>]*id="id_sample_error".*?</ul>', page_of(answer), re.S)[0]
        assert word in faults
        assert not Connection.objects.exists()
        assert not SourceFile.objects.exists()


class TestTaking:
    def test_files_with_those_headings_whatever_they_are_called(self, owner, satori, drain_outbox):
        save(owner, satori)
        more = csv_of([["S900", "2026/11/01", "会社", "Web", "新規", "x"]], [*HEADINGS, "備考"], "utf-8")
        previewed = upload(owner, satori, sent("全く別の名前.csv", more))
        assert "S900" in page_of(previewed)
        owner.post(previewed.redirect_chain[-1][0])
        drain_outbox()
        assert Lead.objects.get().external_id == "S900"

    def test_also_from_the_folder(self, owner, satori, drain_outbox):
        save(owner, satori)
        folder = inbox_path(connection=satori)
        folder.mkdir(parents=True)
        (folder / "2026-12.csv").write_bytes(csv_of())
        written = (timezone.now() - timedelta(hours=1)).timestamp()
        os.utime(folder / "2026-12.csv", (written, written))
        look_into(connection=satori, now=timezone.now())
        drain_outbox()
        assert Lead.objects.count() == 30

    def test_tells_two_kinds_apart(self, owner, satori, drain_outbox):
        save(owner, satori)
        deals = csv_of([["A1", "2026/10/01", "大型商談", "S001"]], ["商談番号", "登録日時", "商談名", "見込客番号"])
        owner.post(reverse("file_sample", args=[satori.public_id]), {"sample": sent("deals.csv", deals)})
        columns = {"column.external_id": "商談番号", "column.created_on": "登録日時", "column.name": "商談名"}
        save(owner, satori, columns, reads="deals.csv", resource="deals")
        previewed = upload(owner, satori, sent("1.csv", deals), sent("2.csv", csv_of()))
        owner.post(previewed.redirect_chain[-1][0])
        drain_outbox()
        assert (Lead.objects.count(), Deal.objects.get().name) == (30, "大型商談")

    def test_one_file_may_hold_two_resources(self, owner, satori, drain_outbox):
        save(owner, satori)
        save(owner, satori, {"column.external_id": "会社", "column.name": "会社"}, resource="accounts")
        previewed = upload(owner, satori, sent("1.csv", csv_of()))
        owner.post(previewed.redirect_chain[-1][0])
        drain_outbox()
        assert (Lead.objects.count(), Account.objects.count()) == (30, 30)


class TestOtherHeadings:
    def test_a_column_that_is_gone_is_named_and_nothing_imported(self, owner, satori):
        save(owner, satori)
        page = page_of(upload(owner, satori, sent("x.csv", csv_of(headings=[*HEADINGS[:4], "ステータス"]))))
        alert = page.split('role="alert"')[1].split("</p>")[0]
        assert "段階" in alert
        assert "ステータス" in alert
        assert reverse("streams", args=[satori.public_id]) in page

    def test_a_column_that_nothing_reads_may_go(self, owner, satori):
        save(owner, satori)
        rows = [[*row[:3], row[4]] for row in ROWS]
        page = page_of(upload(owner, satori, sent("x.csv", csv_of(rows, [*HEADINGS[:3], "段階"]))))
        assert 'role="alert"' not in page

    def test_a_file_of_no_known_kind_is_refused_whole_naming_what_is_missing(self, owner, satori):
        save(owner, satori)
        other = csv_of([["S001", "2026/10/01", "新規", "a", "b"]], ["見込客番号", "登録日時", "段階", "A", "B"])
        stranger = csv_of([["1", "2"]], ["品番", "数量"])
        assert 'role="alert"' not in page_of(upload(owner, satori, sent("near.csv", other)))
        page = page_of(upload(owner, satori, sent("1.csv", csv_of()), sent("stranger.csv", stranger)))
        alert = page.split('role="alert"')[1].split("</p>")[0]
        for word in ("stranger.csv", "satori_20261101.csv", "見込客番号", "品番"):
            assert word in alert

    def test_are_learned_from_another_sample(self, owner, satori):
        save(owner, satori)
        renamed = csv_of(headings=["番号", "作成", "企業名", "経路", "ステータス"])
        sample = {"sample": sent("new.csv", renamed), "reads": "satori_20261101.csv"}
        owner.post(reverse("file_sample", args=[satori.public_id]), sample)
        assert FieldMapping.objects.get(is_current=True).headings[-1] == "ステータス"
        previewed = page_of(upload(owner, satori, sent("x.csv", renamed)))
        assert "見込客番号" in previewed.split('role="alert"')[1].split("</p>")[0]
        owner.post(editor(satori), {"preview": "1"})
        columns = {"column.external_id": "番号", "column.created_on": "作成", "column.status": "ステータス"}
        assert save(owner, satori, columns).status_code == 302
        assert 'role="alert"' not in page_of(upload(owner, satori, sent("x.csv", renamed)))


class TestPresetKinds:
    def test_a_preset_is_changed_in_the_same_editor(self, owner, connection, drain_outbox):
        people = b"external_id,name,employee_code,team\nP1,\xe9\x9d\x92\xe6\x9c\xa8,007,\n"
        address = editor(connection, reads="people[._]*", resource="people")
        assert "strip-bad" in page_of(owner.get(address))
        sample = {"sample": sent("people.csv", people), "reads": "people[._]*"}
        assert owner.post(reverse("file_sample", args=[connection.public_id]), sample).status_code == 302
        page = page_of(owner.get(address))
        assert "青木" in page
        before = FieldMapping.objects.get(stream="people", is_current=True)
        columns = {f"column.{each['field']}": each["column"] for each in before.rules}
        answer = owner.post(address, {**columns, "column.employee_code": "external_id", "save": "1"})
        assert answer.status_code == 302
        after = FieldMapping.objects.get(stream="people", is_current=True)
        assert (after.version, after.reads, after.headings) == (2, "people[._]*", [])
        assert {each["field"] for each in after.rules if each.get("optional")} == {
            each["field"] for each in before.rules if each.get("optional")
        }

    def test_a_sample_has_to_be_called_as_the_pattern_says(self, owner, connection):
        sample = {"sample": sent("顧客.csv", csv_of()), "reads": "people[._]*"}
        answer = owner.post(reverse("file_sample", args=[connection.public_id]), sample)
        assert answer.status_code == 422
        assert "people[._]*" in re.search(r'id="id_sample_error".*?</ul>', page_of(answer), re.S)[0]
        assert not SourceFile.objects.exists()

    def test_another_kind_is_added_to_it(self, owner, connection):
        owner.post(reverse("file_sample", args=[connection.public_id]), {"sample": sent("顧客.csv", csv_of())})
        page = page_of(owner.get(reverse("streams", args=[connection.public_id])))
        assert ("顧客.csv" in page, "people[._]*" in page) == (True, True)


class TestWhoMay:
    def test_only_owner_and_consultant(self, client_for, acme, connection, dave, carol, alice, vera):
        for name in ("streams", "connection"):
            address = reverse(name, args=[connection.public_id])
            found = [client_for(user, acme).get(address).status_code for user in (dave, carol, alice, vera)]
            assert found == [200, 200, 403, 403]
        assert client_for(alice, acme).post(reverse("file_sample", args=[connection.public_id])).status_code == 403


class TestASheetOfSeveral:
    """A workbook with a cover, and what is to be read behind it."""

    COVER = {"表紙": [["月次レポート"]]}
    LEADS = {"見込客": [HEADINGS, *ROWS]}
    ACCOUNTS = {"取引先": [["取引先番号", "取引先名"], ["A1", "青空商事"], ["A2", "白山工業"]]}
    ACCOUNT_COLUMNS = {"column.external_id": "取引先番号", "column.name": "取引先名"}

    def show(self, client: Any, connection: Connection, name: str, sheet: str, **sheets: list[list[str]]) -> Any:
        form = {"sample": sent(name, book_of({**self.COVER, **sheets})), "sheet": sheet}
        return client.post(reverse("file_sample", args=[connection.public_id]), form, follow=True)

    def bring(self, client: Any, connection: Connection, file: SimpleUploadedFile, drain_outbox: Any) -> None:
        client.post(upload(client, connection, file).redirect_chain[-1][0])
        drain_outbox()

    def test_is_asked_for_and_read(self, owner, in_acme, drain_outbox):
        body = book_of({**self.COVER, **self.LEADS})
        asked = set_up(owner, sent("a.xlsx", body))
        assert asked.status_code == 422
        assert "表紙、見込客" in page_of(asked)
        assert "「無し」" in page_of(set_up(owner, sent("a.xlsx", body), sheet="無し"))
        assert not Connection.objects.exists()

        set_up(owner, sent("a.xlsx", body), sheet="見込客")
        connection = Connection.objects.get()
        assert "シート「見込客」" in page_of(owner.get(reverse("streams", args=[connection.public_id])))
        save(owner, connection, reads="a.xlsx")
        later = book_of({**self.COVER, "見込客": [HEADINGS, *ROWS[:7]]})
        self.bring(owner, connection, sent("次の月.xlsx", later), drain_outbox)
        assert (SyncRun.objects.get().state, Lead.objects.count()) == (RunState.SUCCEEDED, 7)

    def test_both_sheets_of_a_workbook_are_read(self, owner, in_acme, drain_outbox):
        set_up(owner, sent("a.xlsx", book_of({**self.COVER, **self.LEADS})), sheet="見込客")
        connection = Connection.objects.get()
        save(owner, connection, reads="a.xlsx")
        self.show(owner, connection, "b.xlsx", "取引先", **self.ACCOUNTS)
        save(owner, connection, self.ACCOUNT_COLUMNS, reads="b.xlsx", resource="accounts")
        both = book_of({**self.COVER, **self.ACCOUNTS, **self.LEADS})
        self.bring(owner, connection, sent("両方.xlsx", both), drain_outbox)
        assert (Lead.objects.count(), Account.objects.count()) == (30, 2)

    def test_a_kind_known_by_its_name_moves_to_another_sheet(self, owner, in_acme, drain_outbox):
        set_up(owner, sent("a.xlsx", xlsx_of()))
        connection = Connection.objects.get()
        save(owner, connection, reads="a.xlsx")
        FieldMapping.objects.update(headings=[], reads="*.xlsx")
        form = {"sample": sent("b.xlsx", book_of({**self.COVER, **self.LEADS})), "reads": "*.xlsx", "sheet": "見込客"}
        owner.post(reverse("file_sample", args=[connection.public_id]), form)
        assert FieldMapping.objects.get(is_current=True).sheet == "見込客"
