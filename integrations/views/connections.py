"""Where data comes from, whether it arrives, and how to bring some."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from integrations.choices import ConnectionKind, RunKind, Trigger, describe_problem
from integrations.connectors.errors import ConnectorError
from integrations.forms import FrequencyForm, KeepForm, PushedForm, ResyncForm, UploadForm, ValueForm
from integrations.models import Connection, SyncRun, Upload
from integrations.selectors.comparisons import last_comparison
from integrations.selectors.connections import (
    connection_state,
    connection_states,
    next_run_at,
    pushed_sources,
    quota_of,
    stream_states,
    streams_read,
)
from integrations.selectors.drift import drift_warnings, warnings_for
from integrations.selectors.hooks import hook_state
from integrations.selectors.kept import kept_by
from integrations.selectors.plans import current_mappings, expected_patterns, preview
from integrations.selectors.rejections import standing_of, standing_rejections
from integrations.selectors.troubles import asked_to_mend
from integrations.services.connections import (
    ConnectionRequestError,
    add_value,
    pause_connection,
    resume_connection,
    set_frequency,
    set_pushed_frequency,
    set_stream_frequencies,
)
from integrations.services.consent import takes_consent
from integrations.services.hooks import hook_kind
from integrations.services.runs import request_run, sync_now
from integrations.services.sources import is_pulled
from integrations.services.uploads import IncomingFile, inbox_path, receive_files
from kpis.models import FactStream, KpiNode
from tenants.capabilities import Capability, has_capability, require

RUNS_SHOWN = 20
REJECTED_SHOWN = 10


def first_step(request: HttpRequest, **_objects: Any) -> dict[str, Any] | None:
    """For the first page of the day: how data arrives at all, as long as none does."""
    if not has_capability(request.user, Capability.MANAGE_CONNECTIONS):
        return None
    return None if Connection.objects.exists() or FactStream.objects.exists() else {}


def drift_panel(request: HttpRequest, *, node: KpiNode, **_objects: Any) -> dict[str, Any] | None:
    """For the page of a KPI: what has changed at a source and hurts this number."""
    if node.metric is None:
        return None
    found = warnings_for(metric=node.metric, day=timezone.localdate())
    may_mend = has_capability(request.user, Capability.MANAGE_CONNECTIONS)
    return {"warnings": found, "may_mend": may_mend} if found else None


@require_GET
@login_required
def connections(request: HttpRequest) -> HttpResponse:
    """All connections with their health."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    now = timezone.now()
    states = connection_states(now=now)
    pushed = [
        (
            source,
            PushedForm(auto_id=f"{source.name}_%s", initial={"source": source.name}, current=source.expected_every),
        )
        for source in pushed_sources(now=now)
    ]
    is_busy = any(state.under_way for state in states)
    return render(request, "integrations/connections.html", {"states": states, "is_busy": is_busy, "pushed": pushed})


@require_GET
@login_required
def connection(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """One connection: its state, its last runs, and the way to send files."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found = get_object_or_404(Connection, public_id=connection_id)
    if is_pulled(found):
        return _source_page(request, found)
    return _connection_page(request, found, UploadForm())


@require_POST
@login_required
def upload(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Receive files and show what they would bring."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found = get_object_or_404(Connection, public_id=connection_id, kind=ConnectionKind.FILE)
    form = UploadForm(request.POST, request.FILES)
    if form.is_valid():
        incoming = [IncomingFile(file.name, file) for file in form.cleaned_data["uploads"]]
        try:
            received = receive_files(
                connection=found, files=incoming, trigger=Trigger.UPLOAD, actor=request.user, now=timezone.now()
            )
        except ConnectorError as error:
            form.add_error("uploads", describe_problem(error.code, error.params))
        else:
            return redirect("upload_preview", found.public_id, received.public_id)
    return _connection_page(request, found, form)


@require_http_methods(["GET", "POST"])
@login_required
def upload_preview(request: HttpRequest, connection_id: uuid.UUID, upload_id: uuid.UUID) -> HttpResponse:
    """What an upload would bring; POST imports it."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    received = get_object_or_404(
        Upload.objects.select_related("connection"), public_id=upload_id, connection__public_id=connection_id
    )
    if request.method == "POST":
        run = request_run(
            connection=received.connection,
            upload=received,
            trigger=Trigger.UPLOAD,
            actor=request.user,
            now=timezone.now(),
        )
        return redirect("sync_run", run.public_id)
    context: dict[str, object] = {"connection": received.connection, "upload": received}
    try:
        context["streams"] = preview(upload=received, connection=received.connection)
    except ConnectorError as error:
        context["problem"] = describe_problem(error.code, error.params)
    return render(request, "integrations/upload_preview.html", context)


@require_POST
@login_required
def map_value(request: HttpRequest, connection_id: uuid.UUID, upload_id: uuid.UUID) -> HttpResponse:
    """Say what a word of the source means, and look at the upload again."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found = get_object_or_404(Connection, public_id=connection_id)
    form = ValueForm(request.POST)
    if form.is_valid():
        try:
            add_value(connection=found, **form.cleaned_data, now=timezone.now())
        except ConnectionRequestError as error:
            messages.error(request, str(error))
    else:
        messages.error(request, _("Say what the word means."))
    return redirect("upload_preview", connection_id, upload_id)


@require_POST
@login_required
def sync(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Ask the source now; of files, import what lies in the folder, else the last delivery again."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found = get_object_or_404(Connection, public_id=connection_id)
    try:
        run = sync_now(connection=found, actor=request.user, now=timezone.now())
    except ConnectorError as error:
        messages.error(request, describe_problem(error.code, error.params))
        return redirect("connection", found.public_id)
    return redirect("sync_run", run.public_id)


@require_POST
@login_required
def pause(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Read nothing more on schedule."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    pause_connection(connection=get_object_or_404(Connection, public_id=connection_id), now=timezone.now())
    return redirect("connection", connection_id)


@require_POST
@login_required
def resume(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Read on schedule again."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    resume_connection(connection=get_object_or_404(Connection, public_id=connection_id), now=timezone.now())
    return redirect("connection", connection_id)


@require_POST
@login_required
def frequency(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Say how often data is due."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found, now = get_object_or_404(Connection, public_id=connection_id), timezone.now()
    form = FrequencyForm(request.POST, connection=found, streams=streams_read(connection=found))
    if form.is_valid():
        set_frequency(connection=found, every=form.cleaned_data["every"], now=now)
        set_stream_frequencies(connection=found, minutes=form.stream_minutes, now=now)
        messages.success(request, _("The frequency is saved."))
    else:
        messages.error(request, _("Choose one of the frequencies offered."))
    return redirect("connection", connection_id)


@require_POST
@login_required
def pushed_frequency(request: HttpRequest) -> HttpResponse:
    """Say how often a source that sends its data itself is due to."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    form = PushedForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose one of the frequencies offered."))
        return redirect("connections")
    try:
        set_pushed_frequency(**form.cleaned_data)
    except ConnectionRequestError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The frequency is saved."))
    return redirect("connections")


def _source_page(request: HttpRequest, found: Connection) -> HttpResponse:
    """A source that is called: what stops it, its streams, its last runs, and the way to read it again."""
    missing = standing_of(connection=found)
    context = {
        "state": connection_state(connection=found, rejected_count=missing.count, now=timezone.now()),
        "missing": missing,
        "rejected": standing_rejections(connection=found)[:REJECTED_SHOWN],
        "takes_consent": takes_consent(found),
        "asked": asked_to_mend(found) if found.stopped_by else (),
        "connection": found,
        "runs": _runs_shown(request, found),
        "comparison": last_comparison(connection=found),
        "drift": drift_warnings(connections=[found], day=timezone.localdate()),
        "quota": quota_of(connection=found),
        "calls": hook_state(connection=found) if hook_kind(found) else None,
        "streams": stream_states(connection=found, rejected=missing.by_stream),
        "frequency_form": FrequencyForm(connection=found, streams=streams_read(connection=found)),
        "next_run_at": next_run_at(connection=found),
        "kept": kept_by(connection=found),
        "keep_form": KeepForm(initial={"days": found.keep_days}),
        "resync_form": ResyncForm(),
    }
    return render(request, "integrations/source.html", context)


def _runs_shown(request: HttpRequest, found: Connection) -> Page[SyncRun]:
    """A page of the runs, without those that fetch single records: there is one for every few notifications."""
    runs = SyncRun.objects.filter(connection=found).exclude(kind=RunKind.EVENTS)
    return Paginator(runs.select_related("actor"), RUNS_SHOWN).get_page(request.GET.get("page"))


def _connection_page(request: HttpRequest, found: Connection, form: UploadForm) -> HttpResponse:
    missing = standing_of(connection=found)
    context = {
        "state": connection_state(connection=found, rejected_count=missing.count, now=timezone.now()),
        "missing": missing,
        "rejected": standing_rejections(connection=found)[:REJECTED_SHOWN],
        "connection": found,
        "runs": _runs_shown(request, found),
        "mappings": current_mappings(connection=found),
        "patterns": expected_patterns(connection=found),
        "inbox": inbox_path(connection=found),
        "form": form,
        "frequency_form": FrequencyForm(connection=found),
        "next_run_at": next_run_at(connection=found),
        "kept": kept_by(connection=found),
        "keep_form": KeepForm(initial={"days": found.keep_days}),
    }
    return render(request, "integrations/connection.html", context, status=422 if form.errors else 200)
