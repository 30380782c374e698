"""Refusals of the services as problem documents."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework import status

from kpis.api.problems import FieldError, Problem
from reviews.services.errors import AlreadyAnsweredError, MinutesConflictError, ReviewError, WrongStateError
from tenants.accounts.models import User

CONFLICTS = (AlreadyAnsweredError, MinutesConflictError, WrongStateError)


@contextmanager
def as_problem() -> Iterator[None]:
    """What a service refuses becomes 409 (the state does not allow it) or 400 (a field is wrong)."""
    try:
        yield
    except ReviewError as error:
        message = str(error)
        is_conflict = isinstance(error, CONFLICTS)
        raise Problem(
            status=status.HTTP_409_CONFLICT if is_conflict else status.HTTP_400_BAD_REQUEST,
            code=error.code,
            detail=message,
            errors=[FieldError(error.field, error.code, message)] if error.field else [],
        ) from error


def actor_of(user: Any) -> User | None:
    """The person who asks; an API key is nobody in particular."""
    return user if isinstance(user, User) else None
