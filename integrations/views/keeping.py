"""What a source said and we keep: for how long, and mapping it again."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from integrations.choices import describe_problem
from integrations.connectors.errors import ConnectorError
from integrations.forms import KeepForm
from integrations.models import Connection
from integrations.services.connections import set_keep_days
from integrations.services.resync import remap
from tenants.capabilities import Capability, require


@require_POST
@login_required
def connection_remap(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Map what is kept again, rejected records too, without asking the source."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found = get_object_or_404(Connection, public_id=connection_id)
    try:
        run = remap(connection=found, actor=request.user, now=timezone.now())
    except ConnectorError as error:
        messages.error(request, describe_problem(error.code, error.params))
        return redirect("connection", connection_id)
    return redirect("sync_run", run.public_id)


@require_POST
@login_required
def connection_keep(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Say how many days what the source said is kept."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found = get_object_or_404(Connection, public_id=connection_id)
    form = KeepForm(request.POST)
    if form.is_valid():
        set_keep_days(connection=found, days=form.cleaned_data["days"], now=timezone.now())
        messages.success(request, _("Saved."))
    else:
        messages.error(request, " ".join(error for errors in form.errors.values() for error in errors))
    return redirect("connection", connection_id)
