"""Looser content policies for the two places whose pages are not ours: the admin and the API reference."""

from collections.abc import Callable

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse

POLICIES = {
    "/admin/": {"script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]},
    "/api/docs/": {"script-src": [SELF], "style-src": [SELF, UNSAFE_INLINE]},
}


class ForeignPagesPolicyMiddleware:
    """Unfold needs inline scripts and Alpine's evaluation, Swagger UI inline styles; ours need neither."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        policy = next((policy for prefix, policy in POLICIES.items() if request.path.startswith(prefix)), None)
        if policy is not None:
            response._csp_replace = policy
        return response
