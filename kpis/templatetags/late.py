"""How late changes of closed numbers are said wherever such a number stands."""

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
    """What the locked number, which stands beside it, would be today. A rate may be the same of other parts."""
    if (late.value, late.absence) == (value, absence):
        return _("Changed after closing: the value is the same, what it is made of is not")

    def said(number: formats.Number | None, code: str | None) -> str:
        return absence_text(code) if number is None else plain_number(context, number, unit, currency)

    return _("Changed after closing: %(locked)s → %(now)s") % {
        "locked": said(value, absence),
        "now": said(late.value, late.absence),
    }
