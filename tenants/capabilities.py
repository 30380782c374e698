"""Who may do what to which rows: one table for pages, API and admin."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.db import models
from django.utils.translation import gettext as _

from tenants.accounts.choices import Role
from tenants.context import find_current_company


class Scope(models.TextChoices):
    """Which rows; each includes the ones before it."""

    NONE = "none"
    OWN = "own"
    TEAM = "team"
    ALL = "all"


_WIDTH: Final = {Scope.NONE: 0, Scope.OWN: 1, Scope.TEAM: 2, Scope.ALL: 3}


class Capability(models.TextChoices):
    READ_RESULTS = "read_results"
    READ_PERSON_RESULTS = "read_person_results"
    READ_LOCKED_VALUES = "read_locked_values"
    SET_TARGETS = "set_targets"
    APPROVE_TARGETS = "approve_targets"
    CLOSE_PERIODS = "close_periods"
    PROVISIONAL_PERIODS = "provisional_periods"
    ANSWER_MISSES = "answer_misses"
    LOG_ACTIONS = "log_actions"
    RUN_MEETINGS = "run_meetings"
    ENTER_VALUES = "enter_values"
    MANAGE_DEFINITIONS = "manage_definitions"
    MANAGE_CONNECTIONS = "manage_connections"
    MANAGE_KEYS = "manage_keys"
    MANAGE_CALENDAR = "manage_calendar"
    MANAGE_PEOPLE = "manage_people"
    READ_EVALUATIONS = "read_evaluations"
    USE_ADMIN = "use_admin"
    OPEN_CLIENTS = "open_clients"
    ADD_CLIENTS = "add_clients"
    MANAGE_GRANTS = "manage_grants"


_RUNS_THE_COMPANY: Final = {
    Capability.READ_RESULTS: Scope.ALL,
    Capability.READ_PERSON_RESULTS: Scope.ALL,
    Capability.READ_LOCKED_VALUES: Scope.ALL,
    Capability.SET_TARGETS: Scope.ALL,
    Capability.CLOSE_PERIODS: Scope.ALL,
    Capability.PROVISIONAL_PERIODS: Scope.ALL,
    Capability.ANSWER_MISSES: Scope.ALL,
    Capability.LOG_ACTIONS: Scope.ALL,
    Capability.RUN_MEETINGS: Scope.ALL,
    Capability.ENTER_VALUES: Scope.ALL,
    Capability.MANAGE_DEFINITIONS: Scope.ALL,
    Capability.MANAGE_CONNECTIONS: Scope.ALL,
    Capability.MANAGE_KEYS: Scope.ALL,
    Capability.MANAGE_CALENDAR: Scope.ALL,
    Capability.MANAGE_PEOPLE: Scope.ALL,
    Capability.USE_ADMIN: Scope.ALL,
}

COMPANY_TABLE: Final[dict[str, dict[str, str]]] = {
    Role.OWNER: {
        **_RUNS_THE_COMPANY,
        Capability.APPROVE_TARGETS: Scope.ALL,
        Capability.READ_EVALUATIONS: Scope.OWN,
    },
    Role.CONSULTANT: _RUNS_THE_COMPANY,
    Role.MANAGER: {
        Capability.READ_RESULTS: Scope.TEAM,
        Capability.READ_PERSON_RESULTS: Scope.TEAM,
        Capability.READ_LOCKED_VALUES: Scope.TEAM,
        Capability.SET_TARGETS: Scope.TEAM,
        Capability.APPROVE_TARGETS: Scope.TEAM,
        Capability.PROVISIONAL_PERIODS: Scope.ALL,
        Capability.ANSWER_MISSES: Scope.TEAM,
        Capability.LOG_ACTIONS: Scope.TEAM,
        Capability.RUN_MEETINGS: Scope.TEAM,
        Capability.ENTER_VALUES: Scope.TEAM,
        Capability.READ_EVALUATIONS: Scope.TEAM,
    },
    Role.MEMBER: {
        Capability.READ_RESULTS: Scope.OWN,
        Capability.READ_PERSON_RESULTS: Scope.OWN,
        Capability.READ_LOCKED_VALUES: Scope.OWN,
        Capability.LOG_ACTIONS: Scope.OWN,
        Capability.ENTER_VALUES: Scope.OWN,
        Capability.READ_EVALUATIONS: Scope.OWN,
    },
    Role.VIEWER: {Capability.READ_RESULTS: Scope.TEAM, Capability.READ_LOCKED_VALUES: Scope.TEAM},
    Role.HR: {
        Capability.READ_LOCKED_VALUES: Scope.ALL,
        Capability.MANAGE_PEOPLE: Scope.ALL,
        Capability.READ_EVALUATIONS: Scope.ALL,
        Capability.USE_ADMIN: Scope.ALL,
    },
}

CONSOLE_TABLE: Final[dict[str, dict[str, str]]] = {
    Role.OWNER: {
        Capability.OPEN_CLIENTS: Scope.ALL,
        Capability.ADD_CLIENTS: Scope.ALL,
        Capability.MANAGE_GRANTS: Scope.ALL,
        Capability.MANAGE_DEFINITIONS: Scope.ALL,
        Capability.MANAGE_PEOPLE: Scope.ALL,
        Capability.USE_ADMIN: Scope.ALL,
    },
    Role.CONSULTANT: {
        Capability.OPEN_CLIENTS: Scope.OWN,
        Capability.ADD_CLIENTS: Scope.ALL,
        Capability.MANAGE_DEFINITIONS: Scope.ALL,
        Capability.USE_ADMIN: Scope.ALL,
    },
}


def scope_of(user: Any, capability: str) -> str:
    """The widest scope any role of `user` gives for `capability`.

    Whoever is not a person (an API key) brings `capability_scopes`, a mapping of its own. Nobody has more than `none`
    without being logged in. Raises ValueError for a capability that does not exist.
    """
    capability = Capability(capability)
    given = getattr(user, "capability_scopes", None)
    if given is not None:
        return Scope(given.get(capability, Scope.NONE))
    if not getattr(user, "is_active", False):
        return Scope.NONE
    company = find_current_company()
    table = CONSOLE_TABLE if company is not None and company.is_console else COMPANY_TABLE
    scopes = [table.get(role, {}).get(capability, Scope.NONE) for role in user.roles]
    return Scope(max(scopes, key=lambda scope: _WIDTH[Scope(scope)], default=Scope.NONE))


def roles_with(capability: str) -> list[str]:
    """The roles of a client company that have a capability in any scope."""
    return [role for role, given in COMPANY_TABLE.items() if given.get(capability, Scope.NONE) != Scope.NONE]


def has_capability(user: Any, capability: str) -> bool:
    return scope_of(user, capability) != Scope.NONE


def require(user: Any, capability: str) -> str:
    """The scope of `capability`, for the caller to narrow rows by. Raises PermissionDenied when it is `none`."""
    scope = scope_of(user, capability)
    if scope == Scope.NONE:
        raise PermissionDenied(_("Your role does not allow this. Ask an owner of your company."))
    return scope


def assignable_roles(user: Any) -> frozenset[str]:
    """The roles that `user` may give to others: all but consultant for who runs the company, the plain ones for HR."""
    if scope_of(user, Capability.MANAGE_PEOPLE) == Scope.NONE:
        return frozenset()
    company = find_current_company()
    if company is not None and company.is_console:
        return frozenset(CONSOLE_TABLE)
    if has_capability(user, Capability.MANAGE_DEFINITIONS):
        return frozenset(COMPANY_TABLE) - {Role.CONSULTANT}
    return frozenset({Role.MANAGER, Role.MEMBER, Role.VIEWER})
