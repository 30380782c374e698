"""Files as they should never be sent: how each is made, and what must be said of it."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from openpyxl import Workbook

HEAD = "external_id,name,created_on,closed_on,amount,outcome,postponed_count,currency"
SOUND = "D1,東京商事,2026-10-01,2026-10-20,1000,won,0,JPY"
TEXT = f"{HEAD}\n{SOUND}\n"
SHEET = "xl/worksheets/sheet1.xml"
GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class Broken:
    """A file that is refused whole: by `code`, at `row` and `column` where there is such a place.

    `is_heavy`: takes seconds to make or to look through.
    """

    name: str
    make: Callable[[], bytes]
    code: str
    row: int | None = None
    column: str = ""
    suffix: str = "csv"
    params: Mapping[str, Any] | None = None
    is_heavy: bool = False


@dataclass(frozen=True)
class BadCell:
    """A file whose row 2 is sound and whose row 3 has one cell that cannot be what its column needs."""

    name: str
    column: str
    cell: str
    code: str


def csv(*lines: str, head: str = HEAD) -> bytes:
    return "\n".join([head, *lines, ""]).encode()


def row(**cells: str) -> str:
    """The sound row with other cells; its id is D2 unless said."""
    there = dict(zip(HEAD.split(","), SOUND.split(","), strict=True)) | {"external_id": "D2"} | cells
    return ",".join(f'"{cell}"' for cell in there.values())


def workbook(*rows: list[Any]) -> bytes:
    book, stream = Workbook(), io.BytesIO()
    for each in rows:
        book.active.append(each)
    book.save(stream)
    return stream.getvalue()


def sound_workbook(**cells: Any) -> bytes:
    """The sound row, and one with other cells."""
    first = ["D1", "東京商事", "2026-10-01", "2026-10-20", 1000, "won", 0, "JPY"]
    second = dict(zip(HEAD.split(","), first, strict=True)) | {"external_id": "D2"} | cells
    return workbook(HEAD.split(","), first, list(second.values()))


def repacked(part: str, change: Callable[[bytes], bytes | None], body: bytes | None = None) -> bytes:
    """A workbook with one part changed, or (None) left out."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body or sound_workbook())) as old, zipfile.ZipFile(stream, "w", 8) as new:
        for name in old.namelist():
            text = change(old.read(name)) if name == part else old.read(name)
            if text is not None:
                new.writestr(name, text)
    return stream.getvalue()


def declaring(declaration: str) -> Callable[[bytes], bytes]:
    """Puts a declaration in front of a part, and lets the part use its entity `x`."""

    def change(text: bytes) -> bytes:
        bare = re.sub(rb"^<\?xml.*?\?>", b"", text).replace("東京商事".encode(), b"&x;")
        return b'<?xml version="1.0"?>' + declaration.encode() + bare

    return change


LAUGHS = (
    "<!DOCTYPE worksheet ["
    + '<!ENTITY l0 "ha">'
    + "".join(f'<!ENTITY l{number} "{f"&l{number - 1};" * 10}">' for number in range(1, 11))
    + '<!ENTITY x "&l10;">]>'
)


def bomb(part: str, *, lies: bool = False) -> bytes:
    """A workbook of some megabytes that unpacks to more than a gigabyte; with `lies` it says that it is small."""
    stream = io.BytesIO(sound_workbook())
    packing, packed = zlib.compressobj(1, zlib.DEFLATED, -15), []
    packed = [packing.compress(b" " * 4_000_000) for _ in range(260)] + [packing.flush()]
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(part, b"".join(packed))
    body = bytearray(stream.getvalue())
    with zipfile.ZipFile(stream) as archive:
        information = archive.getinfo(part)
    size = struct.pack("<I", 100 if lies else 260 * 4_000_000)
    local, central = information.header_offset, body.rindex(part.encode()) - 46
    body[local + 8 : local + 10] = body[central + 10 : central + 12] = struct.pack("<H", zipfile.ZIP_DEFLATED)
    body[local + 22 : local + 26] = body[central + 24 : central + 28] = size
    return bytes(body)


def flagged(offset_local: int, offset_central: int, value: int) -> bytes:
    """A workbook whose sheet says something else in two bytes of its headers."""
    body = bytearray(sound_workbook())
    with zipfile.ZipFile(io.BytesIO(bytes(body))) as archive:
        local = archive.getinfo(SHEET).header_offset
    central = body.rindex(SHEET.encode()) - 46
    for at in (local + offset_local, central + offset_central):
        body[at : at + 2] = struct.pack("<H", value)
    return bytes(body)


def archive_of(**files: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return stream.getvalue()


def _bytes(body: bytes) -> Callable[[], bytes]:
    return lambda: body


def _lines(*lines: str, head: str = HEAD) -> Callable[[], bytes]:
    return lambda: csv(*lines, head=head)


def _kind(found: str, body: bytes, suffix: str = "csv") -> Broken:
    return Broken(f"a {found} file", _bytes(body), "wrong_file_type", suffix=suffix, params={"found": found})


def _sheet(name: str, change: Callable[[bytes], bytes | None], code: str, part: str = SHEET) -> Broken:
    return Broken(name, lambda: repacked(part, change), code, suffix="xlsx")


UTF8, CP932 = {"encoding": "UTF-8"}, {"encoding": "Shift_JIS (CP932)"}
ENCODINGS = [
    Broken("UTF-16 with mark", lambda: TEXT.encode("utf-16"), "utf16_file"),
    Broken("UTF-16 with mark, big end first", lambda: b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf16_file"),
    Broken("UTF-16 without mark", lambda: TEXT.encode("utf-16-le"), "wrong_file_type"),
    Broken("UTF-16 without mark, big end first", lambda: TEXT.encode("utf-16-be"), "wrong_file_type"),
    Broken("UTF-32", lambda: TEXT.encode("utf-32"), "utf16_file"),
    Broken("UTF-32 without mark", lambda: TEXT.encode("utf-32-be"), "wrong_file_type"),
    Broken("EUC-JP", lambda: TEXT.replace("東京商事", "さくら商事").encode("euc_jp"), "other_encoding"),
    Broken("EUC-JP in kana", lambda: TEXT.replace("東京商事", "サクラシステム").encode("euc_jp"), "other_encoding"),
    Broken("EUC-JP, a company", lambda: TEXT.replace("東京商事", "株式会社山田").encode("euc_jp"), "other_encoding"),
    Broken("ISO-2022-JP", lambda: TEXT.encode("iso2022_jp"), "other_encoding"),
    Broken("a broken byte in row 2", lambda: TEXT.encode()[:-8] + b"\xff\n", "broken_encoding", 2, params=UTF8),
    Broken("a broken byte in row 3", lambda: TEXT.encode() + b"D2,\xc3(,,,,,,\n", "broken_encoding", 3, params=UTF8),
    Broken("cut within a character", lambda: TEXT.encode() + "D2,東".encode()[:-1], "broken_encoding", 3, params=UTF8),
    Broken("a character written too long", lambda: TEXT.encode() + b"D2,\xc0\xaf\n", "broken_encoding", 3),
    Broken("half a character", lambda: TEXT.encode() + b"D2,\xed\xa0\x80\n", "broken_encoding", 3, params=UTF8),
    Broken("CP932 below UTF-8", lambda: TEXT.encode() + "D2,大阪,\n".encode("cp932"), "broken_encoding", 3),
    Broken("UTF-8 below CP932", lambda: TEXT.encode("cp932") + "D2,大阪商,\n".encode(), "broken_encoding", 3),
    Broken(
        "half a character of CP932", lambda: TEXT.encode("cp932") + b"D2,\x81,\n", "broken_encoding", 3, params=CP932
    ),
    Broken(
        "a byte CP932 does not have", lambda: TEXT.encode("cp932") + b"D2,\xfd,\n", "broken_encoding", 3, params=CP932
    ),
    Broken("a hole of CP932", lambda: TEXT.encode("cp932") + b"D2,\x80,\n", "broken_encoding", 3, params=CP932),
    Broken("Latin-1", lambda: csv() + b"D1,Caf\xe9,\n", "broken_encoding", 2),
    Broken("CP932 after the mark of UTF-8", lambda: b"\xef\xbb\xbf" + TEXT.encode("cp932"), "broken_encoding", 2),
    Broken("a NUL in row 2", lambda: csv("D1,a\x00b"), "broken_encoding", 2, params={"byte": "00"}),
    Broken("a NUL in the headings", lambda: csv(SOUND, head=f"x\x00,{HEAD}"), "broken_encoding", 1),
    Broken("a NUL in CP932", lambda: TEXT.encode("cp932") + b"D2,\x00\n", "broken_encoding", 3, params=CP932),
    Broken("a NUL behind 100,000 rows", lambda: csv(*[SOUND] * 100_000, "D2,\x00"), "broken_encoding", 100_002),
    Broken("bytes at random", lambda: bytes(range(256)) * 20, "wrong_file_type", params={"found": "binary"}),
]
KINDS = [
    _kind("PDF", b"%PDF-1.7\n1 0 obj"),
    _kind("XLS", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), "xlsx"),
    _kind("PNG", b"\x89PNG\r\n\x1a\n"),
    _kind("JPEG", b"\xff\xd8\xff\xe0\x00\x10JFIF"),
    _kind("GIF", b"GIF89a\x01\x00"),
    _kind("GZIP", b"\x1f\x8b\x08\x00"),
    _kind("RAR", b"Rar!\x1a\x07\x00"),
    _kind("7z", b"7z\xbc\xaf\x27\x1c", "xlsx"),
    _kind("RTF", b"{\\rtf1\\ansi a,b}"),
    _kind("ELF", b"\x7fELF\x02\x01"),
    _kind("EXE", b"MZ\x90\x00\x03"),
    _kind("HTML", b"<html><table><tr><td>external_id</td></tr></table></html>"),
    _kind("ZIP", archive_of(**{"deals.csv": TEXT})),
    Broken("HTML after the mark of UTF-8", _bytes(b"\xef\xbb\xbf<!DOCTYPE html><p>login"), "wrong_file_type"),
    Broken("an XML spreadsheet", _bytes(b'<?xml version="1.0"?><Workbook/>'), "wrong_file_type"),
    Broken(
        "a Word document", lambda: archive_of(**{"[Content_Types].xml": "", "word/document.xml": ""}), "wrong_file_type"
    ),
    Broken("an OpenDocument table", lambda: archive_of(mimetype="", **{"content.xml": ""}), "wrong_file_type"),
    Broken(
        "a binary workbook", lambda: archive_of(**{"[Content_Types].xml": "", "xl/workbook.bin": ""}), "wrong_file_type"
    ),
    Broken("JSON", _bytes(b'[{"external_id": "D1"},\n {"external_id": "D2"}]'), "missing_column"),
    Broken("a mail", _bytes("お世話になっております。\n添付します。\n".encode()), "missing_column"),
]
SHAPES = [
    Broken("nothing", _bytes(b""), "empty_file"),
    Broken("blank lines", _bytes(b"\n \n\t\n"), "empty_file"),
    Broken("the mark of UTF-8 alone", _bytes(b"\xef\xbb\xbf"), "empty_file"),
    Broken("commas alone", _bytes(b",,,\n,,,\n"), "empty_file"),
    Broken("headings alone", _lines(), "only_headings"),
    Broken("headings over blank rows", _lines(",,,,", " ", ",,"), "only_headings"),
    Broken(
        "one heading twice",
        _lines("D1,2026-10-01,a,b", head="external_id,created_on,name,name"),
        "duplicated_heading",
        column="name",
    ),
    Broken(
        "one heading in two widths",
        _lines("D1,2026-10-01,1,2", head="external_id,created_on,amount,ａｍｏｕｎｔ"),
        "duplicated_heading",
        column="ａｍｏｕｎｔ",
    ),
    Broken(
        "one heading in two cases",
        _lines("D1,2026-10-01,1,2", head="external_id,created_on,amount,Amount"),
        "duplicated_heading",
        column="Amount",
    ),
    Broken(
        "one heading with blanks",
        _lines("D1,2026-10-01,1,2", head='external_id,created_on,name," name "'),
        "duplicated_heading",
        column="name",
    ),
    Broken(
        "one foreign heading twice",
        _lines("D1,2026-10-01,1,2", head="external_id,created_on,備考,備考"),
        "duplicated_heading",
        column="備考",
    ),
    Broken("a cell too many in row 2", _lines(f"{SOUND},x"), "too_many_cells", 2),
    Broken("a cell too many in row 4", _lines(SOUND, SOUND, f"{SOUND},x"), "too_many_cells", 4),
    Broken("a comma in a number", _lines("D1,a,2026-10-01,,1,000,won,0,JPY"), "too_many_cells", 2),
    Broken("a title over the headings", _lines(HEAD, SOUND, head="商談一覧"), "too_many_cells", 2),
    Broken("a quotation that never ends", _lines('D1,"東京', SOUND), "broken_quotes", 2),
    Broken("text behind a quotation", _lines(SOUND, 'D2,"東京"商事'), "broken_quotes", 3),
    Broken("a quotation that never ends in the headings", _lines(SOUND, head=f'"{HEAD}'), "broken_quotes", 1),
    Broken("a quotation that ends far below", _lines('D1,"東京', *[SOUND] * 5_000), "cell_too_long", 2),
    Broken("a cell of a million letters", _lines(f"D1,{'a' * 1_000_000}"), "cell_too_long", 2),
    Broken(
        "a million headings", lambda: csv("D1", head=",".join(f"c{n}" for n in range(1_000_000))), "too_many_columns", 1
    ),
    Broken(
        "a thousand and one headings",
        lambda: csv("D1", head=",".join(f"c{n}" for n in range(1_001))),
        "too_many_columns",
        1,
    ),
    Broken("a million separators", _lines(SOUND, "," * 1_000_000), "too_many_columns", 3),
    Broken("ten million separators", _lines("," * 10_000_000), "too_many_columns", 2, is_heavy=True),
    Broken("a million headings of nothing", lambda: csv("D1", head="," * 1_000_000), "too_many_columns", 1),
    Broken(
        "no id", _lines("a,2026-10-01", head="name,created_on"), "missing_column", params={"columns": "external_id"}
    ),
    Broken("no day", _lines("D1,a", head="external_id,name"), "missing_column", params={"columns": "created_on"}),
    Broken(
        "other headings",
        _lines("1,東京", head="商談ID,商談名"),
        "missing_column",
        params={"columns": "external_id、created_on"},
    ),
    Broken("separated by bars", _lines(SOUND.replace(",", "|"), head=HEAD.replace(",", "|")), "missing_column"),
    Broken("separated by blanks", _lines("D1 2026-10-01", head="external_id created_on"), "missing_column"),
    Broken("larger than the limit", lambda: b"a" * (50 * 1024 * 1024 + 1), "file_too_large", params={"limit": "50"}),
]
WORKBOOKS = [
    Broken("a workbook cut in half", lambda: sound_workbook()[:2000], "broken_workbook", suffix="xlsx"),
    Broken("a workbook without its end", lambda: sound_workbook()[:-60], "broken_workbook", suffix="xlsx"),
    Broken("a workbook of four letters", _bytes(b"PK\x03\x04"), "broken_workbook", suffix="xlsx"),
    _sheet("a sheet that ends in the middle", lambda text: text[: len(text) // 2], "broken_workbook"),
    _sheet("a sheet that is no XML", lambda text: b"external_id,name", "broken_workbook"),
    _sheet("a sheet that is not there", lambda text: None, "broken_workbook"),
    _sheet("a workbook without contents", lambda text: None, "wrong_file_type", "[Content_Types].xml"),
    _sheet("a workbook without its list of sheets", lambda text: None, "wrong_file_type", "xl/workbook.xml"),
    _sheet("a list of sheets that is no XML", lambda text: b"<workbook", "broken_workbook", "xl/workbook.xml"),
    _sheet(
        "a file of the server", declaring('<!DOCTYPE w [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), "workbook_entities"
    ),
    _sheet(
        "an address of the server",
        declaring('<!DOCTYPE w [<!ENTITY x SYSTEM "http://127.0.0.1/">]>'),
        "workbook_entities",
    ),
    _sheet("another document", declaring('<!DOCTYPE w SYSTEM "http://example.com/w.dtd">'), "workbook_entities"),
    _sheet(
        "parameters of entities",
        declaring('<!DOCTYPE w [<!ENTITY % p SYSTEM "file:///etc/passwd">%p;]>'),
        "workbook_entities",
    ),
    _sheet("a billion laughs", declaring(LAUGHS), "workbook_entities"),
    _sheet(
        "entities in the list of sheets",
        declaring('<!DOCTYPE w [<!ENTITY x "y">]>'),
        "workbook_entities",
        "xl/workbook.xml",
    ),
    Broken("a bomb", lambda: bomb("xl/worksheets/sheet2.xml"), "workbook_too_large", suffix="xlsx", is_heavy=True),
    Broken(
        "a bomb of words", lambda: bomb("xl/sharedStrings2.xml"), "workbook_too_large", suffix="xlsx", is_heavy=True
    ),
    Broken(
        "a bomb that says it is small",
        lambda: bomb("xl/media/a.png", lies=True),
        "workbook_too_large",
        suffix="xlsx",
        is_heavy=True,
    ),
    _sheet("a cell in the last corner", lambda text: text.replace(b'r="H3"', b'r="XFD1048576"'), "workbook_too_large"),
    _sheet("a cell far below", lambda text: text.replace(b'r="H3"', b'r="ZZ1048576"'), "workbook_too_large"),
    Broken("a locked part", lambda: flagged(6, 8, 1), "broken_workbook", suffix="xlsx"),
    Broken("a part packed in an unknown way", lambda: flagged(8, 10, 77), "broken_workbook", suffix="xlsx"),
    Broken("a part with a wrong sum", lambda: flagged(14, 16, 4711), "broken_workbook", suffix="xlsx"),
    Broken("an empty workbook", lambda: workbook(), "empty_file", suffix="xlsx"),
    Broken("a workbook of headings", lambda: workbook(HEAD.split(",")), "only_headings", suffix="xlsx"),
    Broken(
        "a heading twice in a workbook",
        lambda: workbook([*HEAD.split(","), "name"], ["D1"]),
        "duplicated_heading",
        column="name",
        suffix="xlsx",
    ),
    Broken(
        "a cell too many in a workbook",
        lambda: workbook(HEAD.split(","), ["D1"], [*"D2345678", "x"]),
        "too_many_cells",
        3,
        suffix="xlsx",
    ),
    Broken(
        "too many columns in a workbook",
        lambda: workbook([f"c{n}" for n in range(1_001)], ["D1"]),
        "too_many_columns",
        1,
        suffix="xlsx",
    ),
    Broken(
        "a workbook without the id",
        lambda: workbook(["name", "created_on"], ["a", "2026-10-01"]),
        "missing_column",
        suffix="xlsx",
    ),
]
BROKEN = [*ENCODINGS, *KINDS, *SHAPES, *WORKBOOKS]

DATES = [
    *("2026/13/01", "2026-02-30", "10/12/2026", "26/10/05", "2026年10月", "明日", "0000-00-00", "2026-10-05T25:00"),
    *(
        "２０２６／１３／４０",
        "２０２６年１０月３２日",
        "2026年10月⑤日",
        "20261399",
        "令和8年13月1日",
        "1234567",
        "Oct 5th, 2026",
    ),
    *("9999-12-31T23:59:59-12:00", "2026/10/05 9時70分", "2026-10-05 午後"),
]
NUMBERS = [
    *("五十万円", "1,00,0", "1.2.3", "１，２３４，５", "--5", "△▲5", "(5", "5)", "10²", "①", "½", "⑴", "1e5"),
    *("NaN", "inf", "12%%", "0x10", "1_000", "￥", "10万"),
]
CELLS = [
    *(BadCell(f"the day {cell}", "closed_on", cell, "bad_date") for cell in DATES),
    *(BadCell(f"the amount {cell}", "amount", cell, "bad_number") for cell in NUMBERS),
    *(BadCell(f"the error {cell}", "amount", cell, "spreadsheet_error") for cell in ("#N/A", "#DIV/0!")),
    BadCell("an error as a name", "name", "#REF!", "spreadsheet_error"),
    BadCell("an error as an id", "external_id", "#VALUE!", "spreadsheet_error"),
    BadCell("an amount beyond all measure", "amount", "９９９９９９９９９９９９９９９９９９９", "invalid"),
    BadCell("a day before there were computers", "closed_on", "1899-12-31", "invalid"),
    BadCell("a day in the far future", "closed_on", "2926-10-01", "invalid"),
    BadCell("two and a half times", "postponed_count", "２．５", "bad_integer"),
    BadCell("an unknown word", "outcome", "じゅちゅう", "unmapped_value"),
    BadCell("no id", "external_id", "", "required"),
    BadCell("an id of 201 letters", "external_id", "x" * 201, "invalid"),
    BadCell("a currency that is a word", "currency", "円", "invalid"),
]
BAD_SHEET_CELLS = [
    BadCell("an error of a sheet", "amount", '<c r="E3" t="e"><v>#N/A</v></c>', "spreadsheet_error"),
    BadCell("a formula with an error", "amount", '<c r="E3" t="e"><f>1/0</f><v>#DIV/0!</v></c>', "spreadsheet_error"),
    BadCell("a formula nobody calculated", "amount", '<c r="E3"><f>SUM(E1:E2)</f><v></v></c>', "bad_number"),
    BadCell("a number without end", "amount", '<c r="E3" t="n"><v>1e999</v></c>', "bad_number"),
    BadCell("a number that is none", "amount", '<c r="E3" t="n"><v>NaN</v></c>', "bad_number"),
    BadCell("yes as an amount", "amount", '<c r="E3" t="b"><v>1</v></c>', "bad_number"),
    BadCell("a day without end", "closed_on", '<c r="D3" t="n"><v>1e999</v></c>', "bad_date"),
]


def bad_sheet(cell: str) -> bytes:
    """The sound workbook with another cell in its third row."""
    place = re.search(r'r="(\w+)"', cell)
    pattern = rf'<c r="{place[1] if place else ""}".*?</c>'.encode()
    return repacked(SHEET, lambda text: re.sub(pattern, lambda match: cell.encode(), text))
