"""An owner's job: bring data in from a file, see what became of it, and be told what is wrong with a bad one."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import Visitors

pytestmark = pytest.mark.journey

IMPORT_SECONDS = 60
HEADINGS = "external_id,name,created_on,closed_on,outcome,amount"
GOOD_ROWS = 400
BAD_ROWS = ["{0}-x1,金額が文字,2026-08-03,2026-08-20,won,五十万円", "{0}-x2,日付がない,2026-08-03,8月下旬,lost,0"]


@dataclass(frozen=True)
class Import:
    """What the page of an import counts."""

    inserted: int
    updated: int
    unchanged: int
    rejected: int


@pytest.fixture
def page(visitors: Visitors, new_company: str) -> Page:
    return visitors.arrive(new_company, "owner")


@pytest.fixture
def source() -> str:
    return f"walk{uuid.uuid4().hex[:6]}"


@pytest.fixture
def connection(page: Page, source: str) -> Page:
    """The page of a new file connection for files named as the API."""
    page.locator("header .menu summary").click()
    page.locator("header .menu-body").get_by_role("link", name="データ", exact=True).click()
    page.get_by_role("link", name="データ連携を追加する").click()
    page.get_by_role("link", name="ファイル", exact=True).click()
    page.locator("[name=name]").fill(f"展示会の商談 {source}")
    page.locator("[name=carries]").select_option("other")
    page.locator("[name=preset]").select_option("contract")
    page.locator("[name=source]").fill(source)
    page.get_by_role("button", name="設定する").click()
    expect(page.locator("h1")).to_contain_text(source)
    return page


def write(path: Path, rows: list[str], *, headings: str = HEADINGS, encoding: str = "utf-8-sig") -> Path:
    path.write_bytes("\r\n".join([headings, *rows, ""]).encode(encoding))
    return path


def deals(source: str, count: int) -> list[str]:
    return [f"{source}-{n},展示会の商談{n},2026-08-03,,open,{n * 1000}" for n in range(count)]


def send(page: Page, path: Path) -> None:
    page.locator("input[type=file]").set_input_files(path)
    page.get_by_role("button", name="内容を確認する").click()


def send_and_import(page: Page, path: Path) -> Import:
    """From the connection's page through the preview to the end of the import."""
    send(page, path)
    page.get_by_role("button", name="取り込む", exact=True).click()
    page.wait_for_url("**/data/runs/**")
    expect(page.locator("h1")).to_contain_text("成功", timeout=IMPORT_SECONDS * 1000)
    counts = [page.locator("dt", has_text=re.compile(f"^{word}$")).locator("+ dd") for word in COUNTED]
    return Import(*(int(count.inner_text().replace(",", "")) for count in counts))


COUNTED = ("新規", "変更あり", "変更なし", "取り込めなかった件数")


class TestUpload:
    def test_shows_the_file_first_then_imports_it_once(self, connection: Page, source: str, tmp_path: Path) -> None:
        own = connection.url
        rows = deals(source, GOOD_ROWS)
        path = write(tmp_path / "deals.csv", [*rows, *(row.format(source) for row in BAD_ROWS)])
        send(connection, path)
        expect(connection.locator("h1")).to_contain_text("ファイルの内容の確認")
        expect(connection.get_by_text(f"{GOOD_ROWS + 2}行を読み取り")).to_be_visible()
        expect(connection.locator("table tbody tr").first).to_contain_text("展示会の商談0")

        connection.goto(own)
        assert send_and_import(connection, path) == Import(GOOD_ROWS, 0, 0, 2)
        rejected = connection.locator("section[aria-labelledby=rejected] tbody tr")
        expect(rejected.nth(0)).to_contain_text("五十万円")
        expect(rejected.nth(0).locator("td").first).to_have_text(str(GOOD_ROWS + 2))
        expect(rejected.nth(1)).to_contain_text("8月下旬")

        connection.goto(own)
        assert send_and_import(connection, path) == Import(0, 0, GOOD_ROWS, 2)

        changed = write(tmp_path / "deals.csv", [rows[0].replace("open,0", "open,9"), *rows[1:]])
        connection.goto(own)
        assert send_and_import(connection, changed) == Import(0, 1, GOOD_ROWS - 1, 0)

    def test_reads_what_excel_on_windows_writes(self, connection: Page, source: str, tmp_path: Path) -> None:
        path = write(tmp_path / "deals.csv", deals(source, 3), encoding="cp932")
        assert send_and_import(connection, path) == Import(3, 0, 0, 0)

    def test_the_rejected_rows_can_be_downloaded(self, connection: Page, source: str, tmp_path: Path) -> None:
        path = write(tmp_path / "deals.csv", [row.format(source) for row in BAD_ROWS] + deals(source, 1))
        assert send_and_import(connection, path).rejected == 2
        with connection.expect_download() as download:
            connection.get_by_role("link", name=re.compile("CSV")).click()
        assert "五十万円" in download.value.path().read_text(encoding="utf-8-sig")


BROKEN = f"{HEADINGS}\r\nA-1,".encode() + b"\xe5\xb1\xff\xfe\r\n" + "A-2,東京\r\n".encode()


class TestHostileFiles:
    @pytest.mark.parametrize(
        ("name", "content", "sentence"),
        [
            ("deals.csv", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", r"CSVやExcelブック（\.xlsx）ではなく"),
            ("deals.csv", BROKEN, r"何も取り込んでいません"),
            ("deals.csv", b"external_id,name\r\nA-1,x\r\n", r"created_on"),
            ("deals.csv", b"", r"空です"),
            ("holidays.csv", b"external_id,name\r\nA-1,x\r\n", r"holidays\.csv"),
        ],
        ids=["a PDF", "a broken encoding", "a missing column", "an empty file", "an unknown name"],
    )
    def test_gets_a_sentence_that_says_what_to_do(
        self, connection: Page, visitors: Visitors, tmp_path: Path, name: str, content: bytes, sentence: str
    ) -> None:
        visitors.expected.add(422)
        (tmp_path / name).write_bytes(content)
        send(connection, tmp_path / name)
        expect(connection.locator("main")).to_contain_text(re.compile(sentence))
        expect(connection.get_by_role("button", name="取り込む", exact=True)).to_have_count(0)
