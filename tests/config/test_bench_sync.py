"""A goal that is missed makes the measurement fail, and what was measured is written all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from config.benchmarks.report import Line, Report
from config.management.commands import bench_sync


class TestReport:
    @pytest.mark.parametrize(
        ("line", "is_met"),
        [
            (Line("told only", 9, "s"), True),
            (Line("at most", 2, "s", goal=2), True),
            (Line("at most", 2.1, "s", goal=2), False),
            (Line("at least", 0.6, "", goal=0.6, is_least=True), True),
            (Line("at least", 0.59, "", goal=0.6, is_least=True), False),
        ],
    )
    def test_a_line_says_whether_its_goal_is_met(self, line: Line, is_met: bool) -> None:
        assert line.is_met is is_met
        assert ("**missed**" in line.cells) is not is_met

    def test_one_missed_goal_is_enough(self) -> None:
        report = Report("Small", lambda _line: None)
        assert report.is_met
        report.add(Line("good", 1, "s", goal=2))
        assert report.is_met
        report.add(Line("bad", 3, "s", goal=2))
        report.add(Line("good again", 1, "s", goal=2))
        assert not report.is_met


class TestCommand:
    @pytest.fixture
    def measured(self, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Any:
        """`measured(0.5)`: the command where the first load comes to this part of the bare limit."""
        settings.DEBUG = True

        @contextmanager
        def served() -> Iterator[int]:
            yield 0

        monkeypatch.setattr(bench_sync, "build", lambda *_args, **_more: None)
        monkeypatch.setattr(bench_sync, "served", served)
        monkeypatch.setattr(bench_sync, "measure_workbook", lambda _stage, _report: None)

        def run(share: float) -> Path:
            def loads(_stage: Any, report: Report, **_more: Any) -> None:
                report.add(Line("First load ÷ the bare limit", share, "", goal=0.6, is_least=True))

            monkeypatch.setattr(bench_sync, "measure_loads", loads)
            call_command("bench_sync", "--without-memory", out=tmp_path / "sync.md", stdout=StringIO())
            return tmp_path / "sync.md"

        return run

    def test_ends_well_where_every_goal_is_met(self, measured: Any) -> None:
        assert "| met |" in measured(0.7).read_text()

    def test_fails_naming_the_goal_that_is_missed_and_keeps_the_table(self, measured: Any, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="Goals missed: First load") as failed:
            measured(0.5)
        assert failed.value.returncode == 1
        assert "**missed**" in (tmp_path / "sync.md").read_text()
