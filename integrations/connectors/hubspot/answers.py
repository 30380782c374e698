"""What HubSpot means by its answers: refusals, limits, and batches that were answered in part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from integrations.connectors.base import Usage
from integrations.connectors.errors import ConnectorError
from integrations.connectors.http import Answer, failure_of, retry_after, said_in

WAITS = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0}
LOCKED_SECONDS = 2.0
DEAD_REFRESH_TOKEN = {"invalid_grant", "BAD_REFRESH_TOKEN"}


def failure_in(answer: Answer, *, until_midnight: Callable[[], float]) -> ConnectorError | None:
    """What an answer means at HubSpot; its words are kept with the id by which its support finds the call.

    `until_midnight` says how many seconds the account's day has left.
    """
    if answer.status == HTTPStatus.MULTI_STATUS:
        return _partly(answer)
    general = failure_of(answer)
    if general is None or general.code == "moved":
        return general
    body = _body(answer)
    words, id = _words(answer, body), body.get("correlationId")
    said: Mapping[str, Any] = {"status": answer.status, "message": words, "correlation_id": id}
    wait = retry_after(answer)
    match answer.status:
        case HTTPStatus.TOO_MANY_REQUESTS if wait is None:
            policy = str(body.get("policyName") or "").upper()
            wait = until_midnight() if policy == "DAILY" else WAITS.get(policy)
        case HTTPStatus.LOCKED:
            wait = max(wait or 0.0, LOCKED_SECONDS)
        case HTTPStatus.FORBIDDEN if body.get("category") == "MISSING_SCOPES":
            # Of one stream only: the others may be read.
            return ConnectorError("config", "missing_scopes", scopes=", ".join(_scopes(body)), **said)
        case HTTPStatus.BAD_REQUEST if DEAD_REFRESH_TOKEN & {str(body.get("error")), str(body.get("status"))}:
            return ConnectorError("auth", "reconnect", **said)
    return ConnectorError(general.kind, general.code, permanent=general.permanent, wait=wait, **said)


def usage_in(answer: Answer) -> Usage | None:
    """How much of the account's day is used; None where the answer does not say it, as those of searches."""
    left, most = (answer.headers.get(f"X-HubSpot-RateLimit-Daily{name}", "") for name in ("-Remaining", ""))
    return Usage(int(most) - int(left), int(most)) if left.isdigit() and most.isdigit() else None


def rows_in(body: Mapping[str, Any], place: str) -> list[Mapping[str, Any]]:
    """The results of an answer. Raises ConnectorError of kind data where there are none to be found."""
    found = body.get("results")
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ConnectorError("data", "unexpected_answer", permanent=False, stream=place, path="results")
    return found


def _body(answer: Answer) -> Mapping[str, Any]:
    try:
        return answer.object()
    except ConnectorError:
        return {}


def _words(answer: Answer, body: Mapping[str, Any]) -> str:
    id = body.get("correlationId")
    return f"{said_in(answer)} (correlationId {id})".strip() if id else said_in(answer)


def _scopes(body: Mapping[str, Any]) -> list[str]:
    """The scopes that a refusal asks for."""
    contexts = [body.get("context") or {}, *(each.get("context") or {} for each in body.get("errors") or ())]
    names = ("requiredGranularScopes", "requiredScopes", "missingScopes")
    return sorted({str(scope) for context in contexts for name in names for scope in context.get(name) or ()})


def _partly(answer: Answer) -> ConnectorError | None:
    """Some ids of a batch were not found, which is an answer; anything else is tried again."""
    errors = answer.object().get("errors") or ()
    if all(each.get("category") == "OBJECT_NOT_FOUND" for each in errors):
        return None
    words = next(str(each.get("message") or "") for each in errors if each.get("category") != "OBJECT_NOT_FOUND")
    return ConnectorError("remote", "source_busy", permanent=False, status=answer.status, message=words)
