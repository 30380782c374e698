"""The own targets of the year with 「確認しました」, and for a manager who has confirmed theirs."""

from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from kpis.choices import DimensionCode
from kpis.selectors.confirmations import read_confirmations, read_own_targets
from kpis.selectors.visibility import sight_of
from kpis.services.confirmations import confirm_targets
from kpis.views.target_grid import chosen_tree
from tenants.capabilities import Capability, require
from tenants.settings.selectors import company_settings


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def own(request: HttpRequest) -> HttpResponse:
    """The reader's targets of the current year; POST confirms them as they were shown."""
    require(request.user, Capability.READ_PERSON_RESULTS)
    targets = read_own_targets(user=request.user, today=timezone.localdate())
    if request.method == "POST":
        seen_at = _moment(request.POST.get("seen_at", ""))
        if targets is not None and seen_at is not None:
            confirm_targets(tree=targets.tree, seen_at=seen_at, actor=request.user, now=timezone.now())
            messages.success(request, _("Thank you. Your manager sees that you have confirmed your targets."))
        return redirect("targets-own")
    context = {"page": {"targets": targets}, "currency": company_settings().currency}
    return render(request, "kpis/targets_own.html", context)


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment is not None and timezone.is_aware(moment) else None


@login_required
@require_GET
def confirmations(request: HttpRequest) -> HttpResponse:
    """Who has confirmed the own targets, and who has not."""
    require(request.user, Capability.SET_TARGETS)
    tree = chosen_tree(request)
    sight = sight_of(user=request.user, today=timezone.localdate())
    members = sight.members.get(DimensionCode.PERSON)
    rows = read_confirmations(tree=tree, members=members) if tree else []
    waiting = sum(row.unconfirmed_count > 0 for row in rows)
    page = {"tree": tree, "rows": rows, "waiting": waiting, "confirmed": len(rows) - waiting}
    return render(request, "kpis/target_confirmations.html", {"page": page})
