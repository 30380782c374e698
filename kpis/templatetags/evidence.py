"""Words of evidence: what a number was and is, why it differs, and what happened to a record."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from django import template
from django.template import Context
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from kpis.engine import formats
from kpis.engine.cells import Cell
from kpis.engine.evidence import CauseCount, Happening
from kpis.models.resources import MODELS
from kpis.selectors.changes import RecordChange
from kpis.services.evidence import ChangedRecord, Evidence
from kpis.templatetags.kpi import ABSENCE_WORDS, RESOURCE_WORDS, amount_style, language_code, plain_number, unit_word

register = template.Library()

MEETING, CLOSING = "meeting", "closing"
THEN_WORDS = {
    MEETING: gettext_lazy("At the meeting %(then)s → now %(now)s"),
    CLOSING: gettext_lazy("At closing %(then)s → now %(now)s"),
    "": gettext_lazy("Then %(then)s → now %(now)s"),
}
ACTION_WORDS = {
    "arrived": pgettext_lazy("what happened to a fact", "Added"),
    "updated": pgettext_lazy("what happened to a fact", "Changed"),
    "deleted": gettext_lazy("Deleted"),
    "restored": gettext_lazy("Restored"),
}
SIDE_WORDS = {
    "numerator": gettext_lazy("Numerator"),
    "denominator": gettext_lazy("Denominator"),
    "mrr": gettext_lazy("Monthly amounts at the start"),
    "customers": gettext_lazy("Customers at the start"),
    "lost": gettext_lazy("Lost customers"),
    "gross_profit": gettext_lazy("Gross profit"),
    "revenue": gettext_lazy("Revenue"),
}


def evidence_text(evidence: Evidence, *, unit: str, currency: str, scale: str, kind: str = "") -> str:
    """One sentence: what the number was, what it is, and how many records explain the difference."""

    def written(cell: Cell) -> str:
        return _cell_text(cell, unit, {"currency": currency, "scale": scale, "language": language_code()})

    moved = str(THEN_WORDS[kind]) % {"then": written(evidence.then), "now": written(evidence.now)}
    if not evidence.causes:
        return _("%(moved)s: no record behind it was changed") % {"moved": moved}
    causes = _listed(cause_text(each, evidence.facts) for each in evidence.causes)
    return _("%(moved)s: %(causes)s") % {"moved": moved, "causes": causes}


@register.simple_tag(takes_context=True)
def evidence_sentence(context: Context, evidence: Evidence, unit: str, kind: str = "") -> str:
    """The same on a page, in the currency and scale of its reader."""
    style = amount_style(context, None)
    return evidence_text(evidence, unit=unit, currency=style["currency"], scale=style["scale"], kind=kind)


def cause_text(counted: CauseCount, facts: Sequence[str]) -> str:
    """How many records one cause explains, as "3 × Close date changed"; they are of one of these kinds."""
    count, name = counted.count, counted.cause.name
    match counted.cause.happening:
        case Happening.ARRIVED:
            text = ngettext("%(count)s record added", "%(count)s records added", count)
        case Happening.DELETED:
            text = ngettext("%(count)s record deleted", "%(count)s records deleted", count)
        case Happening.RESTORED:
            text = ngettext("%(count)s record restored", "%(count)s records restored", count)
        case Happening.CHANGED:
            text = ngettext("%(name)s changed in %(count)s record", "%(name)s changed in %(count)s records", count)
            name = next((words for fact in facts if (words := field_words(fact, name)) != name), name)
        case Happening.LINKED:
            text = ngettext(
                "%(count)s record through changed %(name)s", "%(count)s records through changed %(name)s", count
            )
            name = str(RESOURCE_WORDS.get(name, name))
        case Happening.UNKNOWN:
            text = ngettext("%(count)s record without a history", "%(count)s records without a history", count)
    return text % {"count": count, "name": name}


@register.filter
def cause_words(record: ChangedRecord) -> str:
    """Why one record counts otherwise, without a number."""
    cause = record.cause
    if cause.happening is Happening.CHANGED:
        return field_words(record.fact, cause.name)
    if cause.happening is Happening.LINKED:
        return str(RESOURCE_WORDS.get(cause.name, cause.name))
    return str(ACTION_WORDS.get(cause.happening.value, _("No history is kept")))


@register.filter
def action_words(change: RecordChange) -> str:
    """What happened to a record, as one word."""
    return str(ACTION_WORDS.get(change.action, change.action))


@register.filter
def changed_fields(change: RecordChange) -> list[tuple[str, str, str]]:
    """Field, old and new of one change, as people read them."""
    return [
        (field_words(change.fact, name), _value_text(change.fact, name, old), _value_text(change.fact, name, new))
        for name, (old, new) in change.changes.items()
    ]


@register.filter
def side_words(side: str) -> str:
    """What stands on a side of a number."""
    return str(SIDE_WORDS[side])


@register.simple_tag(takes_context=True)
def cell_text(context: Context, cell: Cell, unit: str) -> str:
    """A value of a cell as text, or the word of its absence."""
    return _cell_text(cell, unit, amount_style(context, None))


@register.simple_tag(takes_context=True)
def part_text(context: Context, record: ChangedRecord, when: str) -> str:
    """A record's part before or after: what is measured of it, else its share, else that it was not counted."""
    part = record.before if when == "before" else record.after
    if part is None:
        return _("not counted")
    if part.measured is not None and record.is_money:
        return plain_number(context, part.measured, "amount")
    number = part.weight if part.measured is None else part.measured
    return formats.grouped(number, places=formats.count_places(round(number, 2)), language=language_code())


def field_words(fact: str, name: str) -> str:
    """A field of a fact by the name that people know it by."""
    model = MODELS[fact]
    if name in {each.name for each in model._meta.get_fields()}:
        return str(getattr(model._meta.get_field(name), "verbose_name", name))
    return name


def _cell_text(cell: Cell, unit: str, style: dict[str, str]) -> str:
    if not isinstance(cell.value, Decimal):
        return str(ABSENCE_WORDS.get(str(cell.value), cell.value))
    written = formats.write_number(cell.value, unit=unit, **style)
    if unit == "count":
        return ngettext("%(number)s case", "%(number)s cases", int(cell.value)) % {"number": written.text}
    space = "" if language_code() == "ja" or written.unit == "percent" else " "
    return f"{written.text}{space}{unit_word(written.unit)}".strip()


def _value_text(fact: str, name: str, value: Any) -> str:
    """A remembered value: references by their id at the source, choices by their word, nothing as a dash."""
    if value in (None, "", [], {}):
        return "—"
    if isinstance(value, list):
        return str(value[-1]) if name in _refs(fact) else _listed(map(str, value))
    if isinstance(value, dict):
        return _listed(f"{key}: {each}" for key, each in value.items())
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = Decimal(str(value))
        return formats.grouped(number, places=formats.count_places(round(number, 2)), language=language_code())
    if isinstance(value, str) and (day := _day(value)):
        return day
    model = MODELS[fact]
    if name in {each.name for each in model._meta.get_fields()}:
        choices = dict(getattr(model._meta.get_field(name), "flatchoices", None) or ())
        return str(choices.get(value, value))
    return str(value)


def _refs(fact: str) -> set[str]:
    return {each.name for each in MODELS[fact]._meta.get_fields() if each.is_relation}


def _day(text: str) -> str:
    try:
        day = parse_date(text)
    except ValueError:
        return ""
    return formats.write_date(day, language=language_code()) if day else ""


def _listed(parts: Iterable[str]) -> str:
    return ("、" if language_code() == "ja" else ", ").join(parts)
