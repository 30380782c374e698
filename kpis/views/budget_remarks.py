"""The remarks below the table of target beside actual, as the files of it say them."""

from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from kpis.engine import formats
from kpis.selectors.budget_remarks import BudgetRemark
from kpis.selectors.budget_shapes import BudgetRow, BudgetTable
from kpis.templatetags.kpi import language_code, stale_text, unit_word
from kpis.templatetags.late import late_text


def file_remarks(table: BudgetTable, remarks: Sequence[BudgetRemark], *, scale: str) -> list[str]:
    """What does not add up, what changed after closing, and which numbers depend on a source that is late."""
    style = _style(table.currency, scale)
    stale = (f"{stale_text(moment)}: {_listed(names)}" for moment, names in table.stale.items())
    changed = (words for row in table.rows for words in _late_words(row, table, style))
    return [*(_remark_words(each, style) for each in remarks), *changed, *stale]


def _style(currency: str, scale: str) -> dict[str, str]:
    return {"currency": currency, "scale": scale or formats.default_scale(currency), "language": language_code()}


def _late_words(row: BudgetRow, table: BudgetTable, style: dict[str, str]) -> Iterator[str]:
    """One line for each locked number that would be another today."""

    def say(number: formats.Number) -> str:
        written = formats.write_number(number, unit=row.unit, **style)
        return f"{written.text} {unit_word(written.unit)}".strip()

    for column, cell in zip(table.columns, row.cells, strict=False):
        if cell.late is not None:
            yield _("%(name)s (%(period)s): %(words)s") % {
                "name": row.name,
                "period": column.label,
                "words": late_text(cell.late, cell.value, cell.absence, say=say),
            }


def _remark_words(remark: BudgetRemark, style: dict[str, str]) -> str:
    """One line: the row, its longer periods, the difference, and what makes it."""
    written = formats.write_difference(remark.difference, unit=remark.row.unit, **style)
    words = _("%(name)s (%(periods)s): difference to the sum of the months %(difference)s") % {
        "name": remark.row.name,
        "periods": _listed([column.label for column in remark.columns]),
        "difference": f"{written.text} {unit_word(written.unit)}".strip(),
    }
    if not remark.months:
        return words
    reason = _("changes after closing in %(months)s") % {"months": _listed([each.label for each in remark.months])}
    return _("%(remark)s: %(reason)s") % {"remark": words, "reason": reason}


def _listed(names: Sequence[str]) -> str:
    return ("、" if language_code() == "ja" else ", ").join(names)
