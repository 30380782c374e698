"""Files with headings of their own: showing a sample, and what each kind of file is read as."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from integrations.choices import ConnectionKind, describe_problem
from integrations.connectors.catalogue import ORDER
from integrations.connectors.errors import ConnectorError
from integrations.forms import BY_SAMPLE, ConnectionForm, SampleForm
from integrations.models import Connection
from integrations.selectors.kinds import kinds_of_file
from integrations.selectors.labels import resource_label
from integrations.services.connections import ConnectionRequestError, create_connection
from integrations.services.samples import create_from_sample, receive_sample
from integrations.services.uploads import IncomingFile
from tenants.capabilities import Capability, require


@require_POST
@login_required
def file_sample(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Receive a file of which the columns are to be mapped."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found = get_object_or_404(Connection, public_id=connection_id, kind=ConnectionKind.FILE)
    form = SampleForm(request.POST, request.FILES)
    if form.is_valid():
        sent = form.cleaned_data["sample"]
        try:
            receive_sample(
                connection=found,
                sample=IncomingFile(sent.name, sent),
                reads=form.cleaned_data["reads"],
                sheet=form.cleaned_data["sheet"],
                actor=request.user,
                now=timezone.now(),
            )
        except ConnectorError as error:
            form.add_error(_place_of(error), describe_problem(error.code, error.params))
        else:
            messages.success(request, _("The sample is here. Say what its columns mean."))
            return redirect("streams", found.public_id)
    return kinds_page(request, found, form)


def kinds_page(request: HttpRequest, found: Connection, form: SampleForm) -> HttpResponse:
    """What each kind of file of a connection is read as, and the way to show another one."""
    context: dict[str, Any] = {
        "connection": found,
        "kinds": kinds_of_file(connection=found),
        "resources": [(slug, resource_label(slug)) for slug in ORDER],
        "form": form,
    }
    return render(request, "integrations/kinds_of_file.html", context, status=422 if form.errors else 200)


def set_up_files(request: HttpRequest) -> HttpResponse:
    """Set a file connection up, by a preset or by a sample."""
    form = ConnectionForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        values, now = dict(form.cleaned_data), timezone.now()
        preset, sample, sheet = (values.pop(name) for name in ("preset", "sample", "sheet"))
        try:
            if preset == BY_SAMPLE:
                sent = IncomingFile(sample.name, sample)
                made = create_from_sample(sample=sent, sheet=sheet, actor=request.user, now=now, **values)
                messages.success(request, _("The connection is set up. Now say what the columns of its files mean."))
                return redirect("streams", made.public_id)
            made = create_connection(preset=preset, now=now, **values)
        except ConnectionRequestError as error:
            form.add_error(error.field, str(error))
        except ConnectorError as error:
            form.add_error(_place_of(error), describe_problem(error.code, error.params))
        else:
            messages.success(request, _("The connection is set up. Now send its first files."))
            return redirect("connection", made.public_id)
    return render(request, "integrations/connection_new.html", {"form": form}, status=422 if form.errors else 200)


def _place_of(error: ConnectorError) -> str:
    """The field of the form that a fault of a sample is about."""
    return "sheet" if error.code in {"several_sheets", "missing_sheet"} else "sample"
