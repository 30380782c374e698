"""The consultant's pages: all clients, one entered, one added."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from tenants.capabilities import Capability, has_capability, require
from tenants.console.forms import CompanyForm
from tenants.console.selectors import list_clients
from tenants.models import Company
from tenants.selectors import company_address
from tenants.services.companies import CompanyRequestError, request_company
from tenants.services.grants import HandOffError, grant_access, issue_ticket

_CLIENT_HOSTS = f"*.{settings.BASE_DOMAIN}:{settings.PUBLIC_PORT}"


@require_GET
@login_required
@csp_update({"form-action": _CLIENT_HOSTS})
def clients(request: HttpRequest) -> HttpResponse:
    """All clients with their state. Opening one leads to its own host, which the form must be allowed to do."""
    require(request.user, Capability.OPEN_CLIENTS)
    rows = list_clients(user=request.user, now=timezone.now())
    return render(
        request,
        "console/clients.html",
        {
            "rows": rows,
            "is_waiting": any(not row.company.is_ready for row in rows),
            "can_add": has_capability(request.user, Capability.ADD_CLIENTS),
        },
    )


@require_POST
@login_required
def open_client(request: HttpRequest, company_id: uuid.UUID) -> HttpResponse:
    """Hand the consultant over to the client's own host."""
    require(request.user, Capability.OPEN_CLIENTS)
    company = get_object_or_404(Company.objects.clients().living(), id=company_id)
    try:
        ticket = issue_ticket(company=company, consultant=request.user, now=timezone.now())
    except HandOffError as error:
        messages.error(request, str(error))
        return redirect("home")
    return redirect(f"{company_address(company)}/enter/?{urlencode({'ticket': ticket.token})}")


@require_http_methods(["GET", "POST"])
@login_required
def add_client(request: HttpRequest) -> HttpResponse:
    """Ask for a new client company; whoever adds it may enter it."""
    require(request.user, Capability.ADD_CLIENTS)
    form = CompanyForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _request(request, form):
        messages.success(request, _("%(name)s is being prepared.") % {"name": form.cleaned_data["name"]})
        return redirect("home")
    return render(request, "console/add_client.html", {"form": form}, status=422 if form.errors else 200)


def _request(request: HttpRequest, form: CompanyForm) -> bool:
    answers = form.cleaned_data
    now = timezone.now()
    try:
        with transaction.atomic():
            company = request_company(
                slug=answers["slug"],
                name=answers["name"],
                fiscal_start_month=answers["fiscal_start"],
                closing_day=answers["closing_day"],
                currency=answers["currency"],
                template=answers["template"] or None,
                template_values=form.template_values(),
                now=now,
            )
            user_id = request.user.public_id
            grant_access(company=company, console_user_id=user_id, granted_by_id=user_id, now=now)
    except CompanyRequestError as error:
        form.add_error(error.field, str(error))
        return False
    return True
