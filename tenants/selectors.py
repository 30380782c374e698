"""Reads about companies and the permission to enter them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final

from django.conf import settings
from django.core.cache import cache

from tenants.choices import CompanyType
from tenants.models import Company, ConsultantGrant

GRANT_CACHE_SECONDS: Final = 60


def find_live_grant(*, company: Company, console_user_id: uuid.UUID, now: datetime) -> ConsultantGrant | None:
    """The grant which lets this console user into `company` now, None without one."""
    grant = ConsultantGrant.objects.filter(company=company, console_user_id=console_user_id, revoked_at=None).first()
    return grant if grant is not None and grant.is_live(now) else None


def grant_key(console_user_id: uuid.UUID) -> str:
    return f"grant:{console_user_id}"


def is_grant_live(*, company: Company, console_user_id: uuid.UUID, now: datetime) -> bool:
    """Whether the grant is live, as known for at most a minute. Runs in the company's schema (its cache)."""
    key = grant_key(console_user_id)
    known = cache.get(key)
    if known is None:
        known = find_live_grant(company=company, console_user_id=console_user_id, now=now) is not None
        cache.set(key, known, GRANT_CACHE_SECONDS)
    return bool(known)


def company_address(company: Company) -> str:
    """Where the company answers, without a trailing slash."""
    usual = 443 if settings.SESSION_COOKIE_SECURE else 80
    port = "" if usual == settings.PUBLIC_PORT else f":{settings.PUBLIC_PORT}"
    scheme = "https" if settings.SESSION_COOKIE_SECURE else "http"
    return f"{scheme}://{company.slug}.{settings.BASE_DOMAIN}{port}"


def find_console() -> Company | None:
    """The console when it answers, else None."""
    return Company.objects.ready().filter(type=CompanyType.CONSOLE).first()
