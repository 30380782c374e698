"""The tree editor: nodes added, changed, moved and removed, and looked at as one types."""

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from kpis.choices import Level
from kpis.engine.templates import SURVEY_NOTES
from kpis.forms.trees import HeadForm, NodeForm
from kpis.models import KpiNode, KpiTree
from kpis.selectors.editing import newest_definition, read_editor, remarks_of
from kpis.selectors.fitness import open_findings, read_guidance
from kpis.selectors.references import find_node
from kpis.selectors.template_use import benchmarks_of_tree
from kpis.selectors.trees import issues_at, nodes_of, read_tree, with_draft
from kpis.services.first_targets import set_first_targets
from kpis.services.refusal import RefusedError
from kpis.services.templates import add_driver
from kpis.services.trees import create_node, delete_node, move_node, step_node, update_node, update_tree
from tenants.capabilities import Capability, require
from tenants.settings.selectors import company_settings

SIDE = "editor-side"


@login_required
@require_GET
def edit(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The editor; `?node=code` opens a node beside the tree, `?add=code` a new one below it (empty: the root)."""
    tree = _tree(request, public_id)
    context: dict[str, Any] = {"tree": tree, "form": None}
    if "node" in request.GET:
        node = get_object_or_404(nodes_of(tree), code=request.GET["node"])
        context |= _side(tree, NodeForm(tree=tree, node=node, initial=NodeForm.initial_of(node)))
    elif "add" in request.GET:
        parent = _parent(tree, request.GET["add"])
        context |= _side(tree, NodeForm(tree=tree, initial=NodeForm.initial_below(parent)))
    if request.htmx and request.htmx.target == SIDE and not request.htmx.history_restore_request:
        return render(request, "kpis/editor/side.html", context)
    return _page(request, tree, context)


@login_required
@require_POST
def head(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Change the tree's name, style or official line."""
    tree = _tree(request, public_id)
    form = HeadForm(request.POST)
    if not form.is_valid():
        return _page(request, tree, {"form": None, "head": form}, status=422)
    update_tree(tree=tree, **form.cleaned_data, actor=request.user, now=timezone.now())
    messages.success(request, _("%(name)s was saved.") % {"name": tree.name})
    return redirect("tree-edit", tree.public_id)


@login_required
@require_POST
def node_new(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Add a node below a parent."""
    tree = _tree(request, public_id)
    form = NodeForm(request.POST, tree=tree)
    if not form.is_valid():
        return _refused(request, tree, form)
    fields = form.node_fields()
    fields["parent"] = _parent(tree, form.cleaned_data["parent"])
    if fields["level"] == Level.KSF:
        fields["code"] = _factor_code(tree, fields["name"])
    acting: dict[str, Any] = {"actor": request.user, "now": timezone.now()}
    try:
        with transaction.atomic():
            node = create_node(tree=tree, **fields, **acting)
            set_first_targets(node=node, **form.first_target, **acting)
    except RefusedError as refusal:
        return _refused(request, tree, _with_faults(form, refusal))
    return _saved(request, tree, node, _("%(name)s was added.") % {"name": node.name})


@login_required
@require_POST
def node_edit(request: HttpRequest, public_id: uuid.UUID, node_id: uuid.UUID) -> HttpResponse:
    """Change a node."""
    tree = _tree(request, public_id)
    node = get_object_or_404(nodes_of(tree), public_id=node_id)
    form = NodeForm(request.POST, tree=tree, node=node)
    if not form.is_valid():
        return _refused(request, tree, form)
    acting: dict[str, Any] = {"actor": request.user, "now": timezone.now()}
    try:
        with transaction.atomic():
            node = update_node(node=node, **form.node_fields(), **acting)
            set_first_targets(node=node, **form.first_target, **acting)
    except RefusedError as refusal:
        return _refused(request, tree, _with_faults(form, refusal))
    return _saved(request, tree, node, _("%(name)s was saved.") % {"name": node.name})


@login_required
@require_POST
def node_move(request: HttpRequest, public_id: uuid.UUID, node_id: uuid.UUID) -> HttpResponse:
    """Move a node one `step`, or below `parent` at `position`; the answer is the tree as it stands now."""
    tree = _tree(request, public_id)
    node = get_object_or_404(nodes_of(tree), public_id=node_id)
    acting: dict[str, Any] = {"node": node, "actor": request.user, "now": timezone.now()}
    try:
        if "step" in request.POST:
            step_node(step=request.POST["step"], **acting)
        else:
            position = request.POST.get("position", "")
            parent = _parent(tree, request.POST.get("parent", ""))
            move_node(parent=parent, position=int(position) if position.isdecimal() else 0, **acting)
    except RefusedError as refusal:
        return _tree_part(request, tree, node, str(refusal), is_refused=True)
    return _tree_part(request, tree, node, _("%(name)s was moved.") % {"name": node.name})


@login_required
@require_POST
def node_remove(request: HttpRequest, public_id: uuid.UUID, node_id: uuid.UUID) -> HttpResponse:
    """Remove a node with what hangs below it."""
    tree = _tree(request, public_id)
    node = get_object_or_404(nodes_of(tree), public_id=node_id)
    try:
        delete_node(node=node, actor=request.user, now=timezone.now())
    except RefusedError as refusal:
        messages.error(request, str(refusal))
        return redirect(f"{reverse('tree-edit', args=[tree.public_id])}?node={node.code}")
    messages.success(request, _("%(name)s was removed with what hung below it.") % {"name": node.name})
    return redirect("tree-edit", tree.public_id)


@login_required
@require_POST
def check(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """What would be said about the node as it is typed: issues in words, its definition, and its benchmark."""
    tree = _tree(request, public_id)
    node = nodes_of(tree).filter(public_id=_uuid(request.POST.get("id", ""))).first()
    form = NodeForm(request.POST, tree=tree, node=node)
    form.is_valid()
    return render(request, "kpis/editor/check.html", _looked_at(tree, form))


@login_required
@require_POST
def driver(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Add a driver KPI from practice."""
    tree = _tree(request, public_id)
    found = next((each for each in read_editor(tree).drivers if each.node.code == request.POST.get("code")), None)
    if found is None:
        raise Http404(_("There is no such driver KPI for this sales style."))
    try:
        language = company_settings().language
        node = add_driver(tree=tree, driver=found, language=language, actor=request.user, now=timezone.now())
    except RefusedError as refusal:
        messages.error(request, str(refusal))
        return redirect("tree-edit", tree.public_id)
    return redirect(f"{reverse('tree-edit', args=[tree.public_id])}?node={node.code}")


def _page(request: HttpRequest, tree: KpiTree, context: dict[str, Any], status: int = 200) -> HttpResponse:
    """The whole editor: the tree's head, the tree, and what `context` holds beside it."""
    shown = {"tree": tree, "head": HeadForm(initial=HeadForm.initial_of(tree)), **context, "editor": read_editor(tree)}
    return render(request, "kpis/editor/page.html", shown, status=status)


def _tree(request: HttpRequest, public_id: uuid.UUID) -> KpiTree:
    require(request.user, Capability.MANAGE_DEFINITIONS)
    return get_object_or_404(KpiTree, public_id=public_id)


def _parent(tree: KpiTree, code: str) -> KpiNode | None:
    """The parent that is named; None for none. Raises Http404."""
    if not code:
        return None
    found = find_node(code, tree)
    if found is None:
        raise Http404(_("There is no “%(value)s” in this tree.") % {"value": code})
    return found


def _side(tree: KpiTree, form: NodeForm) -> dict[str, Any]:
    """What stands beside the tree: the form, what is said about it, and the open findings of a node that is there."""
    today = timezone.localdate()
    node = form.node
    findings = open_findings(tree, today=today, codes=[node.code]) if node and node.level == Level.KPI else []
    return {"form": form, "node": node, "findings": findings, **_looked_at(tree, form)}


def _looked_at(tree: KpiTree, form: NodeForm) -> dict[str, Any]:
    """The node as typed, or as it stands, in the eyes of the engine."""
    if not form.is_bound:
        form = NodeForm(form.initial | {"target": None}, tree=tree, node=form.node)
        form.is_valid()
    read = read_tree(tree)
    draft = form.draft(read)
    metric = form.cleaned_data.get("metric")
    replaces = form.node.code if form.node else None
    issues = issues_at(with_draft(read, draft, replaces=replaces), draft)
    is_as_stored = form.node is not None and form.node.metric == metric
    return {
        "tree": tree,
        "remarks": remarks_of(issues),
        "metric": metric,
        "definition": newest_definition(metric),
        "benchmarks": benchmarks_of_tree(tree, metric.code) if metric else (),
        "notes": SURVEY_NOTES.get(metric.code, ()) if metric else (),
        "guidance": read_guidance(form.node, today=timezone.localdate()) if metric and is_as_stored else None,
        "currency": company_settings().currency,
    }


def _with_faults(form: NodeForm, refusal: RefusedError) -> NodeForm:
    for issue in refusal.issues:
        form.add_error(issue.field if issue.field in form.fields else None, issue.translated(_))
    if not refusal.issues:
        form.add_error(None, str(refusal))
    return form


def _refused(request: HttpRequest, tree: KpiTree, form: NodeForm) -> HttpResponse:
    context = {"tree": tree, **_side(tree, form)}
    if not request.htmx:
        return _page(request, tree, context, status=422)
    return render(request, "kpis/editor/side.html", context, status=422)


def _saved(request: HttpRequest, tree: KpiTree, node: KpiNode, said: str) -> HttpResponse:
    address = f"{reverse('tree-edit', args=[tree.public_id])}?node={node.code}"
    if not request.htmx:
        messages.success(request, said)
        return redirect(address)
    form = NodeForm(tree=tree, node=node, initial=NodeForm.initial_of(node))
    context = {"tree": tree, **_side(tree, form), "editor": read_editor(tree), "said": said, "current": node.code}
    response = render(request, "kpis/editor/saved.html", context)
    response["HX-Push-Url"] = address
    return response


def _tree_part(
    request: HttpRequest, tree: KpiTree, node: KpiNode, said: str, *, is_refused: bool = False
) -> HttpResponse:
    context = {"tree": tree, "editor": read_editor(tree), "said": said, "is_refused": is_refused, "current": node.code}
    return render(request, "kpis/editor/tree.html", context, status=422 if is_refused else 200)


def _factor_code(tree: KpiTree, name: str) -> str:
    """A code for a new KSF: its name in letters where it has some, else a number."""
    codes = set(tree.nodes.values_list("code", flat=True))
    base = slugify(name).replace("-", "_")[:50] or "factor"
    return next(code for code in (base, *(f"{base}_{n}" for n in range(2, len(codes) + 3))) if code not in codes)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
