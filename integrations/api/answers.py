"""What is answered where a service or a source refuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rest_framework import status

from integrations.choices import describe_problem
from integrations.connectors.errors import ConnectorError
from integrations.services.connections import ConnectionRequestError
from integrations.services.credentials import SealedError
from integrations.services.inspection import Remark
from kpis.api.problems import FieldError, Problem


def check_result(remarks: Sequence[Remark]) -> dict[str, Any]:
    """What a test answers: its remarks, and the first one that has to be mended."""
    first = next((each for each in remarks if each.is_bad), None)
    return {
        "ok": first is None,
        "code": first.code if first else "",
        "message": first.sentence if first else "",
        "findings": [{"code": each.code, "ok": not each.is_bad, "message": each.sentence} for each in remarks],
    }


@contextmanager
def refusals_answered() -> Iterator[None]:
    """What a service refuses within the block is answered with every fault."""
    try:
        yield
    except ConnectionRequestError as error:
        errors = [FieldError(field, "invalid", message) for field, message in error.faults]
        raise Problem(status=status.HTTP_400_BAD_REQUEST, code="invalid", detail=str(error), errors=errors) from error
    except SealedError:
        message = describe_problem("sealed", {})
        raise Problem(status=status.HTTP_409_CONFLICT, code="sealed", detail=message) from None


def as_problem(error: ConnectorError) -> Problem:
    return Problem(
        status=status.HTTP_400_BAD_REQUEST, code=error.code, detail=describe_problem(error.code, error.params)
    )
