"""What an API key may do: its scopes in the terms of the capability table. A key reads and writes all rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from integrations.choices import Scope
from tenants.capabilities import Capability
from tenants.capabilities import Scope as Rows

READ = (Capability.READ_RESULTS, Capability.READ_PERSON_RESULTS, Capability.READ_LOCKED_VALUES)
WRITE = (
    Capability.SET_TARGETS,
    Capability.CLOSE_PERIODS,
    Capability.PROVISIONAL_PERIODS,
    Capability.ANSWER_MISSES,
    Capability.LOG_ACTIONS,
    Capability.RUN_MEETINGS,
    Capability.ENTER_VALUES,
    Capability.MANAGE_DEFINITIONS,
    Capability.MANAGE_CONNECTIONS,
)
ADMIN = (Capability.MANAGE_CALENDAR, Capability.MANAGE_PEOPLE, Capability.MANAGE_KEYS)
OF_SCOPE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        Scope.READ: READ,
        Scope.WRITE: WRITE,
        Scope.ADMIN: ADMIN,
        Scope.EVALUATION: (Capability.READ_EVALUATIONS,),
    }
)


def capabilities_of(scopes: Iterable[str]) -> dict[str, str]:
    """Capability → rows, for every capability the scopes give."""
    return {capability: Rows.ALL for scope in scopes for capability in OF_SCOPE[scope]}
