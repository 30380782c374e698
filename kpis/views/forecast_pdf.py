"""The deal forecast table as a PDF to be printed on A4."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer

from kpis.engine import formats
from kpis.engine.values import Absence
from kpis.engine.values import Value as Number
from kpis.renderings.pdf import FAINT, TOTAL_FILL, PageHead, render_pdf, table, text, usable_width
from kpis.selectors.forecast_annex import ForecastAnnex
from kpis.selectors.forecast_table import ForecastTable, TableGroup, TableRow
from kpis.templatetags.forecast import faults_text
from kpis.templatetags.kpi import absence_text, language_code
from kpis.views.forecast_lines import Lines, Value, annex_lines, postponed_text

PAPER = "A4"
# account, deal, person, status, rank, amount, expected, postponed, last activity, to be checked
WIDTHS = (44, 58, 23, 23, 14, 26, 21, 13, 21)


def forecast_pdf(
    found: ForecastTable,
    annex: ForecastAnnex,
    *,
    head: PageHead,
    unit: str,
    currency: str,
    target: Decimal | None,
    notes: Sequence[str] = (),
) -> bytes:
    """Group after group with its sum, the foot that runs from what is won to the landing, then the lists around it.

    `unit` is that of the metric that lands; `notes` stand at the end.
    """
    widths = [width * mm for width in WIDTHS]
    widths.append(usable_width(PAPER) - sum(widths))
    rows: list[list[Any]] = [_headings()]
    commands: list[tuple[Any, ...]] = [("ALIGN", (5, 0), (5, -1), "RIGHT"), ("ALIGN", (7, 0), (7, -1), "RIGHT")]
    for group in found.groups:
        number = len(rows)
        rows.append([_group_name(group), *([""] * 4), _money(group.total, currency), *([""] * 4)])
        commands += [("BACKGROUND", (0, number), (-1, number), TOTAL_FILL), ("SPAN", (0, number), (4, number))]
        rows += [_line(row, currency) for row in group.rows]
    counted = postponed_text(found)
    content: list[Flowable] = [
        table(rows, widths, style=commands),
        *([Spacer(1, 2 * mm), text(counted)] if counted else []),
        Spacer(1, 6 * mm),
        _foot(found, unit, currency, target),
    ]
    for lines in annex_lines(annex):
        content += [Spacer(1, 6 * mm), text(lines.title, size=10), Spacer(1, 2 * mm), _list(lines, currency)]
    for note in notes:
        content += [Spacer(1, 4 * mm), text(note)]
    return render_pdf(content, head, paper=PAPER)


def _list(lines: Lines, currency: str) -> Flowable:
    """One list over the width of the page."""
    whole = sum(column.width for column in lines.columns)
    widths = [usable_width(PAPER) * column.width / whole for column in lines.columns]
    numbers = [number for number, column in enumerate(lines.columns) if column.is_number]
    rows: list[list[Any]] = [[column.heading for column in lines.columns]]
    rows += [[_written(value, currency) for value in row] for row in lines.rows]
    return table(rows, widths, style=[("ALIGN", (number, 0), (number, -1), "RIGHT") for number in numbers])


def _written(value: Value, currency: str) -> Any:
    if isinstance(value, Decimal):
        return _money(value, currency)
    if isinstance(value, date):
        return _day(value)
    return text(value) if isinstance(value, str) else "" if value is None else str(value)


def _headings() -> list[str]:
    return [
        _("Account"),
        _("Deal name"),
        _("Person in charge"),
        _("Status"),
        _("Confidence"),
        _("Amount"),
        _("Expected close"),
        _("Times postponed"),
        _("Last activity"),
        _("To be checked"),
    ]


def _group_name(group: TableGroup) -> str:
    return _("Won") if group.is_won else group.name or _("Unassigned")


def _line(row: TableRow, currency: str) -> list[Any]:
    return [
        text(row.account),
        text(str(row.deal)),
        text(row.owner),
        _("Won") if row.is_won else _("Open deal"),
        row.rank or ("" if row.is_won else _("No rank")),
        _money(row.worth, currency) if row.worth is not None else _("No amount"),
        _day(row.day),
        _postponed(row),
        _day(row.deal.last_activity_on),
        text(faults_text(row.faults)),
    ]


def _postponed(row: TableRow) -> str:
    """A number of times; nothing where none was seen of a deal that is older than its first reading."""
    seen = row.postponed
    return "" if seen is None or (seen.since and not seen.count) else str(seen.count)


def _foot(found: ForecastTable, unit: str, currency: str, target: Decimal | None) -> Flowable:
    """Won, then each rank added to what is surer; the weighted landing, what is left out, and the target."""
    foot = found.foot
    rows: list[list[Any]] = [[_("Foot"), _("Weight"), _("In this rank"), _("Cumulative")]]
    rows.append([_("Won"), "", _money(foot.won, currency), _money(foot.won, currency)])
    for step in foot.steps:
        share = formats.write_number(step.rank.applied, unit="percent", language=language_code()).text
        rows.append(
            [f"+{step.rank.name}", f"{share}%", _money(step.amount, currency), _money(step.cumulative, currency)]
        )
    value = foot.value if isinstance(foot.value, Absence) else formats.as_decimal(formats.expected(foot.value, unit))
    rows.append([_("Landing forecast (weighted)"), "", "", _money(value, currency)])
    rows.append([_("Left out until checked"), "", "", _money(foot.left_out_amount, currency)])
    if target is not None:
        rows.append([_("Target"), "", "", _money(target, currency)])
    landing = len(foot.steps) + 2
    style = [("ALIGN", (1, 0), (-1, -1), "RIGHT"), ("LINEABOVE", (0, landing), (-1, landing), 0.8, FAINT)]
    found_table = table(rows, [70 * mm, 20 * mm, 35 * mm, 35 * mm], style=style)
    found_table.hAlign = "LEFT"
    return found_table


def _money(value: Number, currency: str) -> str:
    if isinstance(value, Absence):
        return absence_text(value)
    return formats.write_number(value, unit="amount", currency=currency, language=language_code()).text


def _day(day: date | None) -> str:
    return formats.write_date(day, language=language_code(), short=True) if day else ""
