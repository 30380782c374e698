"""A version of the template that waits for a tree: what it changes here, taken or declined."""

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from kpis.engine.templates import parse_document
from kpis.models import TemplateUse
from kpis.selectors.template_use import preview_use
from kpis.selectors.template_wording import tell_merge
from kpis.services.refusal import RefusedError
from kpis.services.template_use import decline_offer, take_offer
from tenants.capabilities import Capability, require


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def offer(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """The difference in sentences; POST `do=take` or `do=decline` decides."""
    require(request.user, Capability.MANAGE_DEFINITIONS)
    uses = TemplateUse.objects.select_related("tree").exclude(offered_version=None)
    use = get_object_or_404(uses, tree__public_id=public_id)
    if request.method == "POST":
        return _decide(request, use)
    preview = preview_use(use, parse_document(use.offered_document))
    return render(
        request, "kpis/template_offer.html", {"use": use, "preview": preview, "told": tell_merge(preview.merge)}
    )


def _decide(request: HttpRequest, use: TemplateUse) -> HttpResponse:
    try:
        if request.POST.get("do") == "take":
            _say_taken(request, use)
        elif request.POST.get("do") == "decline":
            decline_offer(use=use, actor=request.user, now=timezone.now())
            messages.success(request, _("The version was declined; the tree stays as it is."))
    except RefusedError as refusal:
        messages.error(request, str(refusal))
        return redirect("tree-template", use.tree.public_id)
    return redirect("tree-edit", use.tree.public_id)


def _say_taken(request: HttpRequest, use: TemplateUse) -> None:
    taking = take_offer(use=use, actor=request.user, now=timezone.now())
    messages.success(request, _("Version %(number)s is taken over.") % {"number": use.offered_version})
    if taking.left:
        said = ngettext(
            "%(count)s node stays, since misses, improvement actions or meetings refer to it.",
            "%(count)s nodes stay, since misses, improvement actions or meetings refer to them.",
            len(taking.left),
        )
        messages.warning(request, said % {"count": len(taking.left)})
