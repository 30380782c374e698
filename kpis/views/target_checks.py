"""Below the target grid: top-down against bottom-up level by level, and what people who have left still hold."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from kpis.choices import DimensionCode
from kpis.models import DimensionMember, KpiTree, Person
from kpis.selectors.leavers import Leaver, read_leavers
from kpis.selectors.target_gaps import read_level_gaps
from kpis.selectors.target_grid import GridQuery, grid_members, read_columns
from kpis.selectors.visibility import Sight, sight_of
from kpis.services.leavers import move_targets
from kpis.services.refusal import RefusedError
from kpis.views.target_grid import chosen_query, chosen_tree
from tenants.capabilities import Capability, require
from tenants.settings.selectors import company_settings


@login_required
@require_GET
def checks(request: HttpRequest) -> HttpResponse:
    """The check rows of the grid that the page shows, as they are saved."""
    require(request.user, Capability.SET_TARGETS)
    tree = chosen_tree(request)
    if tree is None:
        raise Http404
    sight = sight_of(user=request.user, today=timezone.localdate())
    query = chosen_query(request, tree)
    context = {"page": read_checks(query, sight), "currency": company_settings().currency}
    return render(request, "kpis/target_checks.html", context)


def read_checks(query: GridQuery, sight: Sight) -> dict[str, Any]:
    """What the part below the grid shows."""
    leavers = read_leavers(tree=query.tree, sight=sight)
    return {
        "tree": query.tree,
        "columns": read_columns(query),
        "levels": read_level_gaps(query, sight=sight),
        "has_one_node": query.node is not None,
        "leavers": leavers,
        "receivers": _receivers(sight, leavers) if leavers else [],
    }


@login_required
@require_POST
def hand_over(request: HttpRequest) -> HttpResponse:
    """Move what a leaver still holds to one person."""
    require(request.user, Capability.SET_TARGETS)
    tree = chosen_tree(request)
    if tree is None:
        raise Http404
    leaver = get_leaver(request, tree, request.POST.get("person", ""))
    people = Person.objects.filter(member__code=request.POST.get("receiver", ""), deleted_at=None)
    receiver = get_object_or_404(people, member__dimension__code=DimensionCode.PERSON)
    check_receiver(request, receiver)
    try:
        moved = move_targets(
            leaver=leaver,
            receiver=receiver,
            reason=request.POST.get("reason", ""),
            actor=request.user,
            now=timezone.now(),
        )
    except RefusedError as refusal:
        messages.error(request, str(refusal))
    else:
        said = _("Moved to %(name)s: %(count)s targets.")
        if moved.request is not None:
            said = _("Moving %(count)s targets to %(name)s is proposed; until it is approved they stay not allocated.")
        messages.success(request, said % {"name": receiver.name, "count": moved.target_count})
    return redirect(
        f"{reverse('target-grid')}?tree={tree.public_id}&by=person&kpi={leaver.targets[0].target.node.code}"
    )


def get_leaver(request: HttpRequest, tree: KpiTree, code: str) -> Leaver:
    """The leaver with this member code. Raises Http404 where nothing of theirs in the caller's sight remains."""
    sight = sight_of(user=request.user, today=timezone.localdate())
    for leaver in read_leavers(tree=tree, sight=sight):
        if leaver.person.member is not None and leaver.person.member.code == code:
            return leaver
    raise Http404


def check_receiver(request: HttpRequest, receiver: Person) -> None:
    """Raises PermissionDenied for somebody whom the caller does not set targets for."""
    sight = sight_of(user=request.user, today=timezone.localdate())
    if not sight.may_write(DimensionCode.PERSON, receiver.member_id):
        raise PermissionDenied(_("This is not yours to write: your role reaches your own people and KPIs."))


def _receivers(sight: Sight, leavers: list[Leaver]) -> list[DimensionMember]:
    gone = set(Person.objects.filter(left_on__isnull=False).values_list("member_id", flat=True))
    rows = [member for member, _depth in grid_members(DimensionCode.PERSON, sight=sight)]
    there = [member for member in rows if not member.is_unassigned and member.pk not in gone]
    return [member for member in there if sight.may_write(DimensionCode.PERSON, member.pk)]
