"""Every address of the three hosts, collected from the URL configuration itself."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from importlib import import_module

from django.urls import URLPattern, URLResolver

MISSING = uuid.UUID(int=0)
EXAMPLES = {"uuid": str(MISSING), "int": "0", "slug": "none", "str": "none", "path": "none"}


def routes_of(urlconf: str) -> list[str]:
    """Routes as written, without the admin's own (which tests/tenants/test_admin.py looks at model by model)."""
    return sorted({route for route in _walk(import_module(urlconf).urlpatterns) if not route.startswith("admin/")})


def _walk(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield route


def example_of(route: str) -> str:
    """An address of this route, naming an object that does not exist."""
    plain = re.sub(r"<(?:(\w+):)?\w+>", lambda found: EXAMPLES[found.group(1) or "str"], route)
    named = re.sub(r"\(\?P<\w+>[^)]*\)", EXAMPLES["uuid"], plain)
    return "/" + named.replace("^", "").replace("$", "").replace(r"\.", ".").replace(r"\Z", "")
