"""The API key that the demo prints: made once, written down beside the database, made anew when it stopped working."""

from __future__ import annotations

from pathlib import Path

from django.utils import timezone

from config.demo.keeping import keep_key, kept_key
from integrations.choices import Scope
from integrations.models import ApiKey
from integrations.services.api_keys import BadKeyError, create_api_key, find_api_key, revoke_api_key
from tenants.context import tenant_context
from tenants.models import Company

KEY_NAME = "デモ"


def ensure_key(directory: Path, company: Company) -> str:
    """A key that works, for reading and writing."""
    now = timezone.now()
    kept = kept_key(directory, company.slug)
    with tenant_context(company):
        if kept is not None:
            try:
                find_api_key(text=kept, now=now)
            except BadKeyError:
                pass
            else:
                return kept
        for lost in ApiKey.objects.filter(name=KEY_NAME, revoked_at=None):
            revoke_api_key(key=lost, now=now)
        _key, text = create_api_key(name=KEY_NAME, scopes=[Scope.READ, Scope.WRITE], actor=None, now=now)
    keep_key(directory, company.slug, text)
    return text
