"""The files that are printed: 予実表 on A3 and ヨミ表 on A4."""

import re
import zlib
from base64 import a85decode

import pytest

from kpis.services.recompute import recompute
from tests.kpis.pages.conftest import NOW, _deal, send

pytestmark = pytest.mark.django_db
A3, A4 = (1191, 842), (842, 595)


@pytest.fixture
def get(client_for, acme):
    def read(user, address, status=200):
        response = client_for(user, acme).get(address, headers={"accept-language": "ja"})
        assert response.status_code == status
        return response

    return read


def size_of(content: bytes) -> tuple[int, int]:
    found = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content)
    assert found
    return round(float(found[1])), round(float(found[2]))


def pages_of(content: bytes) -> list[str]:
    """The text of each page: strings of the content streams, which the standard font writes in UTF-16."""
    texts = []
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", content, re.S):
        try:
            plain = zlib.decompress(a85decode(stream.strip().removesuffix(b"~>")))
        except (ValueError, zlib.error):
            continue
        strings = re.findall(rb"\(((?:\\.|[^\\()])*)\) Tj", plain, re.S)
        if strings:
            texts.append("\n".join(_unescaped(each) for each in strings))
    return texts


ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def _unescaped(text: bytes) -> str:
    def plain(found: re.Match[bytes]) -> bytes:
        return bytes([int(found[1], 8)]) if found[1].isdigit() else ESCAPES.get(found[1], found[1])

    return re.sub(rb"\\(\d{3}|.)", plain, text, flags=re.S).decode("utf-16-be", errors="replace")


class TestBudget:
    def test_is_a_pdf_on_a3_across(self, world, alice, get):
        response = get(alice, "/budget/table.pdf")
        assert response["Content-Type"] == "application/pdf"
        assert response.content.startswith(b"%PDF-")
        assert size_of(response.content) == A3

    def test_says_of_whom_of_when_and_which_page(self, world, alice, acme, get):
        (page,) = pages_of(get(alice, "/budget/table.pdf").content)
        assert "予実表" in page and "2026年度" in page
        assert "1 / 1" in page and "11/16 12:00" in page

    def test_holds_the_numbers_of_the_page(self, world, alice, get):
        (page,) = pages_of(get(alice, "/budget/table.pdf?scale=one").content)
        assert "800,000" in page and "△200,000" in page and "80.0" in page

    def test_a_missing_number_is_a_word(self, world, alice, get):
        (page,) = pages_of(get(alice, "/budget/table.pdf").content)
        assert "データなし" in page or "対象件数なし" in page

    def test_a_member_finds_only_himself(self, world, bob, get):
        (page,) = pages_of(get(bob, "/budget/table.pdf?rows=person&kpi=bookings").content)
        assert "Bob" in page and "Dora" not in page


class TestForecast:
    def test_is_a_pdf_on_a4_across_with_every_deal(self, world, dave, get):
        content = get(dave, "/forecast/table.pdf").content
        assert size_of(content) == A4
        page = "\n".join(pages_of(content))
        assert "ヨミ表" in page and "300,000" in page and "Deal" in page

    def test_repeats_its_head_on_every_page(self, world, dave, get):
        send("deals", *(_deal(f"n{n}", "bob", None, 1000, "open", expected_close_on="2026-11-20") for n in range(60)))
        recompute(now=NOW)
        pages = pages_of(get(dave, "/forecast/table.pdf").content)
        assert len(pages) >= 3
        assert all("商談名" in page for page in pages[:2])
        assert f"2 / {len(pages)}" in pages[1]

    def test_markup_in_a_name_is_text(self, world, dave, get):
        send("deals", _deal("x", "bob", "2026-11-06", 10, "won", name="<b>A & B"))
        recompute(now=NOW)
        assert "<b>A & B" in "\n".join(pages_of(get(dave, "/forecast/table.pdf").content))
