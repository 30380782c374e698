"""Making, checking and revoking API keys."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from integrations.choices import Scope
from integrations.models import ApiKey

PREFIX_LENGTH = 8
USE_RECORDED_EVERY = timedelta(minutes=1)


class ScopeError(ValueError):
    """The scopes asked for do not exist or are none at all."""


class BadKeyError(Exception):
    """The key sent is not one of ours, or was revoked."""


def create_api_key(*, name: str, scopes: Iterable[str], actor: Any, now: datetime) -> tuple[ApiKey, str]:
    """A new key and its secret text, which is shown this once and never stored. Raises ScopeError."""
    wanted = sorted(set(scopes), key=Scope.values.index) if set(scopes) <= set(Scope.values) else []
    if not wanted:
        raise ScopeError(_("Choose at least one scope of: %(known)s.") % {"known": ", ".join(Scope.values)})
    prefix, secret = secrets.token_hex(PREFIX_LENGTH // 2), secrets.token_urlsafe(32)
    text = f"{prefix}.{secret}"
    key = ApiKey.objects.create(
        name=name, prefix=prefix, secret_hash=_hash(text), scopes=wanted, created_by=actor, created_at=now
    )
    return key, text


def find_api_key(*, text: str, now: datetime) -> ApiKey:
    """The living key that `text` is; its last use is noted at most once a minute. Raises BadKeyError."""
    prefix = text.partition(".")[0]
    key = ApiKey.objects.filter(prefix=prefix).first()
    expected = key.secret_hash if key is not None else _hash("")
    if not hmac.compare_digest(expected, _hash(text)) or key is None:
        raise BadKeyError(_("This API key is not known. Check that it was copied whole, or make a new one."))
    if key.revoked_at is not None:
        raise BadKeyError(_("This API key was revoked. Ask an owner of the company for a new one."))
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USE_RECORDED_EVERY)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    return key


def revoke_api_key(*, key: ApiKey, now: datetime) -> None:
    """Refuse the key from now on; revoking twice keeps the first time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now)
    key.refresh_from_db()


def _hash(text: str) -> str:
    """A plain digest is enough for a secret of 256 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()
