"""`manage.py bench_worker <slug> <run>`: one import in a process of its own, as a worker would do it, and measured.

Prints one JSON object: the seconds it took, those that Python and PostgreSQL computed, the memory of this process at
its peak in MB, and what became of the run.
"""

from __future__ import annotations

import cProfile
import json
import resource
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from django.conf import settings
from django.core.cache import caches
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from config.benchmarks.report import processor_seconds
from config.collector import let_collector_rest
from integrations.choices import ConnectionKind
from integrations.models import SyncRun
from integrations.services import sources
from integrations.services.budgets import Rate
from integrations.services.sync import run_sync
from tenants.context import tenant_context
from tenants.models import Company

# How fast a source may be called is not what is measured.
UNLIMITED = {"calls": Rate(1_000_000, 1)}


class Command(BaseCommand):
    help = "Takes one import on, lap by lap, until it has ended; for bench_sync."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("run", type=int)
        parser.add_argument("--profile", type=Path, help="write a profile here")

    def handle(self, *args: Any, **options: Any) -> None:
        settings.DEBUG = False  # as in production, where nobody keeps the text of every query
        profiler = cProfile.Profile() if options["profile"] else None
        rest = replace(sources.KINDS[ConnectionKind.REST], rates=UNLIMITED)
        kinds = {**sources.KINDS, ConnectionKind.REST: rest}
        with tenant_context(Company.objects.get(slug=options["slug"])), mock.patch.object(sources, "KINDS", kinds):
            caches["default"].get("warm")  # a worker has spoken to Redis before
            let_collector_rest()  # as every worker does
            began, spent = time.perf_counter(), processor_seconds()
            with profiler or nullcontext():
                run = _ended(options["run"])
            seconds = time.perf_counter() - began
            python, database = (after - before for after, before in zip(processor_seconds(), spent, strict=True))
        if profiler:
            profiler.dump_stats(options["profile"])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        counts = {"stored": run.inserted_count + run.updated_count, "rejected": run.rejected_count}
        told = {"seconds": seconds, "python": python, "database": database, "peak": peak}
        self.stdout.write(json.dumps({**told, **counts, "state": run.state, "problem": run.message}))


def _ended(run_id: int) -> SyncRun:
    """The run after as many laps as it takes."""
    while True:
        run = run_sync(run_id=run_id, owner="bench", now=timezone.now())
        assert run is not None, "the run waits for nobody"
        if not run.is_under_way:
            return run
