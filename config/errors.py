"""What is said where nothing else could be said: a fault of ours, as a page or, on the API, as a problem."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import defaults


def server_error(request: HttpRequest) -> HttpResponse:
    """The answer to a fault that no view foresaw; the fault itself is in the log."""
    if not request.path_info.startswith("/api/"):
        return defaults.server_error(request)
    problem = {
        "type": "about:blank",
        "title": _("Something went wrong on our side"),
        "status": 500,
        "detail": _("Nothing you entered was half saved, and the fault was recorded. Please try again in a minute."),
        "code": "server_error",
        "errors": [],
    }
    return JsonResponse(problem, status=500, content_type="application/problem+json")
