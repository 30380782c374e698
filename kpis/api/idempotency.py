"""`Idempotency-Key`: a POST sent twice with the same key is done once and answered twice."""

import hashlib
from typing import Any

from django.core.cache import cache
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.problems import FieldError, Problem
from kpis.api.throttling import principal_of

HEADER = "Idempotency-Key"
KEPT_SECONDS = 24 * 60 * 60
RUNNING_SECONDS = 5 * 60
MAX_LENGTH = 255


class ReplayedError(Exception):
    """This call was answered before; carries that answer."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class IdempotentMixin:
    """Remembers the answers to POST calls with a key for a day, per caller and address."""

    _reserved: tuple[str, str] | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        sent = request.headers.get(HEADER)
        if request.method != "POST" or sent is None:
            return
        if not 1 <= len(sent) <= MAX_LENGTH:
            message = _("The key has 1 to %(max)s characters.") % {"max": MAX_LENGTH}
            raise _problem(status.HTTP_400_BAD_REQUEST, "invalid", message)
        place = hashlib.sha256("\n".join([principal_of(request), request.path, sent]).encode()).hexdigest()
        body = hashlib.sha256(request.get_full_path().encode() + b"\n" + request._request.body).hexdigest()
        self._reserved = _reserve(f"idempotency:{place}", body)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, ReplayedError):
            return exc.response
        return super().handle_exception(exc)  # type: ignore[misc, no-any-return]

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        if self._reserved is not None:
            place, body = self._reserved
            if response.status_code < status.HTTP_400_BAD_REQUEST:
                answer = {"body": body, "status": response.status_code, "data": response.data}
                cache.set(place, answer, KEPT_SECONDS)
            else:
                cache.delete(place)
        return response


def _reserve(place: str, body: str) -> tuple[str, str]:
    if cache.add(place, {"body": body, "status": None, "data": None}, RUNNING_SECONDS):
        return place, body
    kept = cache.get(place)
    if kept is None:
        return _reserve(place, body)
    if kept["body"] != body:
        message = _("This key was used for another request. Use a new key for a new request.")
        raise _problem(status.HTTP_422_UNPROCESSABLE_ENTITY, "idempotency_key_reused", message)
    if kept["status"] is None:
        message = _("The first request with this key is still running. Ask again in a moment.")
        raise _problem(status.HTTP_409_CONFLICT, "idempotency_key_in_use", message)
    raise ReplayedError(Response(kept["data"], status=kept["status"], headers={"Idempotent-Replayed": "true"}))


def _problem(code: int, name: str, message: str) -> Problem:
    return Problem(status=code, code=name, detail=message, errors=[FieldError(HEADER, name, message)])
