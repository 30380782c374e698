"""Words of landings: which view, what it rests on, why a deal is left out, which field changed."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django import template
from django.template import Context
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy, pgettext_lazy

from kpis.choices import Outcome
from kpis.engine import formats
from kpis.engine.landing import Fault
from kpis.engine.scoring import Method
from kpis.templatetags.kpi import language_code, percent, plain_number

register = template.Library()

METHOD_WORDS = {
    Method.ROLLUP: gettext_lazy("Confidence roll-up"),
    Method.PACE: gettext_lazy("Pace"),
    Method.CALL: gettext_lazy("Manager's call"),
}
FAULT_WORDS = {
    Fault.PAST_EXPECTED: gettext_lazy("Past the expected date"),
    Fault.NO_MOVEMENT: gettext_lazy("No movement for 30 days"),
    Fault.NO_AMOUNT: gettext_lazy("No amount"),
    Fault.NO_RATE: gettext_lazy("No exchange rate"),
    Fault.NO_CONFIDENCE: gettext_lazy("No usable confidence rank"),
    Fault.NO_REASON: gettext_lazy("Lost without a reason"),
}
FIELD_WORDS = {
    "outcome": pgettext_lazy("of a deal", "Outcome"),
    "expected_close_on": gettext_lazy("Expected close"),
    "confidence": gettext_lazy("Confidence"),
    "amount": gettext_lazy("Amount"),
}


@register.filter
def method_text(method: str) -> str:
    return str(METHOD_WORDS.get(Method(method), method)) if method else ""


@register.filter
def fault_text(fault: str) -> str:
    return str(FAULT_WORDS[Fault(fault)])


@register.filter
def faults_text(faults: tuple[str, ...]) -> str:
    """All reasons in one line."""
    return ("、" if language_code() == "ja" else ", ").join(fault_text(fault) for fault in faults)


@register.filter
def field_text(field: str) -> str:
    return str(FIELD_WORDS.get(field, field))


@register.simple_tag(takes_context=True)
def changed_value(context: Context, text: str, field: str) -> str:
    """A value as a change keeps it, written as pages write it; "" stays a dash for "nothing"."""
    if not text:
        return "—"
    if field == "expected_close_on":
        day = parse_date(text)
        return formats.write_date(day, language=language_code(), short=True) if day else text
    if field == "amount":
        return _amount(context, text)
    return str(Outcome(text).label) if field == "outcome" and text in Outcome.values else text


def _amount(context: Context, text: str) -> str:
    try:
        return plain_number(context, Decimal(text), "amount")
    except InvalidOperation:
        return text


@register.simple_tag
def share_of(part: Decimal, whole: Decimal) -> str:
    """A part as a percentage of the whole; nothing of a whole that is zero."""
    return percent(part / whole) if whole else ""


@register.simple_tag
def landing_chart(landing: Any) -> dict[str, float | None] | None:
    """Where kpi-chart.js draws the landing: its value, and from the lowest to the highest view where they differ.

    What the pace usually misses by belongs to its view.
    """
    shown = landing.shown if landing else None
    if shown is None:
        return None
    said = [view.value for view in landing.views if view.value is not None]
    if any(view.method == Method.PACE and view.value is not None for view in landing.views):
        said += [each for each in (landing.pace.low, landing.pace.high) if each is not None]
    low, high = float(min(said)), float(max(said))
    is_wide = low != high
    return {"value": float(shown.value), "low": low if is_wide else None, "high": high if is_wide else None}
