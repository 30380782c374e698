"""The records behind one number, page by page, as they are and as they were when the number was noted."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from kpis.choices import DimensionCode, Unit
from kpis.engine.specs import Simple
from kpis.models import KpiNode, Period
from kpis.selectors.details import Segment
from kpis.selectors.locked import CLOSING
from kpis.selectors.records import DENOMINATOR, NUMERATOR, RecordPage, find_term, read_records
from kpis.selectors.restatements import find_refusal
from kpis.selectors.visibility import Sight, sight_of
from kpis.services.evidence import CellAddress, Evidence, HistoryError, compare_with_past, read_records_as_of
from kpis.templatetags.kpi import language_code
from kpis.views.choices import Choice, address, chosen_period, chosen_segment
from kpis.views.details import find_node
from tenants.capabilities import Capability, require
from tenants.registry import NotedNumber, noted_numbers
from tenants.settings.selectors import company_settings

PAGE = 10
# Locked numbers are kept with so many decimals; less than this is the same number.
ROUNDING = 8


@dataclass(frozen=True)
class Place:
    """Which cell the page is about, and for whom."""

    node: KpiNode
    period: Period
    segment: Segment
    sight: Sight


@login_required
@require_GET
def records(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Ten facts at a time, with their links to the system they came from; a table alone for htmx."""
    require(request.user, Capability.READ_RESULTS)
    today = timezone.localdate()
    node = find_node(public_id)
    sight = sight_of(user=request.user, today=today)
    place = Place(node, chosen_period(request, node.tree, today=today), chosen_segment(request, sight), sight)
    day = place.period.start_date
    terms = {side: find_term(node.metric, day=day, side=side) for side in (NUMERATOR, DENOMINATOR)}
    side = DENOMINATOR if request.GET.get("side") == DENOMINATOR and terms[DENOMINATOR] else NUMERATOR
    noted = noted_numbers(node=node, period=place.period, segment=place.segment, language=language_code())
    chosen = _chosen_note(request, noted)
    past = _read_past(place, chosen)
    page = {
        "node": node,
        "sides": _sides(request, terms, side),
        "moments": _moments(request, noted, chosen),
        "past": past,
        "member": place.segment.member,
        "is_narrowed": DimensionCode.PERSON in sight.members,
        "all_url": address(request, segment=None, offset=None),
        "is_amount": node.metric.unit == Unit.AMOUNT,
        **_page_of(request, _read(place, terms[side], chosen.at if chosen else None, _offset(request), past)),
    }
    return render(request, "kpis/records.html", {"page": page, "currency": company_settings().currency})


def _read(
    place: Place, term: Simple | None, moment: datetime | None, offset: int, past: dict[str, Any]
) -> RecordPage | None:
    """The records of the side; none where nothing is known of the moment."""
    if term is None or past.get("refusal"):
        return None
    read = partial(read_records_as_of, moment=moment, now=timezone.now()) if moment else read_records
    return read(
        term=term,
        period=place.period,
        dimension=place.segment.dimension,
        member=place.segment.member,
        people=place.sight.members.get(DimensionCode.PERSON),
        offset=offset,
        limit=PAGE,
    )


def _page_of(request: HttpRequest, found: RecordPage | None) -> dict[str, Any]:
    offset, count = _offset(request), found.count if found else 0
    return {
        "found": found,
        "count": count,
        "first": offset + 1,
        "last": min(offset + PAGE, count),
        "previous_url": address(request, offset=str(max(offset - PAGE, 0))) if offset else "",
        "next_url": address(request, offset=str(offset + PAGE)) if offset + PAGE < count else "",
        "has_amounts": any(row.amount is not None for row in found.records) if found else False,
    }


def _read_past(place: Place, chosen: NotedNumber | None) -> dict[str, Any]:
    """The number then and now, or the words of why that cannot be told; nothing where now is chosen."""
    if chosen is None:
        return {}
    metric = place.node.metric
    assert metric is not None
    cell = CellAddress(metric, place.period, place.segment.dimension, place.segment.member)
    people = place.sight.members.get(DimensionCode.PERSON)
    try:
        found = compare_with_past(cell, moment=chosen.at, people=people, now=timezone.now())
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


def _sides(request: HttpRequest, terms: dict[str, Simple | None], current: str) -> list[Choice]:
    """A choice only where a number has two sides."""
    if not (terms[NUMERATOR] and terms[DENOMINATOR]):
        return []
    words = {NUMERATOR: _("Numerator"), DENOMINATOR: _("Denominator")}
    return [Choice(words[side], address(request, side=side, offset=None), side == current) for side in words]
