"""Files as companies send them are imported exactly, each to the last yen and day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from integrations.choices import RunState
from kpis.models import Deal
from tests.integrations.broken_files import SHEET, repacked, workbook

HEAD = "external_id,name,created_on,amount"
LINES = ("D1,㈱髙橋商会,2026-10-01,1000", "D2,山﨑産業,2026-10-02,2500000")
EXACT = [
    ("D1", "㈱髙橋商会", date(2026, 10, 1), Decimal(1000)),
    ("D2", "山﨑産業", date(2026, 10, 2), Decimal(2_500_000)),
]
TEXT = "\n".join((HEAD, *LINES, ""))
CELLS = [["D1", "㈱髙橋商会", "2026-10-01", 1000], ["D2", "山﨑産業", "2026-10-02", 2_500_000]]


def told(first: str, second: str) -> bytes:
    """The two deals with these ways to write the day and the amount."""
    return f"{HEAD}\nD1,㈱髙橋商会,{first}\nD2,山﨑産業,{second}\n".encode()


def sheet(*, head: str = HEAD, more: Callable[[list[Any]], list[Any]] = list) -> bytes:
    return workbook(head.split(","), *(more(cells) for cells in CELLS))


def with_days(cells: list[Any]) -> list[Any]:
    return [*cells[:2], datetime.fromisoformat(cells[2]), cells[3]]


def calculated(text: bytes) -> bytes:
    return text.replace(b'<c r="D2" t="n"><v>1000</v></c>', b'<c r="D2"><f>SUM(500,500)</f><v>1000</v></c>')


def failing_beside(text: bytes) -> bytes:
    return text.replace(b'<c r="E2" t="n"><v>1000</v></c>', b'<c r="E2" t="e"><f>1/0</f><v>#DIV/0!</v></c>')


GOOD: dict[str, tuple[str, bytes]] = {
    "UTF-8": ("csv", TEXT.encode()),
    "UTF-8 with mark": ("csv", TEXT.encode("utf-8-sig")),
    "CP932": ("csv", TEXT.encode("cp932")),
    "tabs": ("csv", TEXT.replace(",", "\t").encode()),
    "semicolons": ("csv", TEXT.replace(",", ";").encode()),
    "lines of Windows": ("csv", TEXT.replace("\n", "\r\n").encode("cp932")),
    "lines of old Macs": ("csv", TEXT.replace("\n", "\r").encode()),
    "the end of DOS": ("csv", TEXT.encode("cp932") + b"\x1a"),
    "no last line end": ("csv", TEXT.rstrip().encode()),
    "blank lines": ("csv", TEXT.replace("\n", "\n\n,,,\n").encode()),
    "everything quoted": ("csv", "\n".join(f'"{line}"'.replace(",", '","') for line in (HEAD, *LINES)).encode()),
    "headings in other widths": (
        "csv",
        TEXT.replace(HEAD, "ＥＸＴＥＲＮＡＬ＿ＩＤ,Name, created_on ,ＡＭＯＵＮＴ").encode(),
    ),
    "blank columns behind": ("csv", TEXT.replace("\n", ",,,\n").encode()),
    "full-width digits": ("csv", told("２０２６／１０／０１,１０００", '２０２６年１０月２日,"２，５００，０００"')),
    "Japanese days and yen": ("csv", told("2026年10月1日(木),￥1000", '令和8年10月2日,"2,500,000円"')),
    "days of Excel": ("csv", told("46296,1000", "R8.10.02,2500000.0")),
    "a workbook": ("xlsx", sheet()),
    "a workbook with days": ("xlsx", sheet(more=with_days)),
    "a calculated workbook": ("xlsx", repacked(SHEET, calculated, sheet())),
    "an error where nobody looks": (
        "xlsx",
        repacked(SHEET, failing_beside, sheet(head=f"{HEAD},比率", more=lambda cells: [*cells, cells[3]])),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_is_imported_exactly(connection, sync, name):
    suffix, body = GOOD[name]
    run = sync(connection, {f"deals.{suffix}": body})
    assert (run.state, run.inserted_count, run.rejected_count) == (RunState.SUCCEEDED, 2, 0), run.message
    stored = Deal.objects.order_by("external_id").values_list("external_id", "name", "created_on", "amount")
    assert list(stored) == EXACT


def test_text_comes_as_it_was_written(connection, sync):
    names = [
        '12" ディスプレイ',
        "一行目\n二行目",
        "ｶﾌﾞｼｷｶﾞｲｼﾔ ｻｸﾗ",
        "A,B;C\tD",
        "𠮷野家",
        "①㈱½",
        "O'Brien 'n' Sons",
        "=1+1",
    ]
    lines = [
        f'D{number},"{name.replace(chr(34), chr(34) * 2)}",2026-10-01,1' for number, name in enumerate(names, start=1)
    ]
    run = sync(connection, {"deals.csv": "\n".join((HEAD, *lines))})
    assert run.state == RunState.SUCCEEDED
    assert list(Deal.objects.order_by("external_id").values_list("name", flat=True)) == names


def test_half_width_kana_of_cp932_are_not_taken_for_euc(connection, sync):
    names = ["ｶﾌﾞｼｷｶﾞｲｼﾔ ｻｸﾗ", "ﾔﾏﾀﾞｼｮｳｼﾞ", "ｼﾞｮﾝ･ｽﾐｽ"]
    lines = [f"D{number},{name},2026-10-01,1" for number, name in enumerate(names, start=1)]
    assert sync(connection, {"deals.csv": "\n".join((HEAD, *lines)).encode("cp932")}).state == RunState.SUCCEEDED
    assert list(Deal.objects.order_by("external_id").values_list("name", flat=True)) == names
