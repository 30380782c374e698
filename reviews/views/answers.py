"""What every page of this floor answers with."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from reviews.services.errors import ReviewError
from tenants.settings.selectors import company_settings

UNPROCESSABLE = 422


def page(
    request: HttpRequest, template: str, context: dict[str, Any], *, form: forms.Form | None = None
) -> HttpResponse:
    """A page, or its inside where it is shown in the sheet; 422 where `form` has faults."""
    has_faults = form is not None and form.is_bound and not form.is_valid()
    return render(
        request,
        template,
        {"currency": company_settings().currency, **context},
        status=UNPROCESSABLE if has_faults else None,
    )


def done(request: HttpRequest, url: str) -> HttpResponse:
    """After a change: from the sheet the page below is shown anew, otherwise on to `url`."""
    if request.htmx:
        return HttpResponseClientRefresh()
    return redirect(url)


def go(request: HttpRequest, url: str) -> HttpResponse:
    """After a change: on to `url`, also from the sheet."""
    return HttpResponseClientRedirect(url) if request.htmx else redirect(url)


def add_fault(form: forms.Form, error: ReviewError) -> None:
    """Show a refusal beside the field that it is about."""
    form.add_error(error.field if error.field in form.fields else None, str(error))
