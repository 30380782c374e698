"""Target change requests: what waits for me, what I proposed, and one of them with every difference."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from kpis.choices import RequestStatus
from kpis.models import TargetRequest
from kpis.selectors.approvals import Approver
from kpis.selectors.target_requests import (
    RequestItem,
    grouped,
    read_differences,
    read_item,
    read_requests,
    visible_requests,
)
from kpis.services.refusal import RefusedError
from kpis.services.target_requests import approve_request, return_request, withdraw_request
from tenants.capabilities import Capability, require
from tenants.settings.selectors import company_settings

UNPROCESSABLE = 422


@login_required
@require_GET
def requests(request: HttpRequest) -> HttpResponse:
    """Open requests, those that wait for the reader first, then the latest that are settled."""
    require(request.user, Capability.SET_TARGETS)
    items = read_requests(approver=_approver(request))
    asks = [item for item in items if item.is_for_me or item.is_to_be_answered]
    others = [item for item in items if item not in asks]
    page = {
        "asks": asks,
        "waiting": [item for item in others if item.row.is_waiting],
        "settled": [item for item in others if not item.row.is_waiting],
    }
    return render(request, "kpis/target_requests.html", {"page": page})


@login_required
@require_GET
def target_request(request: HttpRequest, public_id: Any) -> HttpResponse:
    """One request, cell by cell: 当初, 現行, 提案."""
    require(request.user, Capability.SET_TARGETS)
    return _shown(request, _item(request, public_id))


@login_required
@require_POST
def target_request_decide(request: HttpRequest, public_id: Any) -> HttpResponse:
    """Approve, return or withdraw, as the button that was pressed says."""
    require(request.user, Capability.SET_TARGETS)
    item = _item(request, public_id)
    verdict = request.POST.get("verdict", "")
    decide = _VERDICTS.get(verdict)
    if decide is None:
        return redirect("target-request", public_id=public_id)
    try:
        row = decide(request, item.row)
    except RefusedError as refusal:
        return _shown(request, _item(request, public_id), error=str(refusal))
    messages.success(request, _said(row))
    return redirect("target-requests")


def _approve(request: HttpRequest, row: TargetRequest) -> TargetRequest:
    comment = request.POST.get("comment", "")
    return approve_request(request=row, comment=comment, actor=request.user, now=timezone.now())


def _return(request: HttpRequest, row: TargetRequest) -> TargetRequest:
    comment = request.POST.get("comment", "")
    return return_request(request=row, comment=comment, actor=request.user, now=timezone.now())


def _withdraw(request: HttpRequest, row: TargetRequest) -> TargetRequest:
    return withdraw_request(request=row, actor=request.user)


_VERDICTS: dict[str, Callable[[HttpRequest, TargetRequest], TargetRequest]] = {
    "approve": _approve,
    "return": _return,
    "withdraw": _withdraw,
}


def _said(row: TargetRequest) -> str:
    return {
        RequestStatus.WAITING: _("Your approval is noted. The next step is an owner's."),
        RequestStatus.APPROVED: _("Approved. The targets hold from their periods on."),
        RequestStatus.RETURNED: _("Returned. Who proposed it sees your comment."),
        RequestStatus.WITHDRAWN: _("Withdrawn. The current targets stay in force."),
    }[RequestStatus(row.status)]


def _approver(request: HttpRequest) -> Approver:
    return Approver.load(user=request.user, today=timezone.localdate())


def _item(request: HttpRequest, public_id: Any) -> RequestItem:
    approver = _approver(request)
    row = get_object_or_404(visible_requests(approver=approver), public_id=public_id)
    return read_item(row, approver=approver)


def _shown(request: HttpRequest, item: RequestItem, *, error: str = "") -> HttpResponse:
    page = {
        "item": item,
        "groups": grouped(read_differences(item.row)),
        "answer_url": _answer_url(item.row) if item.is_to_be_answered else "",
        "error": error,
        "comment": request.POST.get("comment", ""),
    }
    context = {"page": page, "currency": company_settings().currency}
    return render(request, "kpis/target_request.html", context, status=UNPROCESSABLE if error else None)


def _answer_url(row: TargetRequest) -> str:
    """The grid that shows what was proposed, to be proposed anew."""
    cell = row.cells.all()[0]
    asked = {"tree": row.tree.public_id, "line": cell.line, "answers": row.public_id}
    if cell.member is None:
        asked["grain"] = cell.node.frequency
    else:
        asked |= {"by": cell.dimension, "kpi": cell.node.code}
    return f"{reverse('target-grid')}?{urlencode(asked)}"
