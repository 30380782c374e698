"""One import: how far it is, what came of it, and the rows that were not taken."""

from __future__ import annotations

import csv
import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from integrations.models import Connection, RejectedRecord, SyncRun
from integrations.selectors.comparisons import streams_of
from integrations.selectors.kept import kept_by
from integrations.selectors.rejections import standing_rejections
from integrations.services.runs import cancel_run
from tenants.capabilities import Capability, require

ROWS_PER_PAGE = 50
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@require_GET
@login_required
def sync_run(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """The run with its report and its rejected rows."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    run = get_object_or_404(SyncRun.objects.select_related("connection", "upload", "actor"), public_id=run_id)
    page = Paginator(run.rejected.order_by("id"), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    context = {"run": run, "page": page, "comparison": streams_of(run)}
    return render(request, "integrations/sync_run.html", context)


@require_GET
@login_required
def run_progress(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """The bar alone, asked for again and again while the run is under way; its end reloads the page."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    run = get_object_or_404(SyncRun, public_id=run_id)
    response = render(request, "integrations/run_progress.html", {"run": run})
    if not run.is_under_way:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@login_required
def run_cancel(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """Stop a run; what it has stored stays."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    run = get_object_or_404(SyncRun, public_id=run_id)
    if not cancel_run(run=run, now=timezone.now()):
        messages.warning(request, _("The import had ended already."))
    return redirect("sync_run", run_id)


@require_GET
@login_required
def rejected_rows(request: HttpRequest, run_id: uuid.UUID) -> HttpResponse:
    """The rejected rows as a CSV file for Excel: row, reason, and the row as it was received."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    run = get_object_or_404(SyncRun, public_id=run_id)
    return _as_table(run.rejected.order_by("file_name", "row"), f"rejected-{run.public_id}.csv")


@require_GET
@login_required
def missing_rows(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """As `rejected_rows`, of everything that is still not imported."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found = get_object_or_404(Connection, public_id=connection_id)
    return _as_table(standing_rejections(connection=found), f"not-imported-{found.public_id}.csv")


@require_GET
@login_required
def missing(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Everything that a connection has not been able to import up to now."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found = get_object_or_404(Connection, public_id=connection_id)
    page = Paginator(standing_rejections(connection=found), ROWS_PER_PAGE).get_page(request.GET.get("page"))
    context = {"connection": found, "page": page, "kept": kept_by(connection=found)}
    return render(request, "integrations/missing.html", context)


def _as_table(rows: QuerySet[RejectedRecord], name: str) -> HttpResponse:
    rejected = list(rows)
    columns = list(dict.fromkeys(column for each in rejected for column in each.raw))
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response.write("\ufeff")
    writer = csv.writer(response)
    writer.writerow([_("File name"), _("Row"), _("Reasons"), *map(_harmless, columns)])
    for each in rejected:
        cells = [_harmless(str(each.raw.get(column, ""))) for column in columns]
        writer.writerow([_harmless(each.file_name), each.row, _harmless(" ".join(each.reasons)), *cells])
    return response


def _harmless(cell: str) -> str:
    """A cell that Excel shows instead of running it as a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) and not cell.lstrip("-").replace(".", "").isdigit() else cell
