"""Targets out into a file and back in: looked at first, then saved all or nothing."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kpis.choices import TreeStatus
from kpis.forms.sheets import SheetError, read_sheet
from kpis.models import DimensionMember, KpiNode
from kpis.permissions import check_reach, reaches
from kpis.renderings.files import CSV_ENCODINGS
from kpis.renderings.targets import target_csv, target_workbook
from kpis.selectors.target_import import ImportChange, plan_import
from kpis.selectors.visibility import sight_of
from kpis.services.refusal import RefusedError
from kpis.services.target_import import ImportedTarget, import_targets
from kpis.services.targets import TargetEntry
from kpis.views.downloads import XLSX_TYPE, attachment
from kpis.views.target_grid import chosen_query, chosen_tree, read_grid
from tenants.capabilities import Capability, require
from tenants.settings.selectors import company_settings

SALT = "kpis.target_import"
GOOD_FOR_SECONDS = 3600
AT_ONCE = 5000
SHOWN = 200


@login_required
@require_GET
def target_file(request: HttpRequest, ending: str) -> HttpResponse:
    """The grid that the page shows, as XLSX or CSV."""
    scope = require(request.user, Capability.SET_TARGETS)
    tree = chosen_tree(request)
    if tree is None or ending not in {"xlsx", "csv"}:
        raise Http404
    sight = sight_of(user=request.user, today=timezone.localdate())
    grid = read_grid(request, chosen_query(request, tree), scope, sight)
    name = f"{_('Targets')}_{tree.name}.{ending}"
    if ending == "xlsx":
        return attachment(target_workbook(grid), name=name, content_type=XLSX_TYPE)
    encoding = request.GET.get("encoding", "")
    encoding = encoding if encoding in CSV_ENCODINGS else "utf-8-sig"
    return attachment(target_csv(grid, encoding=encoding), name=name, content_type=f"text/csv; charset={encoding}")


@login_required
@require_http_methods(["GET", "POST"])
def target_import(request: HttpRequest) -> HttpResponse:
    """Take a file and show what it would change; nothing is stored."""
    scope = require(request.user, Capability.SET_TARGETS)
    tree = chosen_tree(request)
    if tree is None:
        raise Http404
    query = chosen_query(request, tree)
    page: dict[str, Any] = {"tree": tree, "line": query.line, "is_draft": tree.status == TreeStatus.DRAFT}
    file = request.FILES.get("file")
    if request.method == "GET" or file is None:
        page["error"] = _("Choose a file.") if request.method == "POST" else ""
        return render(request, "kpis/target_import.html", {"page": page})
    sight = sight_of(user=request.user, today=timezone.localdate())

    def may_write(node: KpiNode, dimension: str, member: DimensionMember | None) -> bool:
        return reaches(request.user, scope, sight, dimension, member, [node])

    try:
        sheet = read_sheet(file.read(), name=file.name or "")
    except SheetError as error:
        page["error"] = str(error)
        return render(request, "kpis/target_import.html", {"page": page}, status=422)
    plan = plan_import(sheet, tree=tree, line=query.line, may_write=may_write)
    page |= {
        "plan": plan,
        "shown": plan.changes[:SHOWN],
        "refused": [(each, each.issue.translated(_)) for each in plan.refused[:SHOWN]],
        "is_too_long": len(plan.changes) > AT_ONCE,
        "needs_reason": not page["is_draft"] and any(change.old is not None for change in plan.changes),
        "payload": _packed(plan.changes) if plan.is_sound and len(plan.changes) <= AT_ONCE else "",
        "file_name": file.name,
    }
    return render(request, "kpis/target_import.html", {"page": page, "currency": company_settings().currency})


@login_required
@require_POST
def target_import_save(request: HttpRequest) -> HttpResponse:
    """Carry out what was shown, with one reason."""
    scope = require(request.user, Capability.SET_TARGETS)
    try:
        packed = signing.loads(request.POST.get("payload", ""), salt=SALT, max_age=GOOD_FOR_SECONDS)
    except signing.BadSignature:
        messages.error(request, _("What was shown is too old to be saved. Send the file again."))
        return redirect("target-import")
    imported = list(_unpacked(packed, request.POST.get("reason", "").strip()))
    sight = sight_of(user=request.user, today=timezone.localdate())
    for each in imported:
        check_reach(request.user, scope, sight, each.entry.dimension, each.entry.member, [each.entry.node])
    tree = imported[0].entry.node.tree.public_id
    try:
        asked = import_targets(imported=imported, actor=request.user, now=timezone.now())
    except RefusedError as error:
        messages.error(request, str(error))
        return redirect(f"{reverse('target-import')}?tree={tree}")
    said = _("Saved: %(count)s")
    if asked is not None:
        said = _("Proposed for approval: %(count)s. Until it is approved the current targets stay in force.")
    messages.success(request, said % {"count": len(imported)})
    return redirect(f"{reverse('target-grid')}?tree={tree}")


def _packed(changes: Iterable[ImportChange]) -> str:
    """What was looked at, signed, so that nothing else is saved."""
    rows = [
        [
            change.node.pk,
            change.dimension,
            change.member.pk if change.member else None,
            change.line,
            change.period_start.isoformat(),
            *(None if value is None else str(value) for value in (change.old, change.new, change.upper)),
        ]
        for change in changes
    ]
    return signing.dumps(rows, salt=SALT, compress=True)


def _unpacked(rows: list[list[Any]], reason: str) -> Iterable[ImportedTarget]:
    nodes = KpiNode.objects.select_related("tree", "metric", "responsible").in_bulk({row[0] for row in rows})
    members = DimensionMember.objects.in_bulk({row[2] for row in rows if row[2] is not None})
    for node, dimension, member, line, start, old, new, upper in rows:
        entry = TargetEntry(
            node=nodes[node],
            period_start=date.fromisoformat(start),
            value=None if new is None else Decimal(new),
            upper=None if upper is None else Decimal(upper),
            dimension=dimension,
            member=members[member] if member is not None else None,
            line=line,
            reason=reason,
        )
        yield ImportedTarget(entry, None if old is None else Decimal(old))
