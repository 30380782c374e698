"""The way to the page of a source on which a person agrees to be read, and back."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from integrations.choices import describe_problem
from integrations.connectors.errors import ConnectorError
from integrations.models import Connection
from integrations.services.consent import asked_by, consent_address, redeem_consent, takes_consent
from integrations.services.credentials import SealedError
from tenants.capabilities import Capability, require

# What a source may say in an address is shown no longer than this.
ERROR_LENGTH = 100


@require_GET
@login_required
@never_cache
def consent(request: HttpRequest, connection_id: uuid.UUID) -> HttpResponse:
    """Send the person to the source, to agree there."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    found = get_object_or_404(Connection, public_id=connection_id)
    if not takes_consent(found):
        raise Http404
    try:
        address = consent_address(connection=found, actor=request.user, redirect_uri=_way_back(request))
    except (ConnectorError, SealedError) as error:
        messages.error(request, _sentence(error))
        return redirect("source_edit", found.public_id)
    return redirect(address)


@require_GET
@login_required
@never_cache
def consented(request: HttpRequest) -> HttpResponse:
    """Take the answer of the source: the consent, or that there is none."""
    require(request.user, Capability.MANAGE_CONNECTIONS)
    given = request.GET
    try:
        found = asked_by(state=given.get("state", ""), actor=request.user)
    except ConnectorError as error:
        messages.error(request, _sentence(error))
        return redirect("connections")
    try:
        if not given.get("code"):
            raise ConnectorError("auth", "consent_refused", error=given.get("error", "—")[:ERROR_LENGTH])
        redeem_consent(connection=found, code=given["code"], redirect_uri=_way_back(request), now=timezone.now())
    except (ConnectorError, SealedError) as error:
        messages.error(request, _sentence(error))
    else:
        messages.success(request, _("The account is connected."))
    return redirect("source_test", found.public_id)


def _way_back(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("consented"))


def _sentence(error: ConnectorError | SealedError) -> str:
    if isinstance(error, SealedError):
        return describe_problem("sealed", {})
    return describe_problem(error.code, error.params)
