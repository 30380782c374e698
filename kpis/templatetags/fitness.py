"""Words of templates, benchmarks and findings."""

from django import template
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from kpis.engine.templates import Text

register = template.Library()
KINDS = {
    "mean": _("Mean"),
    "usual_aim": _("Usual aim"),
    "most_common_target": _("Most common target"),
    "band": _("Usual band"),
    "case": _("Case"),
    "forecast": _("Forecast"),
    "varies": _("Varies by company"),
}
CRITERIA = {
    "specific": _("Specific"),
    "measurable": _("Measurable"),
    "achievable": _("Achievable"),
    "relevant": _("Relevant"),
    "time_bound": _("Time-bound"),
    "controllable": _("Controllable"),
}
TONES = {"blocks": "bad", "fact": "warn", "advice": "none"}
SEVERITIES = {"blocks": _("Must be mended"), "fact": _("Missing fact"), "advice": _("Advice")}


@register.filter
def spoken(text: Text) -> str:
    """A text of a template in the reader's language."""
    return text.in_language(get_language() or "ja")


@register.filter
def benchmark_kind(kind: str) -> Promise | str:
    """What kind of figure a benchmark is."""
    return KINDS.get(kind, kind)


@register.filter
def criterion(code: str) -> Promise | str:
    """Which of the SMART criteria a finding is about."""
    return CRITERIA.get(code, code)


@register.inclusion_tag("components/status_badge.html")
def severity_badge(severity: str) -> dict[str, object]:
    """How much an issue matters: shape, colour and word."""
    return {"tone": TONES.get(severity, "none"), "word": SEVERITIES.get(severity, "")}
