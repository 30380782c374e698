"""All deals to check, of whom the reader may see."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from kpis.engine.landing import Fault
from kpis.selectors.deals import DealsToCheck, read_deals_to_check
from kpis.selectors.streams import read_facts
from kpis.selectors.visibility import sight_of
from kpis.templatetags.forecast import fault_text
from kpis.templatetags.kpi import grouped
from kpis.views.choices import Choice, address
from tenants.capabilities import Capability, require
from tenants.settings.selectors import company_settings

SHOWN = 300


@login_required
@require_safe
def deals_to_check(request: HttpRequest) -> HttpResponse:
    """The largest first; `?reason=` keeps those with one fault, `?all=1` shows more than the first 300."""
    require(request.user, Capability.READ_RESULTS)
    today = timezone.localdate()
    sight = sight_of(user=request.user, today=today)
    asked = request.GET.get("reason", "")
    fault = Fault(asked) if asked in list(Fault) else None
    limit = None if request.GET.get("all") == "1" else SHOWN
    found = read_deals_to_check(people=sight.people, today=today, limit=limit, fault=fault)
    page = {
        "found": found,
        "deals": read_facts("deals", now=timezone.now()),
        "reasons": _reasons(request, found, fault),
        "next_url": address(request, all="1") if found.more else "",
    }
    return render(request, "kpis/deals_all.html", {"page": page, "currency": company_settings().currency})


def _reasons(request: HttpRequest, found: DealsToCheck, current: Fault | None) -> list[Choice]:
    reasons = [
        Choice(f"{fault_text(fault)} {grouped(count)}", address(request, reason=fault.value), fault == current)
        for fault, count in found.by_fault.items()
    ]
    return [Choice(_("All"), address(request, reason=None), current is None), *reasons]
