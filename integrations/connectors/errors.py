"""What can go wrong when a source is read, in closed kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["auth", "config", "rate_limit", "timeout", "remote", "data"]


class ConnectorError(Exception):
    """A source could not be read.

    `code` and `params` name the sentence shown to people (integrations.choices.describe_problem). `permanent` stops
    retries: a person has to change something first. `wait` is how many seconds the source asked to be left alone;
    None where it did not say.
    """

    def __init__(
        self, kind: Kind, code: str, *, permanent: bool = True, wait: float | None = None, **params: Any
    ) -> None:
        self.kind = kind
        self.code = code
        self.permanent = permanent
        self.wait = wait
        self.params: Mapping[str, Any] = params
        super().__init__(f"{code} {params}" if params else code)


class BadValueError(ValueError):
    """One cell cannot become the value its field needs; `code` names the sentence."""

    def __init__(self, code: str, **params: Any) -> None:
        self.code = code
        self.params: Mapping[str, Any] = params
        super().__init__(f"{code} {params}" if params else code)
