"""Calls from sources, and the page on which their address is opened."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from integrations.choices import ConnectionKind, describe_problem
from integrations.connectors.hooks import MAX_BODY_BYTES, Call, HookRefusedError
from integrations.forms.hooks import HookForm
from integrations.models import Connection
from integrations.selectors.hooks import hook_state
from integrations.services.connections import ConnectionRequestError
from integrations.services.credentials import SealedError
from integrations.services.hooks import (
    OpenedHook,
    UnknownHookError,
    close_hook,
    hook_kind,
    open_hook,
    receive_call,
)
from tenants.capabilities import Capability, require


@csrf_exempt
@require_POST
@never_cache
def receive(request: HttpRequest, token: str, secret: str = "") -> HttpResponse:
    """Take a call of a source in. Whoever cannot prove to be one learns nothing: not even that the address exists."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        return HttpResponse(status=413)
    try:
        receive_call(token=token, call=_call_of(request, secret), now=timezone.now())
    except (UnknownHookError, HookRefusedError):
        return HttpResponse(status=404)
    return HttpResponse(status=204)


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def hook(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """The address at which the source may call: open, replace, close."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found = get_object_or_404(Connection.objects.exclude(kind=ConnectionKind.FILE), public_id=connection_id)
    if hook_kind(found) is None:
        raise Http404
    form = HookForm(request.POST or None)
    if request.method == "POST" and "close" in request.POST:
        close_hook(connection=found, now=timezone.now())
        messages.success(request, _("Calls are not taken any more. What came in is still fetched."))
        return redirect("hook", connection_id)
    if request.method == "POST" and form.is_valid() and (opened := _opened(form, found)):
        return _page(request, found, HookForm(), opened)
    return _page(request, found, form, None)


def _opened(form: HookForm, connection: Connection) -> OpenedHook | None:
    """The address that was opened; None when that was refused, which the form then says."""
    try:
        return open_hook(connection=connection, secret=form.cleaned_data["secret"], now=timezone.now())
    except ConnectionRequestError as error:
        form.add_error("secret" if error.field == "secret" else None, str(error))
    except SealedError:
        form.add_error(None, describe_problem("sealed", {}))
    return None


def _page(request: HttpRequest, connection: Connection, form: HookForm, opened: OpenedHook | None) -> HttpResponse:
    state, kind = hook_state(connection=connection), hook_kind(connection)
    in_address = kind is not None and kind.is_secret_in_address
    context: dict[str, Any] = {"connection": connection, "state": state, "form": form, "in_address": in_address}
    if opened is not None:
        parts = [opened.hook.token, opened.secret] if in_address else [opened.hook.token]
        context |= {"address": _address(request, *parts), "secret": "" if in_address else opened.secret}
    elif state.hook is not None and not in_address:
        context["address"] = _address(request, state.hook.token)
    return render(request, "integrations/hook.html", context, status=422 if form.errors else 200)


def _address(request: HttpRequest, *parts: str) -> str:
    return request.build_absolute_uri(reverse("hook_call", args=parts))


def _call_of(request: HttpRequest, secret: str) -> Call:
    """The call with the address it was sent to: behind a proxy, https is what the source saw."""
    url = request.build_absolute_uri()
    urls = dict.fromkeys([url, f"https://{url.partition('://')[2]}"])
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Call(request.method or "", tuple(urls), headers, request.body, secret)
