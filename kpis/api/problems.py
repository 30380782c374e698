"""Every error of the API as one shape: `application/problem+json` (RFC 9457) with a stable code."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from kpis.services.refusal import RefusedError

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of one field; the field is a path such as `spec.filters.0.op`."""

    field: str
    code: str
    message: str


class Problem(exceptions.APIException):
    """A refusal with a status, a stable code, a sentence, and the faults of single fields."""

    def __init__(self, *, status: int, code: str, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.code = code
        self.errors = tuple(errors)


class FieldErrorSerializer(serializers.Serializer):
    """One fault of one field."""

    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """The shape of every error."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    errors = FieldErrorSerializer(many=True)


@dataclass(frozen=True, slots=True)
class _Kind:
    status: int
    code: str
    detail: str
    errors: list[FieldError] = field(default_factory=list)


def problem_response(exc: Exception, context: Mapping[str, Any]) -> Response | None:
    """The answer to an exception raised in a view; None leaves it to Django (a fault of ours, 500)."""
    kind = _kind(exc)
    if kind is None:
        return None
    set_rollback()
    response = Response(
        {
            "type": "about:blank",
            "title": _title(kind.status),
            "status": kind.status,
            "detail": _sayable(kind.detail),
            "code": kind.code,
            "errors": [
                {"field": _sayable(each.field), "code": each.code, "message": _sayable(each.message)}
                for each in kind.errors
            ],
        },
        status=kind.status,
        content_type=CONTENT_TYPE,
    )
    if challenge := getattr(exc, "auth_header", None):
        response["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        response["Retry-After"] = str(math.ceil(wait))
    return response


def _kind(exc: Exception) -> _Kind | None:
    match exc:
        case Problem():
            return _Kind(exc.status_code, exc.code, str(exc.detail), list(exc.errors))
        case exceptions.ValidationError():
            return _invalid(list(_flatten(exc.get_full_details())))
        case DjangoValidationError():
            return _invalid(list(_of_django(exc)))
        case Http404():
            return _Kind(status.HTTP_404_NOT_FOUND, "not_found", _("There is nothing at this address."))
        case RefusedError() if exc.issues:
            errors = [FieldError(issue.field, issue.code, issue.translated(_)) for issue in exc.issues]
            return _Kind(status.HTTP_400_BAD_REQUEST, exc.code, str(exc), errors)
        case RefusedError():
            return _Kind(status.HTTP_409_CONFLICT, exc.code, str(exc))
        case PermissionDenied():
            detail = str(exc) or _("You are not allowed to do this.")
            return _Kind(status.HTTP_403_FORBIDDEN, "permission_denied", detail)
        case exceptions.APIException():
            detail = exc.detail if isinstance(exc.detail, str) else exc.default_detail
            return _Kind(exc.status_code, str(getattr(detail, "code", exc.default_code)), str(detail))
    return None


def _sayable(text: str) -> str:
    """The text with a ? for half a character (a lone surrogate), which JSON may send and no answer can hold."""
    return text.encode(errors="replace").decode()


def _invalid(errors: list[FieldError]) -> _Kind:
    return _Kind(status.HTTP_400_BAD_REQUEST, "invalid", _("The request has faults; see errors."), errors)


def _flatten(details: Any, path: str = "") -> Iterator[FieldError]:
    if isinstance(details, Mapping) and set(details) == {"message", "code"}:
        yield FieldError(path, str(details["code"]), str(details["message"]))
    elif isinstance(details, Mapping):
        for name, inner in details.items():
            plain = name in (NON_FIELD_ERRORS, "non_field_errors")
            yield from _flatten(inner, path if plain else _join(path, str(name)))
    else:
        leaves = all(isinstance(inner, Mapping) and set(inner) == {"message", "code"} for inner in details)
        for index, inner in enumerate(details):
            yield from _flatten(inner, path if leaves else _join(path, str(index)))


def _of_django(exc: DjangoValidationError) -> Iterator[FieldError]:
    by_field = exc.error_dict if hasattr(exc, "error_dict") else {NON_FIELD_ERRORS: exc.error_list}
    for name, errors in by_field.items():
        for error in errors:
            yield FieldError("" if name == NON_FIELD_ERRORS else name, error.code or "invalid", error.messages[0])


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _title(code: int) -> str:
    titles = {
        400: _("The request is faulty"),
        401: _("Not signed in"),
        403: _("Not allowed"),
        404: _("Not found"),
        405: _("Method not allowed"),
        409: _("In conflict with the present state"),
        412: _("Changed in the meantime"),
        415: _("Unknown media type"),
        422: _("Cannot be processed"),
        429: _("Too many requests"),
    }
    return titles.get(code, _("The request failed"))
