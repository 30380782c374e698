"""CSV and XLSX files: opened strictly, so that what is broken is refused with its row instead of read wrongly."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from integrations.connectors import values
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import Row
from integrations.connectors.values import Cell

ENCODINGS = ("utf-8", "cp932")
# Excel's own limits on a sheet are far above what fits in memory; a wider or longer one is a mistake or an attack.
MAX_CELLS = 20_000_000
MAX_UNPACKED_BYTES = 1_000_000_000
CHUNK = 1 << 20
SIGNATURES = (
    (b"%PDF", "PDF"),
    (b"\xd0\xcf\x11\xe0", "XLS"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"\x1f\x8b", "GZIP"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7z"),
    (b"{\\rtf", "RTF"),
    (b"\x7fELF", "ELF"),
    (b"MZ\x90", "EXE"),
)
MARKUP = (b"<!doctype", b"<html", b"<table", b"<?xml")
# Bytes that Python's cp932 lets through although no Japanese text has them.
CP932_HOLES = re.compile("[\x80\xa0\uf8f0-\uf8f3]")
Line = tuple[int, tuple[Cell, ...]]
CELL_REFERENCE = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')


@dataclass(frozen=True)
class Table:
    """A file that was read and found sound: its headings as written, and its rows without the blank ones."""

    name: str
    headings: tuple[str, ...]
    encoding: str
    lines: Callable[[], Iterator[Line]]

    def rows(self, names: Sequence[str] = ()) -> Iterator[Row]:
        """Each row by heading. A heading that differs from one of `names` only in width or case goes by that name."""
        spelled = {values.normalise(name): name for name in names}
        keys = [spelled.get(values.normalise(heading), heading) for heading in self.headings]
        for number, cells in islice(self.lines(), 1, None):
            padded = (*cells, *[None] * (len(keys) - len(cells)))
            yield Row(number, {key: cell for key, cell in zip(keys, padded, strict=False) if key})


def read_table(path: Path, *, name: str, max_bytes: int, encoding: str = "", sheet: str = "") -> Table:
    """The table in a file; `name` is what the person called it. Raises ConnectorError of kind data.

    `encoding` forces one of ENCODINGS, `sheet` names the sheet of a workbook (default: its first). The size is
    looked at before anything is read.
    """
    check_size(path.stat().st_size, name=name, max_bytes=max_bytes)
    with path.open("rb") as stream:
        head = stream.read(8)
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            raise ConnectorError("data", "wrong_file_type", file=name, found=kind)
    if head.startswith(b"PK"):
        return _read_workbook(path, name, sheet)
    return _read_text(path.read_bytes(), name, encoding)


def check_size(size: int, *, name: str, max_bytes: int) -> None:
    """Refuse an empty file and one above the limit. Raises ConnectorError."""
    if size == 0:
        raise ConnectorError("data", "empty_file", file=name)
    if size > max_bytes:
        raise ConnectorError(
            "data",
            "file_too_large",
            file=name,
            megabytes=f"{size / 1_048_576:.0f}",
            limit=f"{max_bytes / 1_048_576:.0f}",
        )


def _read_text(data: bytes, name: str, encoding: str) -> Table:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConnectorError("data", "utf16_file", file=name)
    if data[:64].lstrip().lower().startswith(MARKUP):
        raise ConnectorError("data", "wrong_file_type", file=name, found="HTML")
    if b"\x00" in data:
        raise ConnectorError("data", "wrong_file_type", file=name, found="binary")
    text, used = _decode(data, name, encoding)
    delimiter = _delimiter(text)
    return _checked(Table(name, (), used, lambda: _text_lines(text, delimiter, name)))


def _text_lines(text: str, delimiter: str, name: str) -> Iterator[Line]:
    number = 0
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1):
            if any(cell.strip() for cell in cells):
                yield number, tuple(cells)
    except csv.Error as error:
        raise ConnectorError("data", "broken_quotes", file=name, row=number + 1) from error


def _decode(data: bytes, name: str, encoding: str) -> tuple[str, str]:
    """The text and the encoding's name. Strict: a byte that does not belong is an error that names its row."""
    if encoding and encoding not in ENCODINGS:
        raise ConnectorError("config", "unknown_encoding", encoding=encoding)
    if data.startswith(b"\xef\xbb\xbf"):
        return _decode_as(data[3:], "utf-8", name), "utf-8-sig"
    if encoding:
        return _decode_as(data, encoding, name), encoding
    used = _guess_encoding(data)
    return _decode_as(data, used, name), used


def _guess_encoding(data: bytes) -> str:
    """UTF-8 where it is that, also with a few broken bytes, else CP932: mostly sound, or sound for longer."""
    reach = {name: _sound_bytes(data, name) for name in ENCODINGS}
    if reach["utf-8"] == len(data) or reach["utf-8"] > reach["cp932"]:
        return "utf-8"
    text = data.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    return "utf-8" if sum(character > "\x7f" for character in text) > 2 * broken else "cp932"


def _sound_bytes(data: bytes, encoding: str) -> int:
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start
    return len(data)


def _decode_as(data: bytes, encoding: str, name: str) -> str:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, errors="replace")
        raise _broken_encoding(before, encoding, name, f"{data[error.start]:02X}", error.start + 1) from error
    if encoding == "cp932" and (hole := CP932_HOLES.search(text)):
        before = text[: hole.start()]
        byte = len(before.encode(encoding, errors="replace")) + 1
        raise _broken_encoding(before, encoding, name, f"{data[byte - 1]:02X}", byte)
    return text


def _broken_encoding(before: str, encoding: str, name: str, byte: str, position: int) -> ConnectorError:
    row = sum(1 for _ in csv.reader(io.StringIO(before + "x", newline="")))
    label = {"utf-8": "UTF-8", "cp932": "Shift_JIS (CP932)"}[encoding]
    return ConnectorError("data", "broken_encoding", file=name, row=row, encoding=label, byte=byte, position=position)


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    outside = re.sub(r'"[^"]*"', "", first)
    return max((",", "\t", ";"), key=outside.count)


def _read_workbook(path: Path, name: str, sheet: str) -> Table:
    _check_workbook(path, name)
    try:
        with CalamineWorkbook.from_path(str(path)) as book:
            names = book.sheet_names
            if not names:
                raise ConnectorError("data", "empty_file", file=name)
            if sheet and sheet not in names:
                raise ConnectorError("data", "missing_sheet", file=name, sheet=sheet, found="、".join(names))
            page = book.get_sheet_by_name(sheet or names[0])
    except CalamineError as error:
        raise ConnectorError("data", "broken_workbook", file=name) from error
    return _checked(Table(name, (), "xlsx", lambda: _sheet_lines(page)))


def _sheet_lines(page: CalamineSheet) -> Iterator[Line]:
    """Made anew at every pass: as Python's objects a large sheet takes many times the memory."""
    for number, cells in enumerate(page.iter_rows(), start=1):
        if any(values.text_of(cell) for cell in cells):
            yield number, tuple(cells)


def _check_workbook(path: Path, name: str) -> None:
    """A zip that is a workbook, whose parts unpack to a bearable size and whose sheets span a bearable area."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.namelist()
            if "[Content_Types].xml" not in parts or "xl/workbook.xml" not in parts:
                raise ConnectorError("data", "wrong_file_type", file=name, found="ZIP")
            if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise ConnectorError("data", "workbook_too_large", file=name)
            for part in parts:
                if part.startswith("xl/worksheets/") and part.endswith(".xml"):
                    _check_area(archive, part, name)
    except zipfile.BadZipFile as error:
        raise ConnectorError("data", "broken_workbook", file=name) from error


def _check_area(archive: zipfile.ZipFile, part: str, name: str) -> None:
    last_row = last_column = 0
    tail = b""
    with archive.open(part) as stream:
        while chunk := stream.read(CHUNK):
            for letters, row in CELL_REFERENCE.findall(tail + chunk):
                last_row = max(last_row, int(row))
                last_column = max(last_column, _column_number(letters))
            tail = chunk[-32:]
    if last_row * last_column > MAX_CELLS:
        raise ConnectorError("data", "workbook_too_large", file=name)


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _checked(table: Table) -> Table:
    """The table with its headings, after every row was looked at once. Raises ConnectorError for the first fault."""
    lines = table.lines()
    _, first = next(lines, (0, ()))
    if not first:
        raise ConnectorError("data", "empty_file", file=table.name)
    headings = tuple(values.text_of(cell) for cell in first)
    seen: set[str] = set()
    for heading in filter(None, headings):
        if values.normalise(heading) in seen:
            raise ConnectorError("data", "duplicated_heading", file=table.name, column=heading)
        seen.add(values.normalise(heading))
    has_rows = False
    for number, cells in lines:
        has_rows = True
        if any(values.text_of(cell) for cell in cells[len(headings) :]):
            raise ConnectorError("data", "too_many_cells", file=table.name, row=number, columns=len(headings))
    if not has_rows:
        raise ConnectorError("data", "only_headings", file=table.name)
    return replace(table, headings=headings)
