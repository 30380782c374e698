"""Editing a template's draft: its places, looked at as one types, its metrics with benchmarks and suggestions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import BaseFormSet, formset_factory
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from kpis.engine.catalogue import CATALOGUE, with_needs
from kpis.engine.moves import STEPS
from kpis.engine.templates import TemplateDocument, TemplateMetric, TemplateNode, parse_document
from kpis.engine.templates.checking import document_issues
from kpis.engine.templates.editing import (
    put_benchmarks,
    put_metric,
    put_node,
    put_suggestion,
    remove_metric,
    remove_node,
    step_node,
)
from kpis.engine.tree import PARENTS
from kpis.library.forms import BenchmarkForm, MetricForm, NodeForm
from kpis.library.models import Template
from kpis.library.selectors import draft_remarks, latest_version, read_draft
from kpis.library.services import change_draft
from kpis.library.views.library import find_template
from kpis.selectors.editing import Remark, remarks_of
from kpis.selectors.wording import spec_words

NEW = "(new)"  # no code can be this
MOST_BENCHMARKS = 6
BenchmarkForms = formset_factory(BenchmarkForm, extra=1, can_delete=True, max_num=MOST_BENCHMARKS)


@dataclass(frozen=True)
class Item:
    """One node of the draft with what is said about it and what hangs below it."""

    node: TemplateNode
    worst: str
    children: list[Item]


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit(request: HttpRequest, code: str) -> HttpResponse:
    """The draft; `?node=code` opens a node, `?add=code` a new one below it (empty: the root). POST saves it."""
    template = find_template(request, code)
    document = read_draft(template)
    node = _node(document, request.GET["node"]) if "node" in request.GET else None
    if request.method == "POST":
        form = NodeForm(request.POST, document=document, node=node, language=_language())
        if form.is_valid():
            return _save_node(template, form)
    elif node is not None:
        form = NodeForm(initial=NodeForm.initial_of(node), document=document, node=node, language=_language())
    elif "add" in request.GET:
        initial = _below(document, request.GET["add"])
        form = NodeForm(initial=initial, document=document, language=_language())
    else:
        form = None
    status = 422 if form is not None and form.errors else 200
    return render(request, "library/edit.html", _page(template, document, form, node), status=status)


@require_POST
@login_required
def check(request: HttpRequest, code: str) -> HttpResponse:
    """What would be said about the node as it is typed."""
    template = find_template(request, code)
    document = read_draft(template)
    node = _node(document, request.GET["node"]) if request.GET.get("node") else None
    form = NodeForm(request.POST, document=document, node=node, language=_language())
    form.is_valid()
    return render(request, "library/check.html", _looked_at(template, document, form))


@require_POST
@login_required
def step(request: HttpRequest, code: str) -> HttpResponse:
    """Move a node one step."""
    template = find_template(request, code)
    node, where = request.POST.get("node", ""), request.POST.get("step", "")
    _node(read_draft(template), node)
    if where in STEPS:
        _change(template, lambda document: step_node(document, node, where))
    return redirect(_address(template, node))


@require_POST
@login_required
def remove(request: HttpRequest, code: str) -> HttpResponse:
    """Remove a node with what hangs below it."""
    template = find_template(request, code)
    node = _node(read_draft(template), request.POST.get("node", ""))
    _change(template, lambda document: remove_node(document, node.code))
    messages.success(request, _("%(name)s was removed with what hung below it.") % {"name": _named(node)})
    return redirect("library-edit", template.code)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def metric(request: HttpRequest, code: str, metric: str) -> HttpResponse:
    """A metric of the draft with its benchmarks and suggestions; "new" for another one."""
    template = find_template(request, code)
    document = read_draft(template)
    found = next((each for each in document.template.metrics if each.code == metric), None)
    if found is None and metric != "new":
        raise Http404(_("There is no “%(value)s” in this template.") % {"value": metric})
    form, benchmarks = _metric_forms(request, document, found)
    if request.method == "POST" and form.is_valid() and benchmarks.is_valid():
        made = form.metric()
        if found is None and any(each.code == made.code for each in document.template.metrics):
            form.add_error("code", _("The template has this metric already. Choose another code."))
        else:
            return _save_metric(template, form, benchmarks)
    is_refused = request.method == "POST"
    context = {
        "template": template,
        "metric": found,
        "form": form,
        "benchmarks": benchmarks,
        "definition": _definition(document, found),
    }
    return render(request, "library/metric.html", context, status=422 if is_refused else 200)


@require_POST
@login_required
def metric_remove(request: HttpRequest, code: str, metric: str) -> HttpResponse:
    """Take a metric out of the draft; the check says where it is still needed."""
    template = find_template(request, code)
    _change(template, lambda document: remove_metric(document, metric))
    return redirect("library-edit", template.code)


def _page(
    template: Template, document: TemplateDocument, form: NodeForm | None, node: TemplateNode | None
) -> dict[str, Any]:
    remarks = draft_remarks(template)
    context: dict[str, Any] = {
        "template": template,
        "document": document.template,
        "roots": _items(document, remarks),
        "remarks": remarks,
        "form": form,
        "node": node,
        "steps": [("up", "↑", _("Up")), ("down", "↓", _("Down")), ("in", "→", _("In")), ("out", "←", _("Out"))],
    }
    return context if form is None else context | _looked_at(template, document, form)


def _items(document: TemplateDocument, remarks: list[Remark]) -> list[Item]:
    def grow(parent: str | None) -> list[Item]:
        return [
            Item(
                node,
                next((remark.severity for remark in remarks if remark.node == node.code), ""),
                grow(node.code),
            )
            for node in document.template.nodes
            if node.parent == parent
        ]

    return grow(None)


def _looked_at(template: Template, document: TemplateDocument, form: NodeForm) -> dict[str, Any]:
    """The node as typed, or as it stands, in the eyes of the engine."""
    if not form.is_bound:
        form = NodeForm(form.initial, document=document, node=form.node, language=_language())
        form.is_valid()
    code = form.node.code if form.node else NEW
    chosen = form.typed_metric()
    typed = _with_metric(document, chosen) if chosen else document
    typed = put_node(typed, form.typed_node(code), replaces=form.node.code if form.node else None)
    latest = latest_version(template)
    issues = document_issues(typed, before=parse_document(latest.document) if latest else None)
    concerning = {code, chosen.code if chosen else code}
    return {
        "remarks_here": remarks_of([issue for issue in issues if issue.field in concerning]),
        "metric": chosen,
        "definition": _definition(typed, chosen),
        "benchmarks": typed.benchmarks_of(chosen.code) if chosen else (),
        "template": template,
    }


def _save_node(template: Template, form: NodeForm) -> HttpResponse:
    code = form.node.code if form.node else _free_code(form)
    node = form.typed_node(code)
    chosen = form.typed_metric()

    def put(document: TemplateDocument) -> TemplateDocument:
        with_metric = _with_metric(document, chosen) if chosen else document
        return put_node(with_metric, node, replaces=form.node.code if form.node else None)

    _change(template, put)
    return redirect(_address(template, code))


def _with_metric(document: TemplateDocument, chosen: TemplateMetric) -> TemplateDocument:
    """The document with a metric of the catalogue and those that its formula needs."""
    known = {each.code for each in document.template.metrics}
    if chosen.code in known or chosen.code not in CATALOGUE:
        return document
    for code in with_needs(chosen.code):
        document = document if code in known else put_metric(document, CATALOGUE[code].metric)
    return document


def _free_code(form: NodeForm) -> str:
    """The metric's code, or the factor's name in plain letters; numbered where it is taken."""
    chosen = form.typed_metric()
    name = form.cleaned_data.get("name_en") or form.cleaned_data.get("name_ja") or ""
    base = chosen.code if chosen else slugify(name).replace("-", "_")[:50] or "factor"
    taken = {node.code for node in form.document.template.nodes}
    numbered = (f"{base}_{number}" for number in range(2, len(taken) + 3))
    return next(code for code in (base, *numbered) if code not in taken)


def _metric_forms(
    request: HttpRequest, document: TemplateDocument, found: TemplateMetric | None
) -> tuple[MetricForm, BaseFormSet]:
    data = request.POST if request.method == "POST" else None
    if found is None:
        unit = request.POST.get("unit", "count")
        initial: dict[str, Any] = {"spec": '{"kind": "manual"}'}
        figures: list[dict[str, Any]] = []
    else:
        unit = request.POST.get("unit", found.unit)
        initial = MetricForm.initial_of(found, document.suggestion_of(found.code))
        figures = [BenchmarkForm.initial_of(each, found.unit) for each in document.benchmarks_of(found.code)]
    return (
        MetricForm(data, initial=initial, is_new=found is None),
        BenchmarkForms(data, initial=figures, prefix="benchmarks", form_kwargs={"unit": unit}),
    )


def _save_metric(template: Template, form: MetricForm, benchmarks: BaseFormSet) -> HttpResponse:
    made = form.metric()

    def put(document: TemplateDocument) -> TemplateDocument:
        style = document.template.style
        figures = [
            each.benchmark(style=style, metric=made.code)
            for each in benchmarks.forms
            if each.cleaned_data and not each.cleaned_data.get("DELETE")
        ]
        changed = put_suggestion(put_metric(document, made), form.suggestion())
        return put_benchmarks(changed, made.code, figures)

    _change(template, put)
    return redirect("library-metric", template.code, made.code)


def _change(template: Template, change: Callable[[TemplateDocument], TemplateDocument]) -> None:
    change_draft(template=template, change=change, now=timezone.now())


def _node(document: TemplateDocument, code: str) -> TemplateNode:
    found = next((each for each in document.template.nodes if each.code == code), None)
    if found is None:
        raise Http404(_("There is no “%(value)s” in this template.") % {"value": code})
    return found


def _below(document: TemplateDocument, code: str) -> dict[str, Any]:
    """What a new node begins with: the level that belongs below its parent."""
    parent = _node(document, code) if code else None
    levels = [level for level, above in PARENTS.items() if (parent.level in above if parent else not above)]
    return {"level": levels[0], "parent": parent.code if parent else ""}


def _definition(document: TemplateDocument, found: TemplateMetric | None) -> list[str]:
    """What a metric calculates, one line each; empty for none."""
    if found is None:
        return []
    names = {each.code: each.name.in_language(_language()) for each in document.template.metrics}
    return list(spec_words(found.spec, names))


def _address(template: Template, node: str) -> str:
    return f"{reverse('library-edit', args=[template.code])}?node={node}"


def _named(node: TemplateNode) -> str:
    return node.name.in_language(_language())


def _language() -> str:
    return get_language() or "ja"
