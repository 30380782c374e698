"""CSV and XLSX files: opened strictly, so that what is broken is refused with its row instead of read wrongly."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from integrations.connectors import values
from integrations.connectors.errors import BadValueError, ConnectorError
from integrations.connectors.mapping import Row
from integrations.connectors.workbook import Line, open_sheet

ENCODINGS = ("utf-8", "cp932")
UTC = ZoneInfo("UTC")
# No export has so many; what has is not separated by what it seems to be.
MAX_COLUMNS = 1_000
MAX_SEPARATORS = 100_000
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
# What CP932 makes of bytes that it leaves to users, and of bytes it does not have.
NOBODYS = re.compile("[\ue000-\uf8ff\ufffd]")
BOM = b"\xef\xbb\xbf"
CHUNK = 1 << 20
# Control characters that no text has; a byte of them among many others shows a file of another kind.
BINARY = re.compile(rb"[\x01-\x08\x0e-\x19]")
# How ISO-2022-JP announces Japanese; every byte of it is ASCII otherwise.
ESCAPES = (b"\x1b$B", b"\x1b$@", b"\x1b(J")


@dataclass(frozen=True)
class Table:
    """A file that was read and found sound: its headings as written, and its rows without the blank ones (`count`)."""

    name: str
    headings: tuple[str, ...]
    encoding: str
    lines: Callable[[], Iterator[Line]]
    count: int = 0

    def rows(self, names: Sequence[str] = ()) -> Iterator[Row]:
        """Each row by heading. A heading that differs from one of `names` only in width or case goes by that name."""
        spelled = {values.normalise(name): name for name in names}
        keys = [spelled.get(values.normalise(heading), heading) for heading in self.headings]
        for number, cells in islice(self.lines(), 1, None):
            padded = (*cells, *[None] * (len(keys) - len(cells)))
            yield Row(number, {key: cell for key, cell in zip(keys, padded, strict=False) if key})


def read_table(
    path: Path,
    *,
    name: str,
    max_bytes: int,
    encoding: str = "",
    sheet: str = "",
    is_one: bool = False,
    at_most: int | None = None,
) -> Table:
    """The table in a file; `name` is what the person called it. Raises ConnectorError of kind data.

    `encoding` forces one of ENCODINGS, `sheet` names the sheet of a workbook (default: its first, or with `is_one` the
    only one that has cells). The size is looked at before anything is read. `at_most` rows are looked at, and counted
    (default: all of them).
    """
    check_size(path.stat().st_size, name=name, max_bytes=max_bytes)
    with path.open("rb") as stream:
        head = stream.read(8)
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            raise ConnectorError("data", "wrong_file_type", file=name, found=kind)
    if head.startswith(b"PK"):
        found = open_sheet(path, name=name, sheet=sheet)
        if is_one and not sheet and len(found.filled) > 1:
            raise ConnectorError("data", "several_sheets", file=name, found="、".join(found.filled))
        return _checked(Table(name, (), "xlsx", found.lines), at_most)
    return _read_text(path.read_bytes(), name, encoding, at_most)


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


def _read_text(data: bytes, name: str, encoding: str, at_most: int | None) -> Table:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConnectorError("data", "utf16_file", file=name)
    if data[:64].removeprefix(BOM).lstrip().lower().startswith(MARKUP):
        raise ConnectorError("data", "wrong_file_type", file=name, found="HTML")
    if b"\x00" in data:
        _refuse_nul(data, name)
    text, used = _decode(data, name, encoding)
    text = text.removesuffix("\x1a")  # how DOS ends a text
    delimiter = _delimiter(text)
    _check_width(text, delimiter, name)
    return _checked(Table(name, (), used, lambda: _text_lines(text, delimiter, name)), at_most)


def _refuse_nul(data: bytes, name: str) -> None:
    """A few NULs among text are damage at a place; many, or other control bytes, are no text at all."""
    head = data[:CHUNK]
    if head.count(b"\x00") * 4 > len(head) or BINARY.search(head):
        raise ConnectorError("data", "wrong_file_type", file=name, found="binary")
    at = data.index(b"\x00")
    encoding = _guess_encoding(data)
    raise _broken_encoding(data[:at].decode(encoding, errors="replace"), encoding, name, "00", at + 1)


def _check_width(text: str, delimiter: str, name: str) -> None:
    """Refuse a line of separators without end before it becomes as many cells."""
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if len(line) > MAX_SEPARATORS and line.count(delimiter) > MAX_SEPARATORS:
            raise _too_wide(name, number, line.count(delimiter) + 1)


def _too_wide(name: str, row: int, columns: int) -> ConnectorError:
    return ConnectorError("data", "too_many_columns", file=name, row=row, columns=columns, limit=MAX_COLUMNS)


def _text_lines(text: str, delimiter: str, name: str) -> Iterator[Line]:
    number = 0
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1):
            if any(cell.strip() for cell in cells):
                yield number, tuple(cells)
    except csv.Error as error:
        code = "cell_too_long" if "field limit" in str(error) else "broken_quotes"
        raise ConnectorError("data", code, file=name, row=number + 1, limit=csv.field_size_limit()) from error


def _decode(data: bytes, name: str, encoding: str) -> tuple[str, str]:
    """The text and the encoding's name. Strict: a byte that does not belong is an error that names its row."""
    if encoding and encoding not in ENCODINGS:
        raise ConnectorError("config", "unknown_encoding", encoding=encoding)
    if data.startswith(BOM):
        return _decode_as(data[3:], "utf-8", name), "utf-8-sig"
    if encoding:
        return _decode_as(data, encoding, name), encoding
    used = _guess_encoding(data)
    if used == "cp932" and _is_euc(data):
        raise ConnectorError("data", "other_encoding", file=name, found="EUC-JP")
    if any(each in data for each in ESCAPES):
        raise ConnectorError("data", "other_encoding", file=name, found="ISO-2022-JP (JIS)")
    return _decode_as(data, used, name), used


def _is_euc(data: bytes) -> bool:
    """Whether these bytes are EUC-JP, of which CP932 would make half-width letters and characters of nobody's.

    Text of half-width letters alone can be read as EUC-JP too; then hardly any of it comes out as kana.
    """
    try:
        told = [character for character in data.decode("euc_jp") if character > "\x7f"]
    except UnicodeDecodeError:
        return False
    kana = sum("\u3041" <= character <= "\u30fe" for character in told)
    return kana * 3 > len(told) or bool(NOBODYS.search(data.decode("cp932", errors="replace")))


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


def check_headings(table: Table) -> None:
    """Refuse a table whose first row has values instead of headings, for one that shows what its columns are called.

    Dates are no headings, and neither are numbers where there is nothing else. Raises ConnectorError of kind data.
    """
    written = [heading for heading in table.headings if heading]
    if all(_is_read(values.parse_number, heading) for heading in written):
        raise ConnectorError("data", "no_headings", file=table.name, value=(written or [""])[0])
    day = next((heading for heading in written if _is_read(partial(values.parse_date, zone=UTC), heading)), None)
    if day is not None:
        raise ConnectorError("data", "no_headings", file=table.name, value=day)


def _is_read(parse: Callable[[values.Cell], object], text: str) -> bool:
    try:
        return parse(text) is not None
    except BadValueError:
        return False


def _checked(table: Table, at_most: int | None) -> Table:
    """The table with its headings, after its rows were looked at once. Raises ConnectorError for the first fault."""
    lines = table.lines()
    row, first = next(lines, (0, ()))
    if not first:
        raise ConnectorError("data", "empty_file", file=table.name)
    headings = tuple(values.text_of(cell) for cell in first)
    while headings and not headings[-1]:
        headings = headings[:-1]
    if len(headings) > MAX_COLUMNS:
        raise _too_wide(table.name, row, len(headings))
    seen: set[str] = set()
    for heading in filter(None, headings):
        if values.normalise(heading) in seen:
            raise ConnectorError("data", "duplicated_heading", file=table.name, column=heading)
        seen.add(values.normalise(heading))
    count = 0
    for number, cells in islice(lines, at_most):
        count += 1
        if any(values.text_of(cell) for cell in cells[len(headings) :]):
            raise ConnectorError("data", "too_many_cells", file=table.name, row=number, columns=len(headings))
    if not count:
        raise ConnectorError("data", "only_headings", file=table.name)
    return replace(table, headings=headings, count=count)
