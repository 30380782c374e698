"""The Celery application and what beat does on its own: hand out work, never do it."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("mawaru")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
