"""The application with one more address, which does nothing: what middleware, session and permission cost alone."""

from __future__ import annotations

import os

from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
settings.TENANT_TYPES["company"]["URLCONF"] = "config.benchmarks.urls"
settings.DEBUG = False  # as in production, where nobody keeps the text of every query
settings.API_CALLS_PER_MINUTE = 1_000_000  # the limit is not what is measured

from config.wsgi import application  # noqa: E402 - after what it reads

__all__ = ["application"]
