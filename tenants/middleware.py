"""Which company a request belongs to, and whether a consultant may still be in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import split_domain_port
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import set_urlconf
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from tenants.choices import CompanyStatus
from tenants.context import current_company, public_context, tenant_context
from tenants.models import Company, Domain
from tenants.selectors import is_grant_live

GetResponse = Callable[[HttpRequest], HttpResponse]


class CompanyMiddleware:
    """Answers in the schema of the company whose exact host name was asked, once that company is ready."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            host = split_domain_port(request.get_host())[0]
        except DisallowedHost:
            host = ""
        with public_context():
            if host == settings.BASE_DOMAIN:
                return self._answer(request, "public")
            domain = Domain.objects.select_related("tenant").filter(domain=host).first() if host else None
            company = domain.tenant if domain else None
            # Before the language was chosen, so that it is not the one of the thread's last visitor.
            with translation.override(translation.get_language_from_request(request)):
                refusal = _refuse(company, request)
            if refusal is not None:
                return refusal
        with tenant_context(company):
            request.company = company
            response = self._answer(request, company.type)
        if response.streaming:
            response.streaming_content = _stream(company, response.streaming_content)
        return response

    def _answer(self, request: HttpRequest, kind: str) -> HttpResponse:
        request.urlconf = settings.TENANT_TYPES[kind]["URLCONF"]
        set_urlconf(request.urlconf)
        return self.get_response(request)


def _stream(company: Company, parts: Iterable[bytes]) -> Iterator[bytes]:
    """A streamed body is made after the middleware has returned, so it selects the company again."""
    with tenant_context(company):
        yield from parts


def _refuse(company: Company | None, request: HttpRequest) -> HttpResponse | None:
    answer = _problem if request.path_info.startswith("/api/") else _page
    # A NUL names nothing, and PostgreSQL refuses even to look for it.
    if "\x00" in request.path_info:
        return answer(404, "not_found", _("Not found"), _("There is nothing at this address."))
    if "%00" in request.META["QUERY_STRING"]:
        return answer(400, "invalid", _("The request is faulty"), _("Check the address you typed."))
    if company is None or company.status == CompanyStatus.ARCHIVED:
        return answer(
            404, "unknown_company", _("There is no company at this address"), _("Check the address you typed.")
        )
    if company.status == CompanyStatus.PROVISIONING:
        title = _("This company is being prepared")
        sentence = _("It will answer here as soon as it is ready. Try in a minute.")
        refusal = answer(503, "provisioning", title, sentence)
        refusal["Retry-After"] = "10"
        return refusal
    if company.status == CompanyStatus.SUSPENDED:
        return answer(403, "suspended", _("This company is suspended"), _("Its data is kept. Ask your consultant."))
    return None


def _problem(status: int, code: str, title: str, sentence: str) -> HttpResponse:
    problem = {"type": "about:blank", "title": title, "status": status, "detail": sentence, "code": code, "errors": []}
    return JsonResponse(problem, status=status, content_type="application/problem+json")


def _page(status: int, code: str, title: str, sentence: str) -> HttpResponse:
    body = render_to_string("tenants/host_page.html", {"title": title, "sentence": sentence})
    return HttpResponse(body, status=status)


class GrantMiddleware:
    """A consultant inside a client needs a live grant at every request; without one the session ends."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user: Any = getattr(request, "user", None)
        mirrored_from = getattr(user, "mirrored_from", None)
        if mirrored_from is not None:
            now = timezone.now()
            in_time = user.expires_at is not None and user.expires_at > now
            if not (in_time and is_grant_live(company=current_company(), console_user_id=mirrored_from, now=now)):
                logout(request)
                return redirect(settings.LOGIN_URL)
        return self.get_response(request)
