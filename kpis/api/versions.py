"""`ETag`, `If-Match` and `If-None-Match`: nobody overwrites what they have not seen."""

import hashlib
from typing import Any

from django.http import HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from kpis.api.problems import Problem


def etag_of(data: Any) -> str:
    """The version of a representation: a hash of its JSON."""
    return f'"{hashlib.sha256(JSONRenderer().render(data)).hexdigest()[:32]}"'


def check_if_match(request: Request, data: Any) -> None:
    """Raises a 412 problem when `If-Match` names another version than `data`, the present representation."""
    sent = request.headers.get("If-Match")
    if sent is None:
        return
    known = parse_etags(sent)
    if "*" not in known and etag_of(data) not in known:
        raise Problem(
            status=status.HTTP_412_PRECONDITION_FAILED,
            code="stale",
            detail=_("It was changed since you read it. Read it again and repeat your change."),
        )


def answer_rendered(request: Request, body: bytes, digest: str) -> HttpResponse:
    """`body`, JSON that was rendered before, with the hash of it as ETag; 304 when a reader already has it."""
    etag = f'"{digest[:32]}"'
    if is_known(request, etag):
        return HttpResponseNotModified(headers={"ETag": etag})
    return HttpResponse(body, content_type=JSONRenderer.media_type, headers={"ETag": etag})


def is_known(request: Request, etag: str) -> bool:
    """Whether `If-None-Match` names this version."""
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return etag in known or "*" in known


def answer(request: Request, data: Any, *, code: int = status.HTTP_200_OK) -> Response:
    """`data` with its ETag; 304 without a body when a reader already has this version."""
    etag = etag_of(data)
    if request.method in ("GET", "HEAD") and is_known(request, etag):
        return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag})
    return Response(data, status=code, headers={"ETag": etag})
