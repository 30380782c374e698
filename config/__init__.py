"""The composition root: settings, URLs, Celery and the pages that need several floors."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
