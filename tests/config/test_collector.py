"""Processes that stay let the garbage collector rest."""

import subprocess
import sys

import pytest
from django.conf import settings

from config.collector import THRESHOLDS

BEGIN = "from celery.signals import worker_process_init as begin; begin.send(None)"


@pytest.mark.parametrize(
    "process", ["import config.wsgi", f"import config, django; django.setup(); {BEGIN}"], ids=["web", "worker"]
)
def test_what_is_loaded_is_not_looked_through_again(process: str) -> None:
    told = f"{process}; import gc; print(gc.get_freeze_count() > 50_000, gc.get_threshold())"
    environment = {"DEBUG": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True, cwd=settings.BASE_DIR, env=environment
    )
    assert done.stdout.splitlines()[-1] == f"True {THRESHOLDS}"
