"""All trees of the company: new ones, their life, and next year's copy."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kpis.engine.templates import TEMPLATES
from kpis.forms.trees import CopyForm, TreeForm
from kpis.models import FiscalYear, KpiTree
from kpis.selectors.editing import read_trees
from kpis.services.copies import copy_tree
from kpis.services.refusal import RefusedError
from kpis.services.templates import draft_template
from kpis.services.trees import activate_tree, create_tree, retire_tree
from tenants.capabilities import Capability, require
from tenants.settings.selectors import company_settings


@login_required
@require_GET
def trees(request: HttpRequest) -> HttpResponse:
    """Every tree with its year, style and status, and what is open about its KPIs."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    return render(request, "kpis/trees.html", {"trees": read_trees()})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A new draft, empty or from a template."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    form = TreeForm(request.POST or None, initial={"fiscal_year": running_year()})
    if request.method == "POST" and form.is_valid():
        try:
            tree = _draft(form.cleaned_data, request)
        except RefusedError as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("tree-edit", tree.public_id)
    return _form_page(request, form, _("New KPI tree"), _("Make the draft"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def copy(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Next year's tree as a draft."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    tree = get_object_or_404(KpiTree, public_id=public_id)
    form = CopyForm(request.POST or None, initial=CopyForm.initial_of(tree))
    if request.method == "POST" and form.is_valid():
        try:
            made = copy_tree(tree=tree, **form.cleaned_data, actor=request.user, now=timezone.now())
        except RefusedError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, _("The copy is a draft: change what is to be different."))
            return redirect("tree-edit", made.public_id)
    title = _("Copy %(name)s to another fiscal year") % {"name": tree.name}
    return _form_page(request, form, title, _("Make the copy"))


@login_required
@require_POST
def status(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Put a tree in force once its five facts are there, or take it out of force."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    tree = get_object_or_404(KpiTree, public_id=public_id)
    acting: dict[str, Any] = {"tree": tree, "actor": request.user, "now": timezone.now()}
    try:
        if request.POST.get("to") == "active":
            activate_tree(**acting)
            messages.success(request, _("%(name)s is in force.") % {"name": tree.name})
        elif request.POST.get("to") == "retired":
            retire_tree(**acting)
            messages.success(request, _("%(name)s is retired; its closed numbers stay.") % {"name": tree.name})
    except RefusedError as refusal:
        messages.error(request, str(refusal))
    return redirect("tree-edit", tree.public_id)


def _draft(fields: dict[str, Any], request: HttpRequest) -> KpiTree:
    acting: dict[str, Any] = {"actor": request.user, "now": timezone.now()}
    if not fields["template"]:
        return create_tree(name=fields["name"], fiscal_year=fields["fiscal_year"], **acting)
    return draft_template(
        template=TEMPLATES[fields["template"]],
        name=fields["name"],
        fiscal_year=fields["fiscal_year"],
        language=company_settings().language,
        **acting,
    )


def running_year() -> int:
    """The fiscal year of today; the calendar year where the calendar has none."""
    today = timezone.localdate()
    year = FiscalYear.objects.filter(start_date__lte=today, end_date__gt=today).first()
    return year.start_year if year else today.year


def _form_page(request: HttpRequest, form: Any, title: str, button: str) -> HttpResponse:
    context = {"form": form, "title": title, "button": button}
    return render(request, "kpis/tree_form.html", context, status=422 if form.errors else 200)
