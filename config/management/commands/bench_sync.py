"""`manage.py bench_sync`: measures how fast records come in, and writes docs/benchmarks/sync.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config.benchmarks.dlt_path import measure_dlt
from config.benchmarks.report import Report
from config.benchmarks.syncing import (
    MANY,
    ROUNDS,
    Stage,
    build,
    measure_loads,
    measure_memory,
    measure_workbook,
    served,
)

ABOUT = (
    "Written by `make bench-sync`. Deals come over HTTP on loopback from a source in a process of its own, through"
    " mapping, validation and change detection into the table of a company, as a worker does it. The bare limit fetches"
    " the same pages, COPYs them into a temporary table and runs one `INSERT … ON CONFLICT … WHERE distinct` into the"
    " same table with the same indexes, in one transaction: references by join, no rules, no reasons, no history,"
    " nothing marked for recomputing. Of several rounds, in which what is compared follows one another, the ratio in"
    " the middle counts, and seconds are the quickest; PostgreSQL with the settings of `config/embedded.py`.",
)


class Command(BaseCommand):
    help = "Measures how fast records come in; fails where a goal is missed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--deals", type=int, default=100_000)
        parser.add_argument("--rounds", type=int, default=ROUNDS)
        parser.add_argument("--dlt", action="store_true", help="measure dlt too, installed into a place of its own")
        parser.add_argument("--many", type=int, default=MANY, help="records of the measurement of memory")
        parser.add_argument("--without-memory", action="store_true", help="leave the measurement of memory out")
        parser.add_argument("--profile", type=Path, help="write a profile of the first load here")
        parser.add_argument("--out", type=Path, default=settings.BASE_DIR / "docs" / "benchmarks" / "sync.md")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("This makes a company for the measurement, so it runs with DEBUG=1 only.")
        report = Report(f"How fast {options['deals']:,} records come in", self._say)
        company = build(f"sync-{timezone.now():%m%d%H%M%S}", say=self._say)
        try:
            with served() as port:
                stage = Stage(company, port, options["deals"])
                measure_loads(stage, report, rounds=options["rounds"], profile=options["profile"])
                measure_workbook(stage, report)
                if options["dlt"]:
                    measure_dlt(stage, report)
                if not options["without_memory"]:
                    measure_memory(stage, report, many=options["many"])
        finally:  # what was measured is worth keeping when something after it fails
            report.write(options["out"], today=timezone.localdate(), about=ABOUT)
        if not report.is_met:
            missed = ", ".join(line.name for line in report.lines if not line.is_met)
            raise CommandError(f"Goals missed: {missed}.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
