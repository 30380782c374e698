"""Reads of the console: the clients and their state."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from tenants.accounts.models import User
from tenants.capabilities import Capability, Scope, scope_of
from tenants.console.models import CompanyHealth, CompanyRequest
from tenants.models import Company, ConsultantGrant


@dataclass(frozen=True)
class ClientRow:
    """One client on the console's list; `health` is None before its first task has run."""

    company: Company
    name: str
    health: CompanyHealth | None
    can_open: bool


def list_clients(*, user: User, now: datetime) -> list[ClientRow]:
    """The clients a console user may see, four queries: all for an owner, those with a live grant for a consultant."""
    granted = {
        grant.company_id
        for grant in ConsultantGrant.objects.filter(console_user_id=user.public_id, revoked_at=None)
        if grant.is_live(now)
    }
    companies = Company.objects.clients().living()
    if scope_of(user, Capability.OPEN_CLIENTS) != Scope.ALL:
        companies = companies.filter(id__in=granted)
    healths = CompanyHealth.objects.in_bulk()
    names = dict(CompanyRequest.objects.values_list("company_id", "name"))
    rows = [_client_row(company, healths.get(company.id), names, granted) for company in companies]
    return sorted(rows, key=lambda row: row.name)


def _client_row(
    company: Company, health: CompanyHealth | None, names: dict[uuid.UUID, str], granted: set[uuid.UUID]
) -> ClientRow:
    return ClientRow(
        company=company,
        name=health.name if health else names.get(company.id, company.slug),
        health=health,
        can_open=company.is_ready and company.id in granted,
    )
