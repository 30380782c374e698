"""Pages that notice, while they are open, that the values were computed again."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import get_conditional_response
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from kpis.selectors.kept import shown_version
from tenants.capabilities import Capability, require

View = Callable[..., HttpResponse]


def refreshing(view: View) -> View:
    """Let the page of a view, for who is signed in, refresh itself: base.html finds `request.values_version`.

    The version is read before what the page shows, so that the page is never older than the version it names.
    """

    @wraps(view)
    def with_version(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "GET":  # what was refused on POST would be gone with the next look
            request.values_version = shown_version()  # type: ignore[attr-defined]
        return view(request, *args, **kwargs)

    return with_version


@require_GET
@never_cache
def version(request: HttpRequest) -> HttpResponse:
    """The version of the values, for open pages that ask every other second: 304 while it is the one they name.

    401 for whoever is not signed in: a page that is open would follow a redirect to the form for ever.
    """
    if not request.user.is_authenticated:
        return HttpResponse(status=401)
    require(request.user, Capability.READ_RESULTS)
    found = shown_version()
    etag = f'"{found}"'
    answer = get_conditional_response(request, etag=etag, response=JsonResponse({"version": found}))
    answer["ETag"] = etag
    return answer
