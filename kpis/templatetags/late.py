"""How late changes of closed numbers are said wherever such a number stands."""

from collections.abc import Callable

from django import template
from django.template import Context
from django.utils.translation import gettext as _

from kpis.engine import formats
from kpis.selectors.open_restatements import LateNumber
from kpis.templatetags.kpi import absence_text, plain_number

register = template.Library()


@register.simple_tag(takes_context=True)
def late_words(
    context: Context,
    late: LateNumber,
    value: formats.Number | None,
    absence: str | None,
    unit: str,
    currency: str | None = None,
) -> str:
    """What the locked number, which stands beside it, would be today."""
    return late_text(late, value, absence, say=lambda number: plain_number(context, number, unit, currency))


def late_text(
    late: LateNumber, value: formats.Number | None, absence: str | None, *, say: Callable[[formats.Number], str]
) -> str:
    """The same outside of pages; `say` writes a number. A rate may be the same of other parts."""
    if (late.value, late.absence) == (value, absence):
        return _("Changed after closing: the value is the same, what it is made of is not")
    return _("Changed after closing: %(locked)s → %(now)s") % {
        "locked": absence_text(absence) if value is None else say(value),
        "now": absence_text(late.absence) if late.value is None else say(late.value),
    }
