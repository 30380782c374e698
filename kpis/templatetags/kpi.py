"""How a KPI looks wherever it appears: numbers, status, absence, bars, rings, small lines, dates."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template import Context
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from kpis.engine import formats
from kpis.engine.pace import Basis
from kpis.engine.values import Absence
from tenants.registry import ItemStatus

register = template.Library()

STATUS_WORDS = {
    "on_track": gettext_lazy("On track"),
    "at_risk": gettext_lazy("At risk"),
    "behind": gettext_lazy("Behind"),
    "met": gettext_lazy("Met"),
    "missed": gettext_lazy("Missed"),
}
ITEM_TONES = {
    ItemStatus.DONE: "good",
    ItemStatus.IN_PROGRESS: "warn",
    ItemStatus.REGRESSED: "bad",
    ItemStatus.EXPIRED: "bad",
    ItemStatus.NOT_STARTED: "none",
}
STATUS_TONES = {"on_track": "good", "at_risk": "warn", "behind": "bad", "met": "good", "missed": "bad"}
ABSENCE_WORDS = {
    "missing": gettext_lazy("No data"),
    "no_denominator": gettext_lazy("No cases"),
    "maturing": gettext_lazy("Awaiting maturity"),
    "too_few": gettext_lazy("Too few cases"),
    "no_rate": gettext_lazy("No exchange rate"),
    "not_applicable": gettext_lazy("Not applicable"),
    "error": gettext_lazy("Calculation error"),
}
BASIS_WORDS = {
    Basis.CURVE: gettext_lazy("by the company's own past periods"),
    Basis.BUSINESS_DAYS: gettext_lazy("by business days"),
}
STATE_WORDS = {"provisional": gettext_lazy("Provisional"), "closed": gettext_lazy("Closed")}
CURRENCY_WORDS = {"JPY": gettext_lazy("JPY")}
RESOURCE_WORDS = {
    "accounts": gettext_lazy("Accounts"),
    "leads": gettext_lazy("Leads"),
    "lead-stage-events": gettext_lazy("Lead stage events"),
    "deals": gettext_lazy("Deals"),
    "deal-lines": gettext_lazy("Deal lines"),
    "deal-credits": gettext_lazy("Deal credits"),
    "deal-stage-events": gettext_lazy("Deal stage events"),
    "activities": gettext_lazy("Activities"),
    "contracts": gettext_lazy("Contracts"),
    "orders": gettext_lazy("Orders"),
    "revenues": gettext_lazy("Revenue lines"),
    "surveys": gettext_lazy("Survey responses"),
    "products": gettext_lazy("Products"),
    "people": gettext_lazy("People"),
    "teams": gettext_lazy("Teams"),
    "memberships": gettext_lazy("Team memberships"),
    "exchange-rates": gettext_lazy("Exchange rates"),
}


def language_code() -> str:
    return (get_language() or "ja").split("-")[0]


def unit_word(unit: str) -> str:
    """The small word of a unit code that formats.write_number gives."""
    words = {
        "percent": "%",
        "points": _("pt"),
        "days": _("days"),
        "score": _("points"),
        "ratio": _("times"),
        "count": "",
    }
    if unit in words:
        return words[unit]
    scale, _space, currency = unit.partition(" ")
    name = str(CURRENCY_WORDS.get(currency, currency))
    if scale == "thousand":
        return _("k %(currency)s") % {"currency": name}
    if scale == "million":
        return _("M %(currency)s") % {"currency": name}
    return name


def amount_style(context: Context, currency: str | None) -> dict[str, str]:
    """Currency and scale of amounts: the page's currency, the reader's switch."""
    currency = currency or context.get("currency") or "JPY"
    scale = getattr(context.get("shell"), "amount_scale", "") or formats.default_scale(currency)
    return {"currency": currency, "scale": scale, "language": language_code()}


def markup(written: formats.Written, *, with_unit: bool = True) -> SafeString:
    word = unit_word(written.unit) if with_unit else ""
    if not word:
        return format_html('<span class="num">{}</span>', written.text)
    return format_html('<span class="num">{}<span class="unit">{}</span></span>', written.text, word)


@register.simple_tag(takes_context=True)
def number(
    context: Context,
    value: formats.Number | None,
    unit: str,
    currency: str | None = None,
    absence: str = "missing",
    with_unit: bool = True,
    cases: formats.Number | None = None,
) -> SafeString:
    """A value with its unit; a missing one is a word, never 0 or a dash. Tables name the unit in their head."""
    if value is None:
        return absence_word(absence, cases)
    written = formats.write_number(value, unit=unit, **amount_style(context, currency))
    return markup(written, with_unit=with_unit)


@register.simple_tag(takes_context=True)
def unit_name(context: Context, unit: str, currency: str | None = None) -> str:
    """The unit alone, for the head of a column."""
    return unit_word(formats.write_number(0, unit=unit, **amount_style(context, currency)).unit)


@register.filter
def grouped(count: int) -> str:
    """A count with commas, for sentences."""
    return f"{count:,}"


@register.simple_tag(takes_context=True)
def plain_number(context: Context, value: formats.Number | None, unit: str, currency: str | None = None) -> str:
    """The same as text, for sentences, titles and charts."""
    if value is None:
        return ""
    written = formats.write_number(value, unit=unit, **amount_style(context, currency))
    space = "" if language_code() == "ja" or written.unit == "percent" else " "
    return f"{written.text}{space}{unit_word(written.unit)}".strip()


@register.simple_tag(takes_context=True)
def trend_data(context: Context, points: list[Any], landing: dict[str, float | None] | None = None) -> dict[str, Any]:
    """What kpi-chart.js draws from a list of kpis.selectors.details.PeriodFigure: numbers, and the same as text.

    `landing` is where the last, open period will end: its value, and between which values the views of it lie. `before`
    is None where no period has a value of the year before.
    """
    figures = [point.figure for point in points]
    before = [point.year_before for point in points]
    names = {
        "actual": _("Actual"),
        "target": _("Target"),
        "landing": _("Landing forecast"),
        "before": _("Same period last year"),
    }
    last = figures[-1]

    def texts(values: list[formats.Number | None]) -> list[str]:
        return [plain_number(context, value, last.unit, last.currency) for value in values]

    return {
        "labels": [point.label for point in points],
        "unit": last.unit,
        "open": len(points) - 1 if last.state == "open" else None,
        "actual": [None if figure.value is None else float(figure.value) for figure in figures],
        "target": [None if figure.target is None else float(figure.target) for figure in figures],
        "before": [None if each is None else float(each) for each in before] if has_year_before(points) else None,
        "landing": landing,
        "names": names,
        "texts": {
            names["actual"]: [
                text or absence_text(figure.absence, figure.cases)
                for text, figure in zip(texts([figure.value for figure in figures]), figures, strict=True)
            ],
            names["target"]: texts([figure.target for figure in figures]),
            names["before"]: texts(before),
            names["landing"]: ["" for _figure in figures[1:]]
            + [_landing_text(texts, landing, last.unit) if landing else ""],
        },
        "notes": [_cases_note(context, figure) for figure in figures],
    }


@register.filter
def has_year_before(points: list[Any]) -> bool:
    """Whether any period has the value of the same one of the year before."""
    return any(point.year_before is not None for point in points)


def _landing_text(
    texts: Callable[[list[formats.Number | None]], list[str]], landing: dict[str, float | None], unit: str
) -> str:
    """The value, and between which the views lie."""
    value, low, high = texts([expected(landing[each], unit) for each in ("value", "low", "high")])
    return _("%(value)s (%(low)s to %(high)s)") % {"value": value, "low": low, "high": high} if low else value


def _cases_note(context: Context, figure: Any) -> str:
    """Numerator ÷ denominator, for the tooltip."""
    if figure.numerator is None or figure.denominator is None:
        return ""
    above = plain_number(context, figure.numerator, figure.part_unit, figure.currency)
    return f"{above} ÷ {plain_number(context, figure.denominator, 'count')}"


@register.simple_tag
def percent(fraction: formats.Number | None) -> str:
    """75.0% or nothing."""
    if fraction is None:
        return ""
    return f"{formats.grouped(formats.as_decimal(fraction) * 100, places=1, language=language_code())}%"


@register.filter
def basis_text(basis: str) -> str:
    """What the share that is due by now was taken from."""
    return str(BASIS_WORDS[Basis(basis)])


@register.simple_tag
def due_text(share: formats.Number, basis: str) -> str:
    """How much of a target is due by today, and what says so."""
    return _("By today %(share)s of the target is due (%(basis)s).") % {
        "share": percent(share),
        "basis": basis_text(basis),
    }


@register.simple_tag
def absence_word(code: str | None, cases: formats.Number | None = None) -> SafeString:
    return format_html('<span class="absent">{}</span>', absence_text(code, cases))


@register.simple_tag(takes_context=True)
def difference(
    context: Context,
    value: formats.Number | None,
    unit: str,
    direction: str = "up",
    currency: str | None = None,
) -> SafeString:
    """A signed difference; its colour says better or worse, whichever way is better for this KPI."""
    if value is None:
        return SafeString("")
    written = formats.write_difference(value, unit=unit, **amount_style(context, currency))
    better = value if direction == "up" else -value
    is_nothing = not any(digit in written.text for digit in "123456789")
    tone = "" if is_nothing or direction == "range" else (" diff-better" if better > 0 else " diff-worse")
    word = unit_word(written.unit)
    unit = format_html('<span class="unit">{}</span>', word) if word else ""
    return format_html('<span class="diff{}">{}{}</span>', tone, written.text, unit)


@register.inclusion_tag("components/status_badge.html")
def status_badge(
    status: str, state: str = "open", absence: str | None = None, has_target: bool = True, compact: bool = False
) -> dict[str, Any]:
    """Shape, colour and word of a verdict; a ring around the shape when the period is closed.

    The word of an absence already stands where the value would be, so only readers of the page aloud get it here.
    """
    if status in STATUS_WORDS:
        word: Any = STATUS_WORDS[status]
    elif absence:
        word = ABSENCE_WORDS.get(absence, absence)
    else:
        word = _("Awaiting maturity") if has_target else _("No target")
    tone = STATUS_TONES.get(status, "none")
    is_closed = state == "closed" and tone != "none"
    return {"word": word, "tone": tone, "is_closed": is_closed, "compact": compact or bool(absence)}


@register.inclusion_tag("components/status_badge.html")
def item_status(status: str) -> dict[str, Any]:
    """The state of an item of the checklist, as a badge like every other verdict."""
    return {"word": ItemStatus(status).label, "tone": ITEM_TONES[ItemStatus(status)], "is_closed": False}


@register.simple_tag
def period_stamp(state: str) -> SafeString:
    """速報 or 確定; nothing on an open period."""
    if state not in STATE_WORDS:
        return SafeString("")
    return format_html('<span class="stamp stamp-{}">{}</span>', state, STATE_WORDS[state])


@register.inclusion_tag("components/achievement_bar.html")
def achievement_bar(
    fraction: formats.Number | None,
    status: str = "none",
    pace: formats.Number | None = None,
    with_text: bool = True,
    basis: str | None = None,
) -> dict[str, Any]:
    """Achievement as a bar in 0-100 % (longer is cut), with a tick where the pace stands, and on what `basis`."""
    is_running = pace is not None and 0 < pace < 1
    return {
        "fraction": fraction,
        "width": None if fraction is None else round(min(max(float(fraction), 0.0), 1.0) * 100, 1),
        "tone": STATUS_TONES.get(status, "none"),
        "pace": round(float(pace) * 100, 1) if pace is not None and is_running else None,
        "due": due_text(pace, basis) if basis and is_running else "",
        "with_text": with_text,
    }


@register.inclusion_tag("components/number_block.html", takes_context=True)
def number_block(context: Context, figure: Any, label: str = "", url: str = "") -> dict[str, Any]:
    """The number block that is the same everywhere; figure is a kpis.selectors.figures.Figure."""
    return {
        "figure": figure,
        "label": label or figure.name,
        "url": url,
        "currency": figure.currency or context.get("currency"),
        "shell": context.get("shell"),
    }


@register.inclusion_tag("components/sparkline.html")
def sparkline(values: list[formats.Number | None], label: str = "") -> dict[str, Any]:
    points = formats.sparkline_points(values)
    return {"points": points, "line": " ".join(f"{x},{y}" for x, y in points), "label": label}


@register.simple_tag
def as_of(moment: datetime | None) -> SafeString:
    """「11/24 8:50 時点」 in company time."""
    if moment is None:
        return SafeString("")
    text = formats.write_moment(timezone.localtime(moment), language=language_code())
    return format_html(
        '<time class="as-of" datetime="{}">{}</time>', moment.isoformat(), _("as of %(moment)s") % {"moment": text}
    )


def stale_text(moment: datetime | None) -> str:
    """Why a number may lag behind: its source is late, and when it came last."""
    if moment is None:
        return _("Stale source (never delivered)")
    return _("Stale source (last success %(moment)s)") % {"moment": moment_text(moment)}


@register.simple_tag
def stale_mark(is_stale: bool, moment: datetime | None) -> SafeString:
    """The small mark beside a number that depends on a late source; "" where none does."""
    if not is_stale:
        return SafeString("")
    return render_to_string("components/stale_mark.html", {"text": stale_text(moment)})


@register.filter
def kpi_url(figure: Any) -> str:
    """The page of the figure's KPI, at the figure's period and part of the company; "" for a KSF."""
    return _figure_url("kpi", figure) if figure.is_measured else ""


@register.filter
def records_url(figure: Any) -> str:
    """The records behind the figure."""
    return _figure_url("kpi-records", figure)


def _figure_url(name: str, figure: Any) -> str:
    query = {"grain": figure.grain, "start": figure.period_start.isoformat()}
    if figure.member_code is not None:
        query["segment"] = f"{figure.dimension}:{figure.member_code}"
    if figure.org != "then":
        query["org"] = figure.org
    return f"{reverse(name, args=[figure.node_id])}?{urlencode(query)}"


@register.filter
def resource_names(facts: list[str]) -> str:
    """The kinds of data a source delivers, in words."""
    return ("、" if language_code() == "ja" else ", ").join(str(RESOURCE_WORDS.get(fact, fact)) for fact in facts)


@register.filter
def resource_name(fact: str) -> str:
    """One kind of data in words."""
    return resource_names([fact])


@register.filter
def absence_text(code: str | None, cases: formats.Number | None = None) -> str:
    """Why there is no number; also how many cases there are where those are too few, or how many lack a cost."""
    word = str(ABSENCE_WORDS.get(code or "missing", code))
    if cases is None:
        return word
    is_few = code == Absence.TOO_FEW
    sentence = _("%(reason)s (n = %(count)s)") if is_few else _("%(reason)s (%(count)s without a cost)")
    return sentence % {"reason": word, "count": formats.grouped(cases, places=0, language=language_code())}


@register.filter
def status_text(status: str) -> str:
    return str(STATUS_WORDS.get(status, ""))


@register.filter
def moment_text(moment: datetime | None) -> str:
    return formats.write_moment(timezone.localtime(moment), language=language_code()) if moment else ""


@register.filter
def date_text(day: date | None) -> str:
    return formats.write_date(day, language=language_code()) if day else ""


@register.filter
def short_date(day: date | None) -> str:
    return formats.write_date(day, language=language_code(), short=True) if day else ""


@register.filter
def exact(value: formats.Number | None) -> str:
    """The number in full for scripts, whatever the page's language and scale; nothing where there is none."""
    if value is None:
        return ""
    text = f"{formats.as_decimal(value):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@register.filter
def expected(value: formats.Number | None, unit: str) -> formats.Number | None:
    """A landing as it is shown."""
    return None if value is None else formats.expected(value, unit)


@register.simple_tag
def expected_distance(distance: formats.Number | None, value: formats.Number, unit: str) -> formats.Number | None:
    """How far a landing lies from its target, by the number that is shown of it."""
    return None if distance is None else formats.expected_distance(distance, value, unit)


@register.filter
def size(value: formats.Number) -> formats.Number:
    """The number without its sign, where a sentence says the direction."""
    return abs(value)


@register.filter
def zipped(row: Any, columns: Any) -> list[tuple[Any, Any]]:
    """Each column of a table with the row's cell in it."""
    return list(zip(columns, row.cells, strict=True))
