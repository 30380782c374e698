"""Writes about users and roles, in the schema of the current company."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.db import transaction

from tenants.accounts.models import User
from tenants.capabilities import COMPANY_TABLE, CONSOLE_TABLE, Capability
from tenants.context import current_company


class UnknownRoleError(ValueError):
    """The role does not exist in this kind of schema."""


def seed_roles(*, roles: Iterable[str]) -> None:
    """Make the group of each role; a group that is there stays as it is."""
    Group.objects.bulk_create([Group(name=role) for role in roles], ignore_conflicts=True)


@transaction.atomic
def create_user(
    *, username: str, name: str, role: str, password: str | None = None, email: str = "", language: str = ""
) -> User:
    """A user with one role; without a password nobody can log in with it. Raises UnknownRoleError."""
    user = User(username=username, name=name, email=email, language=language)
    user.set_password(password)
    user.save()
    assign_roles(user=user, roles=[role])
    return user


@transaction.atomic
def assign_roles(*, user: User, roles: Iterable[str]) -> None:
    """Give `user` exactly these roles; who may use the admin follows from them. Raises UnknownRoleError."""
    wanted = set(roles)
    groups = list(Group.objects.filter(name__in=wanted))
    missing = wanted - {group.name for group in groups}
    if missing:
        raise UnknownRoleError(f"{', '.join(sorted(missing))}: no such role here. Use one of {', '.join(_table())}.")
    user.groups.set(groups)
    user.__dict__.pop("roles", None)
    user.is_staff = any(Capability.USE_ADMIN in _table()[role] for role in wanted)
    user.save(update_fields=["is_staff"])


def _table() -> dict[str, dict[str, str]]:
    return CONSOLE_TABLE if current_company().is_console else COMPANY_TABLE


def choose_language(*, user: User, language: str) -> None:
    """Remember the language in which somebody likes to read."""
    user.language = language
    user.save(update_fields=["language"])
