"""Signing in and out, choosing a language, and coming in from the console."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import check_for_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django.views.i18n import set_language

from tenants.accounts.services import choose_language
from tenants.context import current_company
from tenants.services.grants import HandOffError, redeem_ticket


class SignInView(LoginView):
    """The sign-in page; the language somebody chose comes back with them."""

    template_name = "accounts/login.html"
    redirect_authenticated_user = True

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        _remember_language(response, form.get_user().language)
        return response


@require_POST
def change_language(request: HttpRequest) -> HttpResponse:
    """Switch the language, for the next visits too when somebody is signed in."""
    language = request.POST.get("language", "")
    if request.user.is_authenticated and check_for_language(language):
        choose_language(user=request.user, language=language)
    return set_language(request)


def sign_in_for_admin(request: HttpRequest) -> HttpResponse:
    """The admin has no sign-in page of its own; who is signed in already lacks the role for it."""
    if request.user.is_authenticated:
        raise PermissionDenied(_("Your role does not include the administration."))
    return redirect_to_login(request.GET.get("next", reverse("admin:index")))


@require_GET
@never_cache
def enter(request: HttpRequest) -> HttpResponse:
    """A consultant comes in with a ticket from the console."""
    try:
        user = redeem_ticket(token=request.GET.get("ticket", ""), company=current_company(), now=timezone.now())
    except HandOffError as error:
        return render(request, "accounts/hand_off_refused.html", {"sentence": str(error)}, status=403)
    login(request, user, backend="tenants.accounts.backends.RoleBackend")
    request.session.set_expiry(user.expires_at)
    response = redirect(settings.LOGIN_REDIRECT_URL)
    _remember_language(response, user.language)
    return response


def _remember_language(response: HttpResponse, language: str) -> None:
    if language:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, secure=settings.SESSION_COOKIE_SECURE, samesite="Lax"
        )
