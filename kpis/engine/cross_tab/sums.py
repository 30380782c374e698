"""The company's numbers of a KPI that a sheet has by people or teams only."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from kpis.engine.cross_tab.shapes import Line, Month, SheetCell


def added_up(lines: Sequence[Line]) -> Iterator[Line]:
    """For each kind of numbers without a line of the company's own: the sum of the others, month by month.

    A month has a sum only where every line has a number: of a part nobody can say the whole. A sum stands nowhere in
    the sheet, so it has the address of the first cell that it is made of. `lines` are those of one KPI.
    """
    for kind in dict.fromkeys(line.kind for line in lines):
        same = [line for line in lines if line.kind is kind]
        parts = [line for line in same if line.segment and not line.is_subtotal]
        if len(parts) == len([line for line in same if not line.is_subtotal]) and parts:
            first = parts[0]
            yield replace(first, key=f"sum.{first.key}", segment="", cells=tuple(_summed(parts)))


def _summed(parts: Sequence[Line]) -> Iterator[SheetCell]:
    columns = [{cell.month: cell for cell in line.cells if cell.value is not None} for line in parts]
    months: set[Month] = set(columns[0]).intersection(*columns[1:])
    for month in sorted(months):
        cells = [column[month] for column in columns]
        yield SheetCell(cells[0].address, month, sum((cell.value or Decimal(0) for cell in cells), Decimal(0)))
