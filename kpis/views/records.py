"""The records behind one number, page by page."""

import uuid

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from kpis.choices import DimensionCode, Unit
from kpis.engine.specs import Simple
from kpis.selectors.records import DENOMINATOR, NUMERATOR, find_term, read_records
from kpis.selectors.visibility import sight_of
from kpis.views.choices import Choice, address, chosen_period, chosen_segment
from kpis.views.details import find_node
from tenants.capabilities import Capability, require
from tenants.settings.selectors import company_settings

PAGE = 10


@login_required
@require_GET
def records(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Ten facts at a time, with their links to the system they came from; a table alone for htmx."""
    require(request.user, Capability.READ_RESULTS)
    today = timezone.localdate()
    node = find_node(public_id)
    sight = sight_of(user=request.user, today=today)
    segment = chosen_segment(request, sight)
    period = chosen_period(request, node.tree, today=today)
    terms = {side: find_term(node.metric, day=period.start_date, side=side) for side in (NUMERATOR, DENOMINATOR)}
    side = DENOMINATOR if request.GET.get("side") == DENOMINATOR and terms[DENOMINATOR] else NUMERATOR
    offset = _offset(request)
    term = terms[side]
    people = sight.members.get(DimensionCode.PERSON)
    found = term and read_records(
        term=term,
        period=period,
        dimension=segment.dimension,
        member=segment.member,
        people=people,
        offset=offset,
        limit=PAGE,
    )
    count = found.count if found else 0
    page = {
        "node": node,
        "found": found,
        "count": count,
        "sides": _sides(request, terms, side),
        "member": segment.member,
        "is_narrowed": people is not None,
        "all_url": address(request, segment=None, offset=None),
        "first": offset + 1,
        "last": min(offset + PAGE, count),
        "previous_url": address(request, offset=str(max(offset - PAGE, 0))) if offset else "",
        "next_url": address(request, offset=str(offset + PAGE)) if offset + PAGE < count else "",
        "has_amounts": any(row.amount is not None for row in found.records) if found else False,
        "is_amount": node.metric.unit == Unit.AMOUNT,
    }
    return render(request, "kpis/records.html", {"page": page, "currency": company_settings().currency})


def _offset(request: HttpRequest) -> int:
    asked = request.GET.get("offset", "")
    return int(asked) if asked.isdecimal() and len(asked) < 8 else 0


def _sides(request: HttpRequest, terms: dict[str, Simple | None], current: str) -> list[Choice]:
    """A choice only where a number has two sides."""
    if not (terms[NUMERATOR] and terms[DENOMINATOR]):
        return []
    words = {NUMERATOR: _("Numerator"), DENOMINATOR: _("Denominator")}
    return [Choice(words[side], address(request, side=side, offset=None), side == current) for side in words]
