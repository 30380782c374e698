"""The Celery application and what beat does on its own: hand out work, never do it."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

from config.collector import let_collector_rest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("mawaru")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def _begin(**_told: Any) -> None:
    let_collector_rest()
