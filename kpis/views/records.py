"""The records behind one number, page by page, as they are and as they were when the number was noted."""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from kpis.choices import DimensionCode, Unit
from kpis.engine.sides import Counted, Side, Sides
from kpis.engine.specs import Clv, Formula, Manual, Repeat, Retention, Snapshot
from kpis.engine.values import Absence
from kpis.models import KpiNode, Metric, MetricSnapshot, Period
from kpis.selectors.details import Segment
from kpis.selectors.grounds import (
    CellAddress,
    find_kept,
    find_operand,
    find_sides,
    find_spec,
    is_of_money,
    read_operands,
    read_side,
)
from kpis.selectors.joining import Origin, read_origins
from kpis.selectors.locked import CLOSING
from kpis.selectors.parallel import find_candidate
from kpis.selectors.records import Record, RecordPage, Where
from kpis.selectors.restatements import find_refusal
from kpis.selectors.visibility import Sight, sight_of
from kpis.services.evidence import Evidence, HistoryError, compare_with_past, read_side_as_of
from kpis.templatetags.evidence import side_words
from kpis.templatetags.kpi import language_code
from kpis.views.choices import Choice, address, chosen_period, chosen_segment
from kpis.views.details import find_node
from tenants.capabilities import Capability, has_capability, require
from tenants.registry import NotedNumber, noted_numbers
from tenants.settings.selectors import company_settings

PAGE = 10
# Locked numbers are kept with so many decimals; less than this is the same number.
ROUNDING = 8


@dataclass(frozen=True)
class Place:
    """Which cell the page is about, and for whom; `metric` is the node's, or one that its formula is made of."""

    node: KpiNode
    metric: Metric
    period: Period
    segment: Segment
    sight: Sight

    @property
    def cell(self) -> CellAddress:
        return CellAddress(self.metric, self.period, self.segment.dimension, self.segment.member, self.segment.org)

    @property
    def people(self) -> Collection[int] | None:
        return self.sight.members.get(DimensionCode.PERSON)


@login_required
@require_GET
def records(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Ten records at a time, with their links to the system they came from; a table alone for htmx."""
    require(request.user, Capability.READ_RESULTS)
    today = timezone.localdate()
    node = find_node(public_id)
    sight = sight_of(user=request.user, today=today)
    period = chosen_period(request, node.tree, today=today)
    place = Place(node, _chosen_metric(request, node, period), period, chosen_segment(request, sight), sight)
    kept = find_kept(place.cell, node.tree)
    sides = {} if _is_kept(place) and kept is None else find_sides(place.metric, period)
    name = request.GET.get("side", "")
    name = name if name in sides else next(iter(sides), "")
    is_noted = place.metric == node.metric and place.segment.org == "then"  # what was noted is of the teams of then
    noted = _noted(place) if is_noted and not _is_kept(place) else []
    chosen = _chosen_note(request, noted)
    past = _read_past(place, chosen)
    found = _Found()
    if name and not past.get("refusal"):
        moment = kept.taken_at if kept else chosen.at if chosen else None
        found = _read(place, sides[name], moment, _offset(request))
    page = {
        "node": node,
        "operand": place.metric if place.metric != node.metric else None,
        "sides": _sides(request, sides, name),
        "moments": _moments(request, noted, chosen),
        "past": past,
        "member": place.segment.member,
        "is_narrowed": DimensionCode.PERSON in sight.members,
        "all_url": address(request, segment=None, offset=None),
        "node_url": address(request, operand=None, side=None, offset=None),
        "operands": _operands(request, place),
        "formula": _formula_words(place),
        "kept": kept,
        "refusal": found.refusal,
        "explanation": "" if sides else _explained(place, kept),
        **_page_of(request, found.page, sides.get(name)),
    }
    return render(request, "kpis/records.html", {"page": page, "currency": company_settings().currency})


def _chosen_metric(request: HttpRequest, node: KpiNode, period: Period) -> Metric:
    """`?operand=`: a metric of the node's formula, or one that is set beside it; without it its own. Raises Http404."""
    assert node.metric is not None
    code = request.GET.get("operand", "")
    if not code:
        return node.metric
    found = find_operand(node.metric, code, day=period.start_date) or find_candidate(node.metric, code)
    if found is None:
        raise Http404(_("The formula of %(node)s names no metric %(code)s.") % {"node": node.code, "code": code})
    return found


@dataclass(frozen=True)
class _Found:
    """The records that were read, or the words of why they cannot be told."""

    page: RecordPage | None = None
    refusal: str = ""


def _read(place: Place, side: Side, moment: datetime | None, offset: int) -> _Found:
    """The records of a side, as of the moment if there is one."""
    where = Where(place.segment.dimension, place.segment.member, place.people, place.segment.org)
    try:
        if moment is None:
            return _Found(read_side(side, place.period, where, offset=offset, limit=PAGE))
        found = read_side_as_of(
            moment=moment, now=timezone.now(), side=side, period=place.period, where=where, offset=offset, limit=PAGE
        )
        return _Found(found)
    except HistoryError as refusal:
        return _Found(refusal=str(refusal))


def _page_of(request: HttpRequest, found: RecordPage | None, side: Side | None) -> dict[str, Any]:
    offset, count = _offset(request), found.count if found else 0
    rows = found.records if found else ()
    is_money = side is not None and is_of_money(side)
    return {
        "found": found,
        "rows": _with_origins(rows),
        "may_unlink": has_capability(request.user, Capability.MANAGE_DEFINITIONS),
        "count": count,
        "first": offset + 1,
        "last": min(offset + PAGE, count),
        "previous_url": address(request, offset=str(max(offset - PAGE, 0))) if offset else "",
        "next_url": address(request, offset=str(offset + PAGE)) if offset + PAGE < count else "",
        "has_amounts": any(row.amount is not None for row in rows),
        "has_changes": any(row.before is not None for row in rows),
        "has_shares": any(row.share not in (row.weight, row.amount, row.before) for row in rows),
        "share_unit": Unit.AMOUNT if is_money else Unit.COUNT,
        "is_money": is_money,
        "is_median": isinstance(side, Counted) and side.is_median,
    }


def _with_origins(rows: Sequence[Record]) -> list[tuple[Record, Origin | None]]:
    """Each record, a deal with the lead that it came from."""
    origins = read_origins([(row.source, row.external_id) for row in rows if row.fact == "deals"])
    return [(row, origins.get((row.source, row.external_id)) if row.fact == "deals" else None) for row in rows]


def _operands(request: HttpRequest, place: Place) -> list[dict[str, Any]]:
    """The metrics of a formula, each with its value and the address of its own records."""
    return [
        {
            "metric": each.metric,
            "value": None if isinstance(each.cell.value, Absence) else each.cell.value,
            "absence": str(each.cell.value) if isinstance(each.cell.value, Absence) else "",
            "url": address(request, operand=each.metric.code, side=None, offset=None, as_of=None),
        }
        for each in read_operands(place.cell, place.node.tree, now=timezone.now())
    ]


def _formula_words(place: Place) -> str:
    """How the value follows from what is listed, where it is more than one part divided by another."""
    match find_spec(place.metric, day=place.period.start_date):
        case Clv("subscription", years=years):
            return _(
                "Monthly amounts × 12 ÷ customers at the start × gross profit ÷ revenue × the years a customer stays:"
                " customers at the start ÷ lost customers a year, at most %(years)s."
            ) % {"years": years}
        case _:
            return ""


def _is_kept(place: Place) -> bool:
    """Whether the number is one that is written down every day."""
    return isinstance(find_spec(place.metric, day=place.period.start_date), Snapshot)


def _explained(place: Place, kept: MetricSnapshot | None) -> str:
    """Why there are no records to list; nothing where others are named in their place."""
    match find_spec(place.metric, day=place.period.start_date):
        case Manual():
            return _("This number is typed by hand, so no records stand behind it.")
        case Snapshot() if kept is None:
            return _("Nothing was written down of this number in this period, so it has no records.")
        case Snapshot():
            return _("Of this number what was written down on the day is kept, not the records that it was made of.")
        case Retention() | Repeat() | Clv():
            return _("This number is measured by the month and longer. Choose a month to see its records.")
        case Formula():
            return ""
        case _:
            return _("This number has no definition yet, so no records stand behind it.")


def _noted(place: Place) -> list[NotedNumber]:
    return noted_numbers(node=place.node, period=place.period, segment=place.segment, language=language_code())


def _read_past(place: Place, chosen: NotedNumber | None) -> dict[str, Any]:
    """The number then and now, or the words of why that cannot be told; nothing where now is chosen."""
    if chosen is None:
        return {}
    try:
        found = compare_with_past(place.cell, moment=chosen.at, people=place.people, now=timezone.now())
    except HistoryError as refusal:
        return {"note": chosen, "refusal": str(refusal)}
    return {
        "note": chosen,
        "evidence": found,
        "is_otherwise_noted": found is not None and _is_other(found, chosen),
        "refusal_of": find_refusal(place.node, place.period, place.segment.dimension, place.segment.member)
        if chosen.kind == CLOSING
        else None,
    }


def _is_other(found: Evidence, noted: NotedNumber) -> bool:
    """Whether what was noted is not what the records of that moment give."""
    value = found.then.value if not isinstance(found.then.value, str) else None
    if value is None or noted.value is None:
        return value is not noted.value
    return round(value, ROUNDING) != round(noted.value, ROUNDING)


def _chosen_note(request: HttpRequest, noted: list[NotedNumber]) -> NotedNumber | None:
    """`?as_of=`: one of the moments that were noted; now without it."""
    try:
        asked = parse_datetime(request.GET.get("as_of", ""))
    except ValueError:
        asked = None
    return next((each for each in noted if each.at == asked), None)


def _moments(request: HttpRequest, noted: list[NotedNumber], chosen: NotedNumber | None) -> list[Choice]:
    """A choice only where the number was noted."""
    if not noted:
        return []
    now = Choice(_("Now"), address(request, as_of=None, offset=None), chosen is None)
    return [
        now,
        *(
            Choice(str(each.label), address(request, as_of=each.at.isoformat(), offset=None), each == chosen)
            for each in noted
        ),
    ]


def _offset(request: HttpRequest) -> int:
    asked = request.GET.get("offset", "")
    return int(asked) if asked.isdecimal() and len(asked) < 8 else 0


def _sides(request: HttpRequest, sides: Sides, current: str) -> list[Choice]:
    """A choice only where a number has several sides."""
    if len(sides) < 2:
        return []
    return [Choice(side_words(name), address(request, side=name, offset=None), name == current) for name in sides]
