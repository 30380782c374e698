"""A table out of a file that a person sends: XLSX, or CSV in UTF-8 or CP932, read strictly."""

import csv
import io
import re
import zipfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from python_calamine import CalamineError, CalamineWorkbook

MAX_BYTES = 5 * 1024 * 1024
MAX_UNPACKED_BYTES = 100 * 1024 * 1024
MAX_ROWS = 20_000
# One cell in the last corner of a sheet makes it as large as Excel allows: looked for before the sheet is spread out.
MAX_CELLS = 5_000_000
CELL_REFERENCE = re.compile(rb'\br="([A-Z]{1,3})(\d{1,7})"')
CHUNK = 1 << 20
Sheet = list[list[str]]


class SheetError(ValueError):
    """A file that cannot be read as a table; the message says what to send instead."""


def read_sheet(data: bytes, *, name: str) -> Sheet:
    """The first sheet as rows of texts, numbers in full, blank cells ''. Raises SheetError."""
    if not data:
        raise SheetError(_("“%(name)s” is empty.") % {"name": name})
    if len(data) > MAX_BYTES:
        raise SheetError(_("“%(name)s” is larger than 5 MB. Send the targets of fewer KPIs.") % {"name": name})
    rows = _read_workbook(data, name) if data.startswith(b"PK") else _read_text(data, name)
    if len(rows) > MAX_ROWS:
        raise SheetError(_("“%(name)s” has more than 20,000 rows.") % {"name": name})
    return rows


def read_pasted(text: str) -> Sheet:
    """Cells as they are copied from Excel or a spreadsheet in the browser: tabs between them, blank cells ''."""
    return list(csv.reader(io.StringIO(text, newline=""), delimiter="\t"))


def _read_workbook(data: bytes, name: str) -> Sheet:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
        if unpacked > MAX_UNPACKED_BYTES:
            raise SheetError(_("“%(name)s” unpacks to more than 100 MB.") % {"name": name})
        _check_area(data, name)
        rows = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    except (CalamineError, zipfile.BadZipFile, IndexError) as error:
        raise SheetError(
            _("“%(name)s” is no Excel workbook that can be read. Save it as .xlsx.") % {"name": name}
        ) from error
    return [[_text(cell) for cell in row] for row in rows]


def _check_area(data: bytes, name: str) -> None:
    """Raises SheetError for a workbook with a sheet that spans more cells than can be held."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        for part in packed.namelist():
            if not (part.startswith("xl/worksheets/") and part.endswith(".xml")):
                continue
            last_row = last_column = 0
            rest = b""
            with packed.open(part) as stream:
                while chunk := stream.read(CHUNK):
                    for letters, row in CELL_REFERENCE.findall(rest + chunk):
                        last_row = max(last_row, int(row))
                        last_column = max(last_column, _column_number(letters))
                    rest = chunk[-32:]
            if last_row * last_column > MAX_CELLS:
                raise SheetError(
                    _("A sheet of “%(name)s” reaches to row %(row)s. Delete what stands far below or beside the table.")
                    % {"name": name, "row": last_row}
                )


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _read_text(data: bytes, name: str) -> Sheet:
    text = _decode(data, name)
    first = text.partition("\n")[0]
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter="\t" if "\t" in first else ",", strict=True))
    except csv.Error as error:
        raise SheetError(_("“%(name)s” is no CSV: a quotation mark is not closed.") % {"name": name}) from error


def _decode(data: bytes, name: str) -> str:
    for encoding in ("utf-8-sig", "cp932"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise SheetError(
        _("“%(name)s” is neither UTF-8 nor Shift_JIS (CP932). Save it as CSV or as .xlsx.") % {"name": name}
    )


def _text(cell: Any) -> str:
    """A cell as text; numbers in full, dates as ISO writes them."""
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, int | float):
        text = f"{Decimal(repr(cell)):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(cell, datetime):
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date) else str(cell)
