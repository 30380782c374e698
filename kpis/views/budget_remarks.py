"""The remarks below the table of target beside actual, as the files of it say them."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from kpis.engine import formats
from kpis.selectors.budget_remarks import BudgetRemark
from kpis.templatetags.kpi import language_code, unit_word


def remark_words(remark: BudgetRemark, *, currency: str, scale: str) -> str:
    """One line: the row, its longer periods, the difference, and what makes it."""
    style = {"currency": currency, "scale": scale or formats.default_scale(currency), "language": language_code()}
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
