"""Why the months of a row of the table of target beside actual do not add up to its longer periods."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from kpis.choices import Grain
from kpis.selectors.budget_shapes import BudgetColumn, BudgetRow, BudgetTable
from kpis.selectors.restatements import find_restatements
from kpis.selectors.visibility import Sight


@dataclass(frozen=True)
class BudgetRemark:
    """One row with the longer periods that differ from their months by the same amount.

    `difference` is the longer period's value − Σ months'. `months` are those that changed after closing; they show what
    was locked, while a period that is open follows the facts. Empty where something else makes the difference.
    """

    row: BudgetRow
    columns: tuple[BudgetColumn, ...]
    difference: Decimal
    months: tuple[BudgetColumn, ...]


def read_remarks(table: BudgetTable, *, sight: Sight, now: datetime) -> tuple[BudgetRemark, ...]:
    """The remarks in the order of the rows; asks the database nothing where all months add up."""
    differing = [row for row in table.rows if any(cell.beyond_months is not None for cell in row.cells)]
    if not differing:
        return ()
    query = table.query
    found = find_restatements(
        tree=query.tree,
        grain=Grain.MONTH,
        dimension=query.dimension,
        start=table.columns[0].row.start_date,
        end=table.columns[-1].row.end_date,
        member_ids=sight.members.get(query.dimension),
        nodes={row.node.pk for row in differing},
        now=now,
    )
    changed: dict[tuple[int, str | None], set[date]] = defaultdict(set)
    for each in found:
        if each.live.value != each.locked.value:
            member = each.cell.member
            changed[each.cell.node_id, member.code if member else None].add(each.cell.period_start)
    return tuple(remark for row in differing for remark in _remarks_of(row, table, changed))


def _remarks_of(
    row: BudgetRow, table: BudgetTable, changed: Mapping[tuple[int, str | None], set[date]]
) -> Iterator[BudgetRemark]:
    starts = changed.get((row.node.pk, row.member_code), set())
    months = [each for each in table.columns if not each.is_total and each.row.start_date in starts]
    groups: dict[tuple[Decimal, tuple[BudgetColumn, ...]], list[BudgetColumn]] = defaultdict(list)
    for column, cell in zip(table.columns, row.cells, strict=True):
        if cell.beyond_months is not None:
            span = column.row
            inside = tuple(each for each in months if span.start_date <= each.row.start_date < span.end_date)
            groups[cell.beyond_months, inside].append(column)
    for (difference, inside), columns in groups.items():
        yield BudgetRemark(row, tuple(columns), difference, inside)
