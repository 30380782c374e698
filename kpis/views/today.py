"""The first page of the day."""

from collections.abc import Sequence

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from kpis.models import KpiTree
from kpis.selectors.today import active_trees, read_today
from kpis.selectors.visibility import sight_of
from kpis.views.refreshing import refreshing
from tenants.capabilities import Capability, Scope, has_capability, require, scope_of
from tenants.registry import panels_of


@login_required
@require_GET
@refreshing
def today(request: HttpRequest) -> HttpResponse:
    """Where things stand, what asks for an answer, whose numbers; `?tree=` chooses among several trees in force."""
    if not has_capability(request.user, Capability.READ_RESULTS) and has_capability(request.user, Capability.USE_ADMIN):
        return redirect("admin:index")
    require(request.user, Capability.READ_RESULTS)
    now = timezone.now()
    trees = active_trees(today=timezone.localdate(now))
    sight = sight_of(user=request.user, today=timezone.localdate(now))
    scope = scope_of(request.user, Capability.READ_PERSON_RESULTS)
    page = read_today(
        user=request.user, scope=Scope(scope), sight=sight, now=now, trees=trees, tree=_chosen(request, trees)
    )
    context = {"today": page, "currency": page.currency, "panels": panels_of("today", request)}
    return render(request, "kpis/today.html", context)


def _chosen(request: HttpRequest, trees: Sequence[KpiTree]) -> KpiTree | None:
    """The tree that is asked for; None for none. Raises Http404 where no such tree is in force."""
    asked = request.GET.get("tree")
    if not asked:
        return None
    found = next((tree for tree in trees if str(tree.public_id) == asked), None)
    if found is None:
        raise Http404(_("This KPI tree is not in force. Choose another one."))
    return found
