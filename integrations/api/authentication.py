"""`Authorization: Api-Key <key>`: other systems call as themselves, with the scopes their key was given."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from integrations.models import ApiKey
from integrations.permissions import capabilities_of
from integrations.services.api_keys import BadKeyError, find_api_key

KEYWORD = "Api-Key"


class KeyCaller:
    """Who calls with a key: nobody's login, all rows of its scopes."""

    is_authenticated = True
    is_active = True
    is_anonymous = False
    is_staff = False
    is_superuser = False
    roles: frozenset[str] = frozenset()

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.pk = None
        self.public_id = key.public_id
        self.capability_scopes = capabilities_of(key.scopes)

    def __str__(self) -> str:
        return self.key.name

    def get_username(self) -> str:
        return self.key.name


class ApiKeyAuthentication(BaseAuthentication):
    """Answers 401 with a sentence for a key that is malformed, unknown or revoked; leaves other schemes alone."""

    def authenticate(self, request: Request) -> tuple[KeyCaller, ApiKey] | None:
        keyword, _space, text = request.headers.get("Authorization", "").partition(" ")
        if keyword.casefold() != KEYWORD.casefold():
            return None
        if not text.strip():
            raise AuthenticationFailed(
                _("The header has no key. Write: Authorization: Api-Key <key>."), code="invalid_api_key"
            )
        try:
            key = find_api_key(text=text.strip(), now=timezone.now())
        except BadKeyError as error:
            raise AuthenticationFailed(str(error), code="invalid_api_key") from error
        return KeyCaller(key), key

    def authenticate_header(self, request: Request) -> str:
        """Makes a missing or wrong login 401 instead of 403."""
        return KEYWORD


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document describes it."""

    target_class = "integrations.api.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": f"{KEYWORD} followed by a blank and the key",
        }
