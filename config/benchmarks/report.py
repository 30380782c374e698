"""A table of measurements with their goals, printed and written to docs/benchmarks/."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from django.db import connection


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement. `goal` is the most (`is_least`: the least) that it may be; None where it is only told."""

    name: str
    measured: float
    unit: str
    goal: float | None = None
    remark: str = ""
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        if self.goal is None:
            return True
        return self.measured >= self.goal if self.is_least else self.measured <= self.goal

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        goal = "" if self.goal is None else f"{'≥' if self.is_least else '≤'} {_short(self.goal)}"
        verdict = "" if self.goal is None else ("met" if self.is_met else "**missed**")
        return self.name, f"{_short(self.measured)} {self.unit}".strip(), goal, verdict, self.remark


@dataclass
class Report:
    """The lines of one run, told as they come."""

    title: str
    say: Callable[[str], None]
    lines: list[Line] = field(default_factory=list)

    def add(self, line: Line) -> None:
        self.lines.append(line)
        self.say("  " + " · ".join(cell for cell in line.cells if cell))

    @property
    def is_met(self) -> bool:
        return all(line.is_met for line in self.lines)

    def write(self, path: Path, *, today: date, about: Sequence[str]) -> None:
        """The table as Markdown, in place of an earlier one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self._markdown(today, about), encoding="utf-8")

    def _markdown(self, today: date, about: Sequence[str]) -> str:
        heads = ("measurement", "measured", "goal", "", "remark")
        rows = [heads, ("---",) * len(heads), *(line.cells for line in self.lines)]
        table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
        machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
        return "\n\n".join([f"# {self.title}", f"Measured on {today:%Y-%m-%d}, {machine}.", *about, table]) + "\n"


@contextmanager
def timed() -> Iterator[list[float]]:
    """Yields a list to which the seconds of the block are added."""
    taken: list[float] = []
    start = time.perf_counter()
    yield taken
    taken.append(time.perf_counter() - start)


def processor_seconds() -> tuple[float, float]:
    """Seconds that this process and its own server process of PostgreSQL have computed so far; 0 where that is far."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        told = Path(f"/proc/{cursor.fetchone()[0]}/stat")
    try:
        words = told.read_text().rpartition(")")[2].split()
    except OSError:
        return time.process_time(), 0.0
    return time.process_time(), (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def p95(samples: Sequence[float]) -> float:
    """The time below which 95 of 100 samples lie."""
    return statistics.quantiles(samples, n=20, method="inclusive")[-1]


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
