"""Start from Excel: a client's sheet is sent, looked at with every choice open, and then made, whole or not at all."""

from dataclasses import dataclass

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from kpis.engine.cross_tab import CrossTabError, Reading, read_cross_tab
from kpis.forms.sheet_start import SheetForm, StartForm, chosen_tree
from kpis.forms.sheets import Sheet
from kpis.selectors.sheet_start import StartPlan, likely_tree, plan_start, propose_choices, sheet_context
from kpis.services.refusal import RefusedError
from kpis.services.sheet_start import Started, start_from_sheet
from kpis.views.sheet_page import SheetPage
from kpis.views.trees_list import running_year
from tenants.capabilities import Capability, require
from tenants.settings.selectors import company_settings

SALT = "kpis.sheet_start"
GOOD_FOR_SECONDS = 8 * 3600
NEEDED = (Capability.MANAGE_DEFINITIONS, Capability.SET_TARGETS, Capability.ENTER_VALUES)


@dataclass(frozen=True)
class _Sent:
    """A sheet between two steps: its cells, what it is called, and the year it is of where it says none."""

    grid: Sheet
    name: str
    fiscal_year: int

    @property
    def packed(self) -> str:
        return signing.dumps([self.grid, self.name, self.fiscal_year], salt=SALT, compress=True)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def from_excel(request: HttpRequest) -> HttpResponse:
    """Take a sheet, show what is understood of it and what would be made, and make it once that was looked at."""
    for capability in NEEDED:
        require(request.user, capability)
    if request.method != "POST":
        return _first_step(request, SheetForm(initial={"fiscal_year": running_year()}))
    if "payload" not in request.POST:
        form = SheetForm(request.POST, request.FILES)
        if not form.is_valid():
            return _first_step(request, form)
        sent = _Sent(form.sheet, form.cleaned_data["name"], form.cleaned_data["fiscal_year"])
        return _second_step(request, sent, form)
    try:
        sent = _Sent(*signing.loads(request.POST["payload"], salt=SALT, max_age=GOOD_FOR_SECONDS))
    except signing.BadSignature:
        messages.error(request, _("What was shown is too old to be made. Send the sheet again."))
        return redirect("from-excel")
    return _second_step(request, sent)


def _first_step(request: HttpRequest, form: SheetForm) -> HttpResponse:
    return render(request, "kpis/sheet_start/send.html", {"form": form}, status=422 if form.errors else 200)


def _second_step(request: HttpRequest, sent: _Sent, sending: SheetForm | None = None) -> HttpResponse:
    """The sheet as it is understood; made where that is asked for and it is what was shown."""
    try:
        reading = read_cross_tab(sent.grid, sheet_context(sent.fiscal_year))
    except CrossTabError as error:
        form = sending or SheetForm(initial={"fiscal_year": sent.fiscal_year})
        form.add_error(None, error.issue.translated(_))
        return _first_step(request, form)
    is_first = sending is not None
    tree = likely_tree(reading, fiscal_year=sent.fiscal_year) if is_first else chosen_tree(request.POST)
    proposal = propose_choices(reading, fiscal_year=sent.fiscal_year, name=sent.name, tree=tree)
    form = StartForm(None if is_first else request.POST, reading=reading, proposal=proposal)
    if not form.is_valid():
        return _look(request, sent, form, reading, None)
    if form.units:
        reading = read_cross_tab(sent.grid, sheet_context(sent.fiscal_year, form.units))
    plan = plan_start(reading, form.choices(), today=timezone.localdate())
    if request.POST.get("step") == "make":
        try:
            return _made(request, _make(request, sent, reading, form))
        except RefusedError as refusal:
            messages.error(request, str(refusal))
            return _look(request, sent, form, reading, plan, status=409)
    return _look(request, sent, form, reading, plan)


def _make(request: HttpRequest, sent: _Sent, reading: Reading, form: StartForm) -> Started:
    return start_from_sheet(
        reading=reading,
        choices=form.choices(),
        seen=request.POST.get("seen", ""),
        source=_("From the sheet “%(name)s”") % {"name": sent.name},
        actor=request.user,
        now=timezone.now(),
    )


def _made(request: HttpRequest, started: Started) -> HttpResponse:
    said = _("Made from the sheet: %(metrics)s KPIs, %(nodes)s places, %(targets)s targets, %(actuals)s actuals.")
    messages.success(
        request,
        said
        % {
            "metrics": started.metrics,
            "nodes": started.nodes,
            "targets": started.targets,
            "actuals": started.actuals,
        },
    )
    if started.request is not None:
        messages.info(request, _("The targets wait for approval. Until then the current ones stay in force."))
    return redirect("tree-edit", started.tree.public_id)


def _look(
    request: HttpRequest, sent: _Sent, form: StartForm, reading: Reading, plan: StartPlan | None, status: int = 200
) -> HttpResponse:
    page = SheetPage(sent.name, reading, form, plan, company_settings().currency)
    context = {"page": page, "form": form, "plan": plan, "payload": sent.packed, "currency": page.currency}
    return render(request, "kpis/sheet_start/look.html", context, status=422 if form.errors else status)
