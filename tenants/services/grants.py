"""Letting consultants into client companies: grants, hand-offs and the mirrored users they become."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.core.cache import cache
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.utils.translation import gettext as _

from tenants.accounts.choices import Role
from tenants.accounts.models import User
from tenants.accounts.services import assign_roles
from tenants.context import public_context, tenant_context
from tenants.models import Company, ConsultantGrant, HandOff
from tenants.selectors import find_live_grant, grant_key
from tenants.services.companies import get_console

TICKET_LIFE: Final = timedelta(seconds=60)
STAY: Final = timedelta(hours=8)
_signer = Signer(salt="tenants.hand-off")


class HandOffError(PermissionError):
    """The hand-off cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Ticket:
    """What the browser carries from the console to the client company."""

    token: str
    expires_at: datetime


def grant_access(
    *,
    company: Company,
    console_user_id: uuid.UUID,
    granted_by_id: uuid.UUID,
    expires_at: datetime | None = None,
    now: datetime,
) -> ConsultantGrant:
    """Let a console user enter a client as consultant; an earlier grant of the same user is replaced."""
    with public_context(), transaction.atomic():
        ConsultantGrant.objects.filter(company=company, console_user_id=console_user_id, revoked_at=None).update(
            revoked_at=now
        )
        return ConsultantGrant.objects.create(
            company=company,
            console_user_id=console_user_id,
            role=Role.CONSULTANT,
            granted_by_id=granted_by_id,
            granted_at=now,
            expires_at=expires_at,
        )


def revoke_access(*, company: Company, console_user_id: uuid.UUID, now: datetime) -> None:
    """End a grant; the consultant is out at the next request."""
    with public_context():
        ConsultantGrant.objects.filter(company=company, console_user_id=console_user_id, revoked_at=None).update(
            revoked_at=now
        )
    with tenant_context(company):
        cache.delete(grant_key(console_user_id))


def issue_ticket(*, company: Company, consultant: User, now: datetime) -> Ticket:
    """A signed ticket for one entry within a minute. Raises HandOffError without a live grant or a ready company."""
    with public_context():
        grant = find_live_grant(company=company, console_user_id=consultant.public_id, now=now)
        if grant is None or not Company.objects.ready().filter(id=company.id).exists():
            raise HandOffError(_("You have no access to this client. Ask the owner of the console for it."))
        hand_off = HandOff.objects.create(grant=grant, issued_at=now, expires_at=now + TICKET_LIFE)
    return Ticket(token=_signer.sign(str(hand_off.id)), expires_at=hand_off.expires_at)


def redeem_ticket(*, token: str, company: Company, now: datetime) -> User:
    """The mirrored user of the consultant who brings this ticket to `company`, which it is spent by.

    Raises HandOffError for a forged, foreign, used or late ticket, a dead grant or a console user who is gone.
    """
    refusal = _("This link has been used or is too old. Open the client again from the console.")
    try:
        hand_off_id = uuid.UUID(_signer.unsign(token))
    except (BadSignature, ValueError):
        raise HandOffError(refusal) from None
    with public_context(), transaction.atomic():
        spent = HandOff.objects.filter(id=hand_off_id, grant__company=company, used_at=None, expires_at__gt=now).update(
            used_at=now
        )
        if not spent:
            raise HandOffError(refusal)
        grant = HandOff.objects.select_related("grant").get(id=hand_off_id).grant
        if not grant.is_live(now):
            raise HandOffError(_("Your access to this client has ended. Ask the owner of the console for it."))
        with tenant_context(get_console()):
            consultant = User.objects.filter(public_id=grant.console_user_id, is_active=True).first()
        if consultant is None:
            raise HandOffError(refusal)
        return mirror_consultant(company=company, consultant=consultant, role=grant.role, now=now)


def mirror_consultant(*, company: Company, consultant: User, role: str, now: datetime) -> User:
    """The local user which stands for a console user in `company`, good for eight hours from `now`."""
    with tenant_context(company), transaction.atomic():
        user = User.objects.filter(mirrored_from=consultant.public_id).first()
        if user is None:
            user = User(mirrored_from=consultant.public_id, username=f"consultant-{consultant.public_id}")
            user.set_unusable_password()
        user.name = consultant.get_full_name() or consultant.username
        user.language = consultant.language
        user.is_active = True
        user.expires_at = now + STAY
        user.save()
        assign_roles(user=user, roles=[role])
    return user
