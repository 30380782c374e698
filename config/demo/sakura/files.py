"""The files company A sends: as its systems export them, under the headings that the shipped presets translate.

The sales and the accounting system write CP932 CSV, the marketing system and the survey tool UTF-8 with a byte order
mark; personnel and contracts are kept in Excel.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from openpyxl import Workbook

from integrations.connectors.mapping import FieldRule, StreamMapping
from integrations.connectors.presets import PRESETS

EXCEL = ""
BOM = "utf-8-sig"
EXCEPTIONS = {
    "people": EXCEL,
    "teams": EXCEL,
    "memberships": EXCEL,
    "contracts": EXCEL,
    "leads": BOM,
    "lead-stage-events": BOM,
    "surveys": BOM,
}
YES, NO = "○", "×"


@dataclass(frozen=True)
class SourceFile:
    """One export: which preset reads it, and its encoding (EXCEL for a workbook)."""

    preset: str
    stream: StreamMapping
    encoding: str
    date_format: str = "%Y/%m/%d"
    has_thousands: bool = False

    @property
    def resource(self) -> str:
        return self.stream.resource

    @property
    def is_workbook(self) -> bool:
        return self.encoding == EXCEL

    def name(self, today: date) -> str:
        """The file name, with the day of the export as the systems add it."""
        return f"{self.stream.reads.rstrip('*')}_{today:%Y%m%d}.{'xlsx' if self.is_workbook else 'csv'}"


FILES = tuple(
    SourceFile(code, stream, EXCEPTIONS.get(stream.resource, "cp932"), *style)
    for code, style in (
        ("japanese_sales", ()),
        ("japanese_marketing", ()),
        ("japanese_accounting", ("%Y%m%d", True)),
    )
    for stream in PRESETS[code].streams
)


def write(file: SourceFile, records: list[dict], path: Path) -> None:
    """Write contract records the way the source system would show them; fields that no record has get no column."""
    present = {name for record in records for name in record}
    rules = [rule for rule in file.stream.rules if rule.field in present]
    table = [[_word(rule, record.get(rule.field)) for rule in rules] for record in records]
    headings = [str(rule.column) for rule in rules]
    if file.is_workbook:
        path.write_bytes(_workbook(headings, table))
        return
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(headings)
    writer.writerows([_text(file, cell) for cell in row] for row in table)
    path.write_bytes(text.getvalue().encode(file.encoding))


def _word(rule: FieldRule, value: object) -> object:
    """The first of the source's words that the preset reads as `value`."""
    if isinstance(value, bool):
        return YES if value else NO
    if isinstance(value, list):
        return rule.separator.join(value)
    if value is None or not rule.values:
        return value
    return next(word for word, meaning in rule.values.items() if meaning == value)


def _text(file: SourceFile, value: object) -> str:
    if isinstance(value, date):
        return value.strftime(file.date_format)
    if isinstance(value, int) and file.has_thousands:
        return f"{value:,}"
    return "" if value is None else str(value)


def _workbook(headings: list[str], table: list[list]) -> bytes:
    """An XLSX file whose bytes depend on its content only: the library stamps the clock into it twice."""
    workbook = Workbook()
    workbook.properties.created = datetime(2020, 1, 1)  # noqa: DTZ001 - the format carries no zone
    sheet = workbook.active
    sheet.append(headings)
    for row in table:
        sheet.append(row)
    stamped = io.BytesIO()
    workbook.save(stamped)
    plain = io.BytesIO()
    with zipfile.ZipFile(stamped) as source, zipfile.ZipFile(plain, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            content = source.read(name)
            if name == "docProps/core.xml":
                content = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>2020-01-01T00:00:00Z", content)
            target.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return plain.getvalue()
