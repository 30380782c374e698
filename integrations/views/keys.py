"""The keys with which other systems call."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from integrations.forms import ApiKeyForm
from integrations.models import ApiKey
from integrations.services.api_keys import create_api_key, revoke_api_key
from tenants.capabilities import Capability, require


@require_http_methods(["GET", "POST"])
@login_required
@never_cache
def api_keys(request: HttpRequest) -> HttpResponse:
    """All keys; a new one is shown in full this once."""
    require(request.user, Capability.MANAGE_KEYS)
    form, text = ApiKeyForm(request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        _key, text = create_api_key(**form.cleaned_data, actor=request.user, now=timezone.now())
        form = ApiKeyForm()
    context = {"form": form, "new_key": text, "keys": ApiKey.objects.select_related("created_by")}
    return render(request, "integrations/api_keys.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def key_revoke(request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    """Refuse a key from now on."""
    require(request.user, Capability.MANAGE_KEYS)
    revoke_api_key(key=get_object_or_404(ApiKey, public_id=key_id), now=timezone.now())
    return redirect("api_keys")
