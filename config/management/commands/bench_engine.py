"""`manage.py bench_engine`: measures the KPI engine with a large company and writes docs/benchmarks/engine.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from config import embedded
from config.benchmarks.recomputing import measure_curve, measure_recompute
from config.benchmarks.report import Report
from config.benchmarks.serving import measure_reads
from config.benchmarks.world import Size, build

ABOUT = (
    "Written by `make bench-engine`, which makes a company of 500 people in 60 teams with a tree of 40 nodes over"
    " 36 months. Every goal is a ratio to a reference timed in the same run; PostgreSQL with the settings of"
    " `config/embedded.py`.",
)


class Command(BaseCommand):
    help = "Measures recompute and reads with a large company; fails where a goal is missed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--deals", type=int, default=1_000_000, help="twice as many leads come with them")
        parser.add_argument("--without-curve", action="store_true", help="leave the other companies out")
        parser.add_argument("--out", type=Path, default=settings.BASE_DIR / "docs" / "benchmarks" / "engine.md")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("This makes companies with a known password, so it runs with DEBUG=1 only.")
        prefix = f"bench-{timezone.now():%m%d%H%M%S}"
        size = Size.of(options["deals"])
        report = Report(f"The engine with {size.deals:,} deals and {size.leads:,} leads", self._say)
        try:
            world = build(size, slug=prefix, say=self._say)
            measure_recompute(world, report)
            measure_reads(world, report, logs=embedded.directory() / "logs")
            if not options["without_curve"]:
                measure_curve(report, say=self._say, prefix=prefix)
        finally:  # what was measured is worth keeping when something after it fails
            report.write(options["out"], today=timezone.localdate(), about=ABOUT)
        if not report.is_met:
            missed = ", ".join(line.name for line in report.lines if not line.is_met)
            raise CommandError(f"Goals missed: {missed}.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
