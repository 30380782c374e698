"""Excel workbooks: unpacked within bounds before they are opened; no cell that shows an error is taken for blank."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from integrations.connectors import values
from integrations.connectors.errors import ConnectorError
from integrations.connectors.values import Cell

Line = tuple[int, tuple[Cell, ...]]
# Excel's own limits on a sheet are far above what fits in memory; a wider or longer one is a mistake or an attack.
MAX_CELLS = 20_000_000
MAX_UNPACKED_BYTES = 1_000_000_000
# So many formulas that nobody calculated are a workbook that some program wrote and Excel never opened.
MAX_BLANKED = 100_000
CHUNK = 1 << 20
LONGEST_CELL = 1 << 16
# Without a word's border in front: a text that begins with letters is found many times faster.
CELL_REFERENCE = re.compile(rb'r="([A-Z]{1,3})(\d{1,7})"')
# Cells that the reader gives as blank: an error, and a formula whose value was never calculated.
BLANKED = re.compile(
    rb'<c\b(?=[^>]*\br="(?P<letters>[A-Z]{1,3})(?P<row>\d{1,7})")'
    rb'(?:[^>]*\bt="e"[^>]*>(?:<f\b[^>]*?(?:/>|>[^<]*</f>))?<v>(?P<error>[^<]*)</v>'
    rb'|(?![^>]*\bt="str")[^>]*>(?:<f\b[^>]*?/>|<f\b[^>]*>(?P<formula>[^<]*)</f>)(?:<v\s*/>|<v></v>)?\s*</c>)'
)
OFFICE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
Blanked = dict[int, dict[int, str]]


class Sheet(NamedTuple):
    """One sheet: `lines` gives them anew at every call; `filled` are the titles of all sheets that have cells.

    A line is its number in the sheet and its cells; blank ones are left out.
    """

    lines: Callable[[], Iterator[Line]]
    filled: tuple[str, ...]


def open_sheet(path: Path, *, name: str, sheet: str) -> Sheet:
    """The sheet of this title (default: the first). Raises ConnectorError of kind data.

    A cell with an error says so (`#N/A`), and a formula without value is given as it is written (`=A1+B1`): both would
    else be taken for nothing.
    """
    found = _looked_through(path, name)
    try:
        with CalamineWorkbook.from_path(str(path)) as book:
            names = book.sheet_names
            if not names:
                raise ConnectorError("data", "empty_file", file=name)
            if sheet and sheet not in names:
                raise ConnectorError("data", "missing_sheet", file=name, sheet=sheet, found="、".join(names))
            page = book.get_sheet_by_name(sheet or names[0])
            part = found.get(sheet or names[0])
            blanked = part.blanked if part else {}
    except CalamineError as error:
        raise ConnectorError("data", "broken_workbook", file=name) from error
    return Sheet(
        lambda: _lines(page, blanked), tuple(title for title in names if title in found and found[title].is_filled)
    )


def _lines(page: CalamineSheet, blanked: Blanked) -> Iterator[Line]:
    """Made anew at every pass: as Python's objects a large sheet takes many times the memory."""
    for number, read in enumerate(page.iter_rows(), start=1):
        cells: tuple[Cell, ...] = tuple(read)
        if said := blanked.get(number):
            cells += (None,) * (max(said) - len(cells))
            cells = tuple(said.get(column, cell) for column, cell in enumerate(cells, start=1))
        if any(values.text_of(cell) for cell in cells):
            yield number, cells


def _looked_through(path: Path, name: str) -> dict[str, _Part]:
    """The part of each sheet by its title, after every part of the workbook was unpacked once.

    Raises ConnectorError for what is no workbook, unpacks to more than is bearable, spans an unbearable area, or
    declares entities: no program that saves workbooks writes them, and they can name files or grow without end.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.namelist()
            if "[Content_Types].xml" not in parts or "xl/workbook.xml" not in parts:
                raise ConnectorError("data", "wrong_file_type", file=name, found="ZIP")
            left, found = MAX_UNPACKED_BYTES, dict[str, _Part]()
            for part in archive.infolist():
                looking = _Part(name, is_sheet=part.filename.startswith("xl/worksheets/"))
                left = looking.through(archive, part, left)
                found[part.filename] = looking
            titles = _sheet_titles(archive)
    except (zipfile.BadZipFile, ElementTree.ParseError, NotImplementedError, RuntimeError, EOFError) as error:
        # Also parts that are encrypted or packed in a way that workbooks are not.
        raise ConnectorError("data", "broken_workbook", file=name) from error
    return {title: found[part] for title, part in titles.items() if part in found}


class _Part:
    """Looks through one part of a workbook as it is unpacked. `blanked`: the cells that the reader would blank."""

    def __init__(self, name: str, *, is_sheet: bool) -> None:
        self._name = name
        self._is_sheet = is_sheet
        self._last_row = self._last_column = self._count = 0
        self.blanked: Blanked = {}

    @property
    def is_filled(self) -> bool:
        return self._last_row > 0

    def through(self, archive: zipfile.ZipFile, part: zipfile.ZipInfo, left: int) -> int:
        """How many of the bytes that may still come are left after this part."""
        # What the part says of its own size may be a lie; it is unpacked to its real end instead.
        part.file_size = sys.maxsize
        tail = b""
        with archive.open(part) as stream:
            while chunk := stream.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise ConnectorError("data", "workbook_too_large", file=self._name)
                tail = self._rest_of(tail + chunk)
        return left

    def _rest_of(self, text: bytes) -> bytes:
        """What has to be looked at again with what follows."""
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
            raise ConnectorError("data", "workbook_entities", file=self._name)
        if not self._is_sheet:
            return text[-16:]
        # Each row and each column once: a sheet names every one of them very often.
        references = CELL_REFERENCE.findall(text)
        self._last_row = max([self._last_row, *map(int, {row for _, row in references})])
        self._last_column = max([self._last_column, *map(_column_number, {letters for letters, _ in references})])
        if self._last_row * self._last_column > MAX_CELLS:
            raise ConnectorError("data", "workbook_too_large", file=self._name)
        if b't="e"' in text or b"<f" in text:
            self._note_blanked(text)
        begun = text.rfind(b"<c ", -LONGEST_CELL)
        return text[begun:] if begun >= 0 else text[-32:]

    def _note_blanked(self, text: bytes) -> None:
        for each in BLANKED.finditer(text):
            said = each["error"] if each["error"] is not None else b"=" + (each["formula"] or b"")
            row = self.blanked.setdefault(int(each["row"]), {})
            row[_column_number(each["letters"])] = said.decode(errors="replace")
            self._count += 1
            if self._count > MAX_BLANKED:
                raise ConnectorError("data", "broken_workbook", file=self._name)


def _sheet_titles(archive: zipfile.ZipFile) -> dict[str, str]:
    """The part of each sheet by its title."""
    relations = "xl/_rels/workbook.xml.rels"
    if relations not in archive.namelist():
        return {}
    # Neither declares entities: both were looked through.
    linked = ElementTree.fromstring(archive.read(relations))  # noqa: S314
    targets = {each.get("Id"): each.get("Target", "") for each in linked}
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
    return {
        each.get("name", ""): _full_name(targets.get(each.get(OFFICE), ""))
        for each in book.iter()
        if each.tag.endswith("}sheet")
    }


def _full_name(target: str) -> str:
    return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
