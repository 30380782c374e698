"""What Salesforce's answers mean: its error codes, and how much of the org's calls of the day is used."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from integrations.connectors.errors import ConnectorError
from integrations.connectors.http import Answer, Budget, retry_after, said_in
from integrations.connectors.quota import DailyShare

# The pool of calls is filled again over 24 hours, so that in an hour some are free.
REFILL_SECONDS = 3600.0
CONCURRENCY_SECONDS = 60.0
TIMEOUT_SECONDS = 300.0
_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")


class Quota(DailyShare):
    """The org's calls of the last 24 hours."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(budget, lambda: REFILL_SECONDS)

    def classify(self, answer: Answer) -> ConnectorError | None:
        """Notes the usage; what the answer means, where its status alone does not say it."""
        if found := _USAGE.search(answer.headers.get("sforce-limit-info", "")):
            self.used, self.limit = int(found[1]), int(found[2])
        return refusal_of(answer)


def refusal_of(answer: Answer) -> ConnectorError | None:
    """The meaning of an error code; None where the status says it (and where there is no error)."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        return None
    said: dict[str, Any] = {"status": answer.status, "message": said_in(answer)}
    match error_code(answer):
        case "REQUEST_LIMIT_EXCEEDED":
            pause = CONCURRENCY_SECONDS if "concurrent" in said["message"].casefold() else REFILL_SECONDS
            wait = retry_after(answer) or pause
            return ConnectorError("rate_limit", "too_many_calls", permanent=False, wait=wait, **said)
        case "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED":
            return ConnectorError("auth", "api_disabled", **said)
        case "UNABLE_TO_LOCK_ROW":
            return ConnectorError("remote", "source_busy", permanent=False, **said)
        case "QUERY_TIMEOUT":
            return ConnectorError("timeout", "query_timeout", permanent=False, wait=TIMEOUT_SECONDS)
        case "INVALID_QUERY_LOCATOR":
            return ConnectorError("remote", "locator_gone", **said)
    return None


def error_code(answer: Answer) -> str:
    """The code of an error, which comes as a list; '' where the body is something else."""
    try:
        body = answer.json()
    except ConnectorError:
        return ""
    first = body[0] if isinstance(body, list) and body else None
    return str(first.get("errorCode", "")) if isinstance(first, dict) else ""
