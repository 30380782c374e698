"""Words and signs of the handover from marketing to sales."""

from decimal import Decimal

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from kpis.choices import LinkRule
from kpis.engine.handover import Response, Standing

register = template.Library()

STANDING_WORDS = {
    Standing.ACCEPTED: pgettext_lazy("of a lead", "Accepted"),
    Standing.RETURNED: gettext_lazy("Returned"),
    Standing.WAITING: pgettext_lazy("of a lead", "Waiting"),
}
STANDING_TONES = {Standing.ACCEPTED: "good", Standing.RETURNED: "warn", Standing.WAITING: "none"}


@register.filter
def standing_text(standing: Standing) -> str:
    return str(STANDING_WORDS[standing])


@register.filter
def hours_text(hours: Decimal | None) -> str:
    """Office hours with one decimal."""
    return "" if hours is None else _("%(hours)s hours") % {"hours": f"{hours:.1f}".removesuffix(".0")}


@register.filter
def response_text(response: Response) -> str:
    """Office hours where the times are known, else business days."""
    if response.hours is not None:
        return hours_text(response.hours)
    if response.days == 0:
        return _("same day")
    return ngettext("%(count)s business day", "%(count)s business days", response.days) % {"count": response.days}


@register.filter
def rule_text(rule: str) -> str:
    return str(LinkRule(rule).label)
