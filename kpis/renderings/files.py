"""What every file has in common: text that no spreadsheet takes for a formula, and CP932 without losing a file."""

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

CSV_ENCODINGS = ("utf-8-sig", "cp932")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
GETA = "〓"  # what Japanese print sets where a character is missing

codecs.register_error("geta", lambda error: (GETA, error.end) if isinstance(error, UnicodeEncodeError) else ("", 0))


def harmless(text: str) -> str:
    """Text that a spreadsheet shows instead of calculating.

    >>> harmless("=1+1"), harmless("受注額")
    ("'=1+1", '受注額')
    """
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def write_csv(rows: Iterable[Sequence[Any]], *, encoding: str) -> bytes:
    """Lines of text, exact numbers and blanks (None); characters that CP932 lacks become 〓."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return buffer.getvalue().encode(encoding, errors="geta")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return harmless(str(value))
