"""Setting a source up that is called: kind, description and credentials, test, streams, fields, the first load."""

from __future__ import annotations

import uuid
from datetime import datetime, time
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from integrations.choices import ConnectionKind, Trigger, describe_problem
from integrations.connectors.catalogue import ORDER
from integrations.connectors.errors import ConnectorError
from integrations.connectors.mapping import StreamMapping
from integrations.connectors.presets import presets_for
from integrations.forms import (
    SETUPS,
    FrequencyForm,
    IdentityForm,
    MappingForm,
    ResyncForm,
    SampleForm,
    SourceForm,
)
from integrations.forms.sources import PREFIX
from integrations.models import Connection
from integrations.selectors.comparisons import held_back
from integrations.selectors.connections import stream_states, streams_read
from integrations.selectors.kinds import kind_called
from integrations.selectors.labels import resource_label
from integrations.selectors.plans import company_zone, current_mappings
from integrations.selectors.vocabulary import vocabularies
from integrations.services.comparing import request_comparison
from integrations.services.connections import (
    ConnectionRequestError,
    change_source,
    create_source,
    end_mapping,
    save_mapping,
    set_frequency,
    set_stream_frequencies,
)
from integrations.services.consent import takes_consent
from integrations.services.credentials import SealedError
from integrations.services.inspection import Sample, check_source, preview_sample, sample_stream, source_streams
from integrations.services.resync import resync
from integrations.services.runs import sync_now
from integrations.services.samples import sample_file
from integrations.services.sources import is_pulled
from integrations.views.files import kinds_page, set_up_files
from tenants.capabilities import Capability, require


@require_GET
@login_required
def connection_new(request: HttpRequest) -> HttpResponse:
    """Which kind of connection it is to be."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    return render(request, "integrations/connection_kinds.html", {"setups": SETUPS.values()})


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def connection_setup(request: HttpRequest, kind: str) -> HttpResponse:
    """Set a connection of one kind up."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    if kind not in SETUPS:
        raise Http404
    form = SETUPS[kind].form
    return set_up_files(request) if form is None else _set_up_source(request, form)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def source_edit(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Describe a source anew, or enter its credentials anew."""
    found = _source(request, connection_id)
    form_of = SETUPS[found.kind].form
    if form_of is None:
        raise Http404
    if _only_looks(request):
        access = form_of(initial=_shown(request, form_of), connection=found)
        return _anew(request, access, "integrations/source_edit.html", {"connection": found, "access": access})
    access = form_of(request.POST or None, initial=form_of.shown(found.description), connection=found)
    if request.method == "POST" and access.is_valid() and _change(access, found):
        messages.success(request, _("The source is changed. Test it once more."))
        return redirect("source_test", found.public_id)
    context = {"connection": found, "access": access}
    return render(request, "integrations/source_edit.html", context, status=422 if access.errors else 200)


@require_GET
@login_required
@never_cache
def source_test(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Call the source, and say whether it can be read or what has to be mended."""
    found = _source(request, connection_id)
    context = {
        "connection": found,
        "verdict": check_source(connection=found, today=timezone.localdate()),
        "presets": presets_for(found.kind),
        "takes_consent": takes_consent(found),
    }
    return render(request, "integrations/source_test.html", context)


@require_GET
@login_required
def streams(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """What each stream of the source, or each kind of file, is, and when it is read."""
    found = _mapped(request, connection_id)
    if not is_pulled(found):
        return kinds_page(request, found, SampleForm())
    mappings = current_mappings(connection=found)
    context: dict[str, Any] = {
        "connection": found,
        "resources": [(slug, resource_label(slug)) for slug in ORDER],
        "frequency_form": FrequencyForm(connection=found, streams=streams_read(connection=found)),
        "mappings": mappings,
        "presets": presets_for(found.kind),
    }
    try:
        offered = source_streams(connection=found)
    except ConnectorError as error:
        context["problem"] = describe_problem(error.code, error.params)
    else:
        context["streams"] = [(each, [one for one in mappings if one.reads == each.name]) for each in offered]
    return render(request, "integrations/streams.html", context)


@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def stream_mapping(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Where the fields of one resource come from in one stream, with what the first records would become."""
    found = _mapped(request, connection_id)
    reads, resource = request.GET.get("reads", ""), request.GET.get("resource", "")
    if resource not in ORDER or not reads:
        raise Http404
    states = stream_states(connection=found)
    state = next((each for each in states if (each.mapping.reads, each.mapping.resource) == (reads, resource)), None)
    current = state.mapping if state else None
    context: dict[str, Any] = {
        "connection": found,
        "reads": reads,
        "resource": resource,
        "current": current,
        "is_pulled": is_pulled(found),
    }
    each = request.POST.get("each", current.each if current else "")
    try:
        sample = _sampled(found, reads, each=each, current=current)
    except ConnectorError as error:
        context["problem"] = describe_problem(error.code, error.params)
        return render(request, "integrations/stream_mapping.html", context)
    form = MappingForm(
        request.POST or None,
        resource=resource,
        sample=sample,
        current=current,
        taken=[each.mapping.stream for each in states],
        unmapped=state.unmapped if state else None,
        vocabularies=vocabularies(resource=resource, source=found.source),
    )
    is_saved = "save" in request.POST
    if form.is_bound and form.is_valid() and is_saved:
        return _save(request, found, form.mapping)
    context |= {"form": form, "sample": sample}
    if current is not None or (form.is_bound and not form.errors):
        context["stream"] = preview_sample(connection=found, mapping=form.mapping, sample=sample)
    return render(request, "integrations/stream_mapping.html", context, status=422 if is_saved and form.errors else 200)


@require_POST
@login_required
def mapping_end(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Read a stream no longer by one of its mappings."""
    found = _mapped(request, connection_id)
    end_mapping(connection=found, stream=request.POST.get("stream", ""), now=timezone.now())
    messages.success(request, _("It is not read any more. What was stored stays."))
    return redirect("streams", connection_id)


@require_POST
@login_required
def source_start(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Say how often the source is read, and read it for the first time."""
    found, now = _source(request, connection_id), timezone.now()
    form = FrequencyForm(request.POST, connection=found, streams=streams_read(connection=found))
    if not form.is_valid():
        messages.error(request, _("Choose one of the frequencies offered."))
        return redirect("streams", connection_id)
    set_frequency(connection=found, every=form.cleaned_data["every"], now=now)
    set_stream_frequencies(connection=found, minutes=form.stream_minutes, now=now)
    run = sync_now(connection=found, actor=request.user, now=now)
    return redirect("sync_run", run.public_id)


@require_POST
@login_required
def source_resync(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Read the source again, from the beginning or from a day on."""
    found = _source(request, connection_id)
    form = ResyncForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give the day as 2026-10-01, or leave it empty."))
        return redirect("connection", connection_id)
    day = form.cleaned_data["since"]
    since = None if day is None else datetime.combine(day, time.min, tzinfo=company_zone())
    run = resync(connection=found, since=since, actor=request.user, now=timezone.now())
    return redirect("sync_run", run.public_id)


@require_POST
@login_required
def source_compare(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Compare what is here with the source; with `confirm`, withdraw what that comparison held back."""
    found = _source(request, connection_id)
    allowed = held_back(connection=found, run=request.POST.get("confirm", ""))
    run = request_comparison(
        connection=found, allowed=allowed, trigger=Trigger.MANUAL, actor=request.user, now=timezone.now()
    )
    return redirect("sync_run", run.public_id)


def _mapped(request: HttpRequest, connection_id: uuid.UUID) -> Connection:
    """The connection of an address, of any kind."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    return get_object_or_404(Connection, public_id=connection_id)


def _sampled(found: Connection, reads: str, *, each: str, current: StreamMapping | None) -> Sample:
    """A look into a stream of a source, or into a kind of file. Raises ConnectorError."""
    if is_pulled(found):
        return sample_stream(connection=found, stream=reads, each=each)
    kind = kind_called(reads, connection=found)
    if kind is None:
        raise ConnectorError("data", "no_sample", reads=reads)
    return sample_file(kind=kind, current=current)


def _source(request: HttpRequest, connection_id: uuid.UUID) -> Connection:
    """The connection of an address, which has to be one that is called."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    return get_object_or_404(Connection.objects.exclude(kind=ConnectionKind.FILE), public_id=connection_id)


def _set_up_source(request: HttpRequest, form_of: type[SourceForm]) -> HttpResponse:
    if _only_looks(request):
        identity, access = IdentityForm(initial=request.POST.dict()), form_of(initial=_shown(request, form_of))
        return _anew(request, access, "integrations/source_new.html", {"identity": identity, "access": access})
    identity, access = IdentityForm(request.POST or None), form_of(request.POST or None)
    if request.method == "POST" and identity.is_valid() and access.is_valid():
        try:
            made = create_source(
                **identity.cleaned_data,
                kind=form_of.kind,
                description=access.described(access.cleaned_data),
                secrets=access.secrets or {},
                now=timezone.now(),
            )
        except ConnectionRequestError as error:
            name = [message for field, message in error.faults if field == "name"]
            access.add_faults([fault for fault in error.faults if fault[0] != "name"])
            for message in name:
                identity.add_error("name", message)
        else:
            return redirect("source_test", made.public_id)
    context = {"identity": identity, "access": access}
    faulty = bool(identity.errors or access.errors)
    return render(request, "integrations/source_new.html", context, status=422 if faulty else 200)


def _change(access: SourceForm, connection: Connection) -> bool:
    """Change a source as the valid form says; False when it was refused, which the form then says."""
    try:
        change_source(
            connection=connection,
            description=access.described(access.cleaned_data),
            secrets=access.secrets,
            now=timezone.now(),
        )
    except ConnectionRequestError as error:
        access.add_faults(error.faults)
        return False
    except SealedError:
        access.add_error(None, describe_problem("sealed", {}))
        return False
    return True


def _only_looks(request: HttpRequest) -> bool:
    """Whether the form is only to be shown anew: with the example, or with the credentials of what is described."""
    return request.method == "POST" and ("example" in request.POST or "look" in request.POST)


def _anew(request: HttpRequest, access: SourceForm, template: str, context: dict[str, Any]) -> HttpResponse:
    """The form shown anew; nothing where it asks for the very credentials that are being typed into it."""
    typed = {name for name in request.POST if name.startswith(PREFIX)}
    if "look" in request.POST and typed == {field.name for field in access.secret_fields}:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return render(request, template, context)


def _shown(request: HttpRequest, form_of: type[SourceForm]) -> dict[str, Any]:
    """What the form of a source shows when it is shown anew; never credentials."""
    return form_of.shown(form_of.example) if "example" in request.POST else form_of.typed(request.POST)


def _save(request: HttpRequest, connection: Connection, mapping: StreamMapping) -> HttpResponse:
    save_mapping(connection=connection, mapping=mapping, now=timezone.now())
    messages.success(request, _("The fields are saved."))
    return redirect("streams", connection.public_id)
