"""The first page of the day."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from kpis.selectors.today import read_today
from kpis.selectors.visibility import sight_of
from tenants.capabilities import Capability, Scope, has_capability, require, scope_of
from tenants.registry import panels_of


@login_required
@require_GET
def today(request: HttpRequest) -> HttpResponse:
    """Where things stand, what asks for an answer, whose numbers."""
    if not has_capability(request.user, Capability.READ_RESULTS) and has_capability(request.user, Capability.USE_ADMIN):
        return redirect("admin:index")
    require(request.user, Capability.READ_RESULTS)
    now = timezone.now()
    sight = sight_of(user=request.user, today=timezone.localdate(now))
    scope = scope_of(request.user, Capability.READ_PERSON_RESULTS)
    page = read_today(user=request.user, scope=Scope(scope), sight=sight, now=now)
    context = {"today": page, "currency": page.currency, "panels": panels_of("today", request)}
    return render(request, "kpis/today.html", context)
