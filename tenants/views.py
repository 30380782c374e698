"""The page of the base domain."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from tenants.selectors import company_address, find_console


@require_safe
def welcome(request: HttpRequest) -> HttpResponse:
    """Companies have addresses of their own; this one only points to the console."""
    console = find_console()
    return render(request, "tenants/welcome.html", {"console_url": company_address(console) if console else ""})
