"""The lists of the deal forecast table as lines of words and values, which each of its files writes in its own way."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from kpis.choices import Outcome
from kpis.selectors.forecast_annex import ForecastAnnex
from kpis.selectors.forecast_table import DealChange, ForecastTable, Since, TableRow
from kpis.templatetags.forecast import faults_text, field_text

Value = str | Decimal | date | int | None


@dataclass(frozen=True)
class Column:
    """A heading with the width of its column in characters; `is_number` stands to the right."""

    heading: str
    width: int
    is_number: bool = False


@dataclass(frozen=True)
class Lines:
    """One list: its name, the same as a whole title, its columns, its lines in their order."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Value]]


def deal_lines(found: ForecastTable) -> Lines:
    """Every deal of the table; "counted" is 0 where a deal is left out."""
    columns = (
        Column(_("Account"), 28),
        Column(_("Deal name"), 36),
        Column(_("Person in charge"), 14),
        Column(_("Status"), 10),
        Column(_("Confidence"), 8),
        Column(_("Amount"), 16, True),
        Column(_("Expected close"), 14),
        Column(_("Times postponed"), 8, True),
        Column(_("Last activity"), 14),
        Column(_("Counted"), 8, True),
        Column(_("To be checked"), 36),
        Column(_("Postponements seen since"), 14),
    )
    rows = [deal_line(row) for group in found.groups for row in group.rows]
    return Lines(_("Deal forecast table"), _("Deal forecast table"), columns, rows)


def deal_line(row: TableRow) -> Sequence[Value]:
    return (
        row.account,
        str(row.deal),
        row.owner,
        _("Won") if row.is_won else _("Open deal"),
        row.rank or ("" if row.is_won else _("No rank")),
        _("No amount") if row.worth is None else row.worth,
        row.day,
        row.postponed.count if row.postponed else None,
        row.deal.last_activity_on,
        0 if row.faults else 1,
        faults_text(row.faults),
        row.postponed.since if row.postponed else None,
    )


def postponed_text(found: ForecastTable) -> str:
    """How the times a deal was postponed are counted; "" where the source says all of them itself."""
    if not found.has_seen_postponements:
        return ""
    return _(
        "Times postponed are as the source says. Where it does not say, each move of the expected close to a later"
        " date, even within a month, has been counted since the deal was first read."
    )


def change_lines(annex: ForecastAnnex) -> Lines:
    columns = (
        Column(_("Deal name"), 36),
        Column(_("Account"), 28),
        Column(_("Person in charge"), 14),
        Column(_("Field"), 14),
        Column(_("Before"), 16),
        Column(_("After"), 16),
        Column(_("Changed at"), 16),
    )
    title = " · ".join([_("What changed"), since_text(annex.since)])
    return Lines(_("What changed"), title, columns, list(map(_change, annex.changes.rows)))


def since_text(since: Since) -> str:
    """From when on changes are told, in words."""
    if since.occasion is None:
        return _("in the last 7 days: no meeting has looked at this KGI yet")
    return _("since %(occasion)s") % {"occasion": since.occasion.label}


def _change(change: DealChange) -> Sequence[Value]:
    return (
        str(change.deal),
        change.deal.account.name if change.deal.account else "",
        change.deal.owner.name if change.deal.owner else "",
        field_text(change.field),
        _changed(change.field, change.old),
        _changed(change.field, change.new),
        _moment(change.at),
    )


def _changed(field: str, text: str) -> Value:
    """A value as a change keeps it; nothing is a word."""
    if not text:
        return _("None")
    if field == "amount":
        try:
            return Decimal(text)
        except InvalidOperation:
            return text
    if field == "expected_close_on":
        return parse_date(text) or text
    return str(Outcome(text).label) if field == "outcome" and text in Outcome.values else text


def _moment(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M}"


def loss_lines(annex: ForecastAnnex) -> Lines:
    columns = (
        Column(_("Reason for loss"), 24),
        Column(_("Competitor"), 20),
        Column(_("Last open phase"), 16),
        Column(_("Person in charge"), 14),
        Column(_("Deals"), 8, True),
        Column(_("Amount"), 16, True),
    )
    rows = [
        (
            loss.reason or _("No reason given"),
            loss.competitor,
            loss.phase or _("Phase not known"),
            loss.owner,
            loss.count,
            _("No amount") if loss.amount is None else loss.amount,
        )
        for loss in annex.losses.rows
    ]
    return Lines(_("Losses"), _("Losses"), columns, rows)


def check_lines(annex: ForecastAnnex) -> Lines:
    columns = (
        Column(_("Deal name"), 36),
        Column(_("Account"), 28),
        Column(_("Person in charge"), 14),
        Column(_("Amount"), 16, True),
        Column(_("Date"), 14),
        Column(_("To be checked"), 36),
    )
    rows = [
        (
            str(each.deal),
            each.account,
            each.owner,
            _("No amount") if each.worth is None else each.worth,
            each.day,
            faults_text(each.faults),
        )
        for each in annex.to_check.first
    ]
    return Lines(_("Deals to check"), _("Deals to check"), columns, rows)


PARTS: dict[str, Callable[[ForecastTable, ForecastAnnex], Lines]] = {
    "table": lambda table, _annex: deal_lines(table),
    "changes": lambda _table, annex: change_lines(annex),
    "losses": lambda _table, annex: loss_lines(annex),
    "to-check": lambda _table, annex: check_lines(annex),
}


def annex_lines(annex: ForecastAnnex) -> Iterator[Lines]:
    """The lists around the deals that have a line."""
    return (lines for lines in (check_lines(annex), change_lines(annex), loss_lines(annex)) if lines.rows)
