"""Segments that the company names: which custom field fills each of the five."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from kpis.forms.segments import FIELD_LIST, SegmentForm
from kpis.models import Dimension
from kpis.models.resources import MODELS
from kpis.selectors.segments import SAMPLED, SegmentField, list_segments, read_fields, segment_remarks
from kpis.services.segments import SegmentError, set_segment
from tenants.capabilities import Capability, require

UNPROCESSABLE = 422


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def segments(request: HttpRequest) -> HttpResponse:
    """The five segments and the fields that records have; POST keeps or stops the one named by `segment=`."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    rows = list_segments()
    chosen = _chosen(request, rows) if request.method == "POST" else None
    forms = [SegmentForm(request.POST if row == chosen else None, segment=row) for row in rows]
    if chosen is not None and _change(request, next(form for form in forms if form.segment == chosen)):
        return redirect("segments")
    filled = {row.attribute: row for row in rows if row.is_active}
    page = {
        "forms": forms,
        "list": FIELD_LIST,
        "sampled": SAMPLED,
        "fields": [_shown(each, filled.get(each.key)) for each in read_fields()],
    }
    return render(request, "kpis/company_segments.html", {"page": page}, status=UNPROCESSABLE if chosen else None)


def _chosen(request: HttpRequest, rows: list[Dimension]) -> Dimension:
    found = next((row for row in rows if row.code == request.POST.get("segment")), None)
    if found is None:
        raise Http404
    return found


def _change(request: HttpRequest, form: SegmentForm) -> bool:
    """Do what was asked and say so; False where the form says what is wrong."""
    code, who = form.segment.code, {"actor": request.user, "now": timezone.now()}
    if request.POST.get("act") == "stop":
        segment = set_segment(code=code, is_active=False, **who)
        messages.success(request, _("%(name)s is not in use any more.") % {"name": segment})
        return True
    if not form.is_valid():
        return False
    try:
        segment = set_segment(code=code, **form.cleaned_data, **who)
    except SegmentError as refusal:
        for issue in refusal.issues:
            form.add_error(issue.field, issue.translated(_))
        return False
    kept = _("%(name)s is kept. Numbers by it appear as soon as the records have been looked at again.")
    messages.success(request, kept % {"name": segment})
    for remark in segment_remarks(segment):
        messages.warning(request, remark)
    return True


def _shown(field: SegmentField, segment: Dimension | None) -> dict[str, Any]:
    """One field with its records in words, and the segment that it fills already."""
    parts = [(MODELS[name]._meta.verbose_name, count) for name, count in field.by_resource.items()]
    return {"field": field, "parts": sorted(parts, key=lambda part: -part[1]), "segment": segment}
