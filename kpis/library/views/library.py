"""The consultancy's templates: the list, a new one, one with its versions and companies, and pushing it."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kpis.engine.templates import TEMPLATES, document_of, parse_document
from kpis.library.choices import PushStatus
from kpis.library.forms import NewTemplateForm, PublishForm
from kpis.library.models import Template, TemplateVersion
from kpis.library.selectors import (
    draft_remarks,
    is_draft_published,
    latest_version,
    list_pushes,
    list_templates,
    preview_push,
    shipped_templates,
)
from kpis.library.services import (
    create_template,
    create_template_from_company,
    publish_template,
    push_template,
    retire_template,
)
from kpis.selectors.template_wording import tell_merge
from kpis.services.refusal import RefusedError
from tenants.capabilities import Capability, require
from tenants.console.selectors import ClientRow, list_clients


@require_GET
@login_required
def library(request: HttpRequest) -> HttpResponse:
    """Every template with how many companies use it, and the shipped ones."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    rows = list_templates(user=request.user, now=timezone.now())
    return render(request, "library/library.html", {"rows": rows, "shipped": shipped_templates()})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """A new template from a shipped one, from another, or from a client's tree in force."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    clients = _clients(request)
    form = NewTemplateForm(
        request.POST or None, sources=_sources(clients), initial={"source": request.GET.get("source")}
    )
    if request.method == "POST" and form.is_valid():
        try:
            template = _create(request, form.cleaned_data, clients)
        except RefusedError as refusal:
            form.add_error("code" if refusal.issues else None, str(refusal))
        else:
            return redirect("library-edit", template.code)
    return render(request, "library/new.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
@login_required
def detail(request: HttpRequest, code: str) -> HttpResponse:
    """One template: its versions, the companies that use it, and what was pushed."""
    template = find_template(request, code)
    return render(request, "library/template.html", {**_state(request, template), "form": PublishForm()})


@require_POST
@login_required
def publish(request: HttpRequest, code: str) -> HttpResponse:
    """Cut the next version from the draft."""
    template = find_template(request, code)
    form = PublishForm(request.POST)
    form.is_valid()
    try:
        version = publish_template(
            template=template, note=form.cleaned_data.get("note", ""), actor=request.user, now=timezone.now()
        )
    except RefusedError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Version %(number)s is published.") % {"number": version.number})
    return redirect("library-template", code)


@require_POST
@login_required
def retire(request: HttpRequest, code: str) -> HttpResponse:
    """Offer a template no longer."""
    template = find_template(request, code)
    retire_template(template=template)
    messages.success(request, _("%(name)s is retired; companies keep what they have.") % {"name": template.name})
    return redirect("library-template", code)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def push(request: HttpRequest, code: str) -> HttpResponse:
    """Choose companies, see what the newest version changes in each (`?company=…`), and hand it over by POST."""
    template = find_template(request, code)
    version = latest_version(template)
    if version is None:
        raise Http404(_("The template is not published. Publish a version first."))
    clients = [row for row in _clients(request) if row.can_open]
    asked = request.POST if request.method == "POST" else request.GET
    chosen = [row for row in clients if str(row.company.id) in asked.getlist("company")]
    if request.method == "POST" and chosen:
        return _hand_over(request, template, chosen)
    return render(request, "library/push.html", _preview(template, version, clients, chosen))


def find_template(request: HttpRequest, code: str) -> Template:
    """The template that an address names, for those who may change templates."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    return get_object_or_404(Template, code=code)


def _state(request: HttpRequest, template: Template) -> dict[str, Any]:
    rows = list_templates(user=request.user, now=timezone.now())
    pushes = list_pushes(template, visible=_clients(request))
    return {
        "template": template,
        "row": next(row for row in rows if row.template == template),
        "versions": template.versions.select_related("published_by"),
        "pushes": pushes,
        "is_waiting": any(row.push.status == PushStatus.REQUESTED for row in pushes),
        "remarks": draft_remarks(template),
        "is_draft_published": is_draft_published(template),
    }


def _clients(request: HttpRequest) -> list[ClientRow]:
    return list_clients(user=request.user, now=timezone.now())


def _sources(clients: list[ClientRow]) -> list[tuple[Any, Any]]:
    """What a template may begin with, in groups."""
    language = get_language() or "ja"
    shipped = [(f"shipped:{each.style}", each.name.in_language(language)) for each in shipped_templates()]
    own = Template.objects.values_list("code", "name")
    groups = (
        (_("Shipped templates"), shipped),
        (_("Own templates"), [(f"own:{code}", name) for code, name in own]),
        (
            _("Tree of a client company"),
            [(f"company:{row.company.id}", row.name) for row in clients if row.can_open],
        ),
    )
    return [group for group in groups if group[1]]


def _create(request: HttpRequest, fields: dict[str, Any], clients: list[ClientRow]) -> Template:
    kind, _colon, source = fields["source"].partition(":")
    told = {name: fields[name] for name in ("code", "name", "description")}
    acting = {"actor": request.user, "now": timezone.now()}
    if kind == "company":
        company = next(row.company for row in clients if row.company.id == uuid.UUID(source))
        return create_template_from_company(company=company, **told, **acting)
    if kind == "own":
        document = parse_document(get_object_or_404(Template, code=source).draft)
    else:
        document = document_of(TEMPLATES[source])
    return create_template(document=document, style=fields["style"] or document.template.style, **told, **acting)


def _preview(
    template: Template, version: TemplateVersion, clients: list[ClientRow], chosen: list[ClientRow]
) -> dict[str, Any]:
    previews = [
        {"company": seen, "told": tell_merge(seen.preview.merge)}
        for seen in preview_push(version, clients=chosen)
        if seen.preview is not None
    ]
    ids = {row.company.id for row in chosen}
    return {"template": template, "version": version, "clients": clients, "chosen": ids, "previews": previews}


def _hand_over(request: HttpRequest, template: Template, chosen: list[ClientRow]) -> HttpResponse:
    try:
        pushes = push_template(
            template=template,
            companies=[row.company for row in chosen],
            actor=request.user,
            now=timezone.now(),
        )
    except RefusedError as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("Handed over to %(count)s companies.") % {"count": len(pushes)})
    return redirect("library-template", template.code)
