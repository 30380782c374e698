"""The step between test and fields: a preset that fills the mappings, or none."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from integrations.choices import describe_problem
from integrations.connectors.errors import ConnectorError
from integrations.connectors.presets import presets_for
from integrations.forms.presets import PresetForm
from integrations.models import Connection
from integrations.services.connections import ConnectionRequestError
from integrations.services.presets import PresetAtSource, propose_preset, take_preset
from tenants.capabilities import Capability, require

TEMPLATE = "integrations/source_preset.html"


@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def source_preset(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Choose a preset for a source, see what it comes to there, and keep what fits."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    connection = get_object_or_404(Connection, public_id=connection_id)
    offered = presets_for(connection.kind)
    if not offered:
        raise Http404
    chosen = request.GET.get("preset", "")
    context: dict[str, Any] = {"connection": connection, "presets": offered, "chosen": chosen}
    if not chosen:
        return render(request, TEMPLATE, context)
    try:
        found = propose_preset(connection=connection, preset=chosen)
    except ConnectionRequestError as error:
        raise Http404(str(error)) from error
    except ConnectorError as error:
        context["problem"] = describe_problem(error.code, error.params)
        return render(request, TEMPLATE, context)
    form = PresetForm(request.POST if request.method == "POST" else None, proposals=found.usable)
    if form.is_bound and form.is_valid() and _is_taken(form, connection, found):
        messages.success(request, _("The fields are filled. Look at each stream before the first load."))
        return redirect("streams", connection.public_id)
    context |= {"found": found, "form": form}
    return render(request, TEMPLATE, context, status=422 if form.errors else 200)


def _is_taken(form: PresetForm, connection: Connection, found: PresetAtSource) -> bool:
    """Put what the valid form keeps in force; False when it was refused, which the form then says."""
    try:
        take_preset(connection=connection, preset=found.preset.code, mappings=form.mappings, now=timezone.now())
    except ConnectionRequestError as error:
        form.add_error(None, str(error))
        return False
    return True
