"""The definition of a metric as a form: made, changed from a period on, and looked at as one types."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from kpis.choices import Direction, Grain
from kpis.engine import specs
from kpis.engine.catalogue import CATALOGUE
from kpis.forms.definitions import FIRST, RATE, SAVE, USUAL, DefinitionForm, Typed, typed_of
from kpis.models import KpiNode, Metric
from kpis.selectors.calendar import find_period
from kpis.selectors.definition_preview import read_preview
from kpis.selectors.editing import newest_definition
from kpis.selectors.wording import spec_words
from kpis.services.definitions import DefinitionError, create_metric, find_issues, update_metric
from tenants.capabilities import Capability, require
from tenants.settings.selectors import company_settings

FIELDS = "definition-fields"
DEFAULT = {"kind": "simple", "fact": "deals", "date": "created_on", "aggregate": "count"}


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A new metric: from nothing, or `?like=` another metric or `?entry=` of the catalogue."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    typed = request.POST.copy() if request.method == "POST" else _beginning(request)
    if getattr(request.htmx, "trigger_name", None) == "kind":
        typed["unit"], typed["accumulation"] = USUAL.get(typed.get("kind", ""), RATE)
    form = _form(typed, None)
    if typed.get("act") != SAVE:
        return _shown(request, form)
    if form.is_valid():
        try:
            metric = create_metric(**form.metric_fields(), actor=request.user, now=timezone.now())
        except DefinitionError as refusal:
            form.show(refusal.issues)
        else:
            messages.success(request, _("%(name)s can now be placed in a KPI tree.") % {"name": metric.name})
            return redirect("metric-definition", metric.public_id)
    return _shown(request, form, status=422)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def definition(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The definition of a metric; saved, it holds from the chosen month on."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    metric = get_object_or_404(Metric, public_id=public_id)
    form = _form(request.POST.copy() if request.method == "POST" else _stored(metric), metric)
    if form.typed.get("act") != SAVE:
        return _shown(request, form)
    if form.is_valid():
        try:
            update_metric(metric=metric, **form.metric_fields(), actor=request.user, now=timezone.now())
        except DefinitionError as refusal:
            form.show(refusal.issues)
        else:
            messages.success(request, _("%(name)s was saved.") % {"name": form.cleaned_data["name"]})
            return redirect("metric-definition", metric.public_id)
    return _shown(request, form, status=422)


@login_required
@require_POST
def check(request: HttpRequest) -> HttpResponse:
    """What is said about a definition as it is typed: its faults, its words, and its last months."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    metric = Metric.objects.filter(public_id=_uuid(request.POST.get("metric", ""))).first()
    form = _form(request.POST.copy(), metric)
    return render(request, "kpis/definitions/check.html", {"form": form, "is_live": True, **_looked_at(form)})


def _form(typed: Typed, metric: Metric | None) -> DefinitionForm:
    address = reverse("metric-definition", args=[metric.public_id]) if metric else reverse("metric-new")
    return DefinitionForm(typed, metric=metric, today=timezone.localdate(), address=address)


def _stored(metric: Metric) -> Typed:
    """The newest definition as its form shows it; a change holds from this month on unless said otherwise."""
    newest = metric.versions.order_by("-number").first()
    typed = typed_of(newest.spec if newest else DEFAULT)
    for name in ("name", "unit", "direction", "accumulation", "achievement_formula"):
        typed[name] = getattr(metric, name)
    month = find_period(Grain.MONTH, timezone.localdate())
    is_there = month and metric.versions.filter(effective_from__gt=month.start_date).exists()
    start = newest.effective_from if newest and is_there else month and month.start_date
    typed["since"] = start.isoformat() if start else FIRST
    return typed


def _beginning(request: HttpRequest) -> Typed:
    like = Metric.objects.filter(public_id=_uuid(request.GET.get("like", ""))).first()
    entry = CATALOGUE.get(request.GET.get("entry", ""))
    if like is not None:
        typed = _stored(like)
        typed["name"] = _("%(name)s (variant)") % {"name": like.name}
    elif entry is not None:
        typed = typed_of(entry.metric.data)
        typed["name"] = entry.metric.name.in_language(get_language() or "ja")
        for name in ("unit", "direction", "accumulation"):
            typed[name] = getattr(entry.metric, name)
    else:
        typed = typed_of(DEFAULT)
        typed["unit"], typed["accumulation"] = USUAL["simple"]
        typed["direction"] = Direction.UP
    typed["since"] = FIRST
    return typed


def _shown(request: HttpRequest, form: DefinitionForm, status: int = 200) -> HttpResponse:
    if request.htmx and request.htmx.target == FIELDS and not request.htmx.history_restore_request:
        return render(request, "kpis/definitions/fields.html", {"form": form})
    metric = form.metric
    context: dict[str, Any] = {"form": form, "metric": metric}
    if metric is not None:
        context |= {
            "present": newest_definition(metric),
            "versions": metric.versions.select_related("created_by").order_by("-number"),
            "nodes": KpiNode.objects.filter(metric=metric).select_related("tree").order_by("-tree__fiscal_year"),
        }
    looked_at = _looked_at(form, is_said=bool(status == 422))
    return render(request, "kpis/definitions/page.html", {**context, **looked_at}, status=status)


def _looked_at(form: DefinitionForm, *, is_said: bool = False) -> dict[str, Any]:
    """The definition in words, and its last months; its faults beside the fields, unless they are said already."""
    form.is_valid()
    data = form.spec()
    code = form.metric.code if form.metric else ""
    issues = find_issues(code=code, spec=data, effective_from=form.effective_from)
    if not is_said:
        form.errors.pop("name", None)  # an empty name is told when it is to be saved
        form.show(issues)
    found: dict[str, Any] = {"is_usable": not issues, "currency": company_settings().currency}
    if issues:
        return found
    spec = specs.parse_spec(data)
    names = dict(Metric.objects.values_list("code", "name")) if isinstance(spec, specs.Formula) else {}
    return found | {
        "words": spec_words(spec, names),
        "preview": read_preview(spec, form.metric, today=timezone.localdate()),
        "unit": form.typed.get("unit") or "count",
    }


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
