"""Where a company stands: the items of the checklist, each verified now."""

from itertools import groupby

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from kpis.selectors.operation import read_checklist
from tenants.capabilities import Capability, require
from tenants.registry import ItemStatus, Stage


@login_required
@require_GET
def checklist(request: HttpRequest) -> HttpResponse:
    """The items by stage, with evidence and the next step."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    items = list(read_checklist(today=timezone.localdate()))
    stages = [(Stage(stage).label, list(group)) for stage, group in groupby(items, key=lambda item: item["stage"])]
    done = sum(item["status"] == ItemStatus.DONE for item in items)
    return render(request, "kpis/checklist.html", {"stages": stages, "done": done, "count": len(items)})
