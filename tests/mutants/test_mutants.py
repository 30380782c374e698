"""Every fault of the table is noticed by its own test, which therefore is not green by accident."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from tests import database
from tests.mutants.table import IN_THE_GATE, MUTANTS, Mutant

PROJECT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".hypothesis", ".pytest_cache", ".mypy_cache", "screenshots")
OPTIONS = ["-x", "-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-profile=first failure"]
TESTS_FAILED = 1
TRIED = MUTANTS if os.environ.get("MAWARU_TIER") == "proof" else IN_THE_GATE


def name_of(mutant: Mutant) -> str:
    return f"{Path(mutant.path).stem}-{MUTANTS.index(mutant)}-{mutant.test_name}"


def run(mutant: Mutant, place: Path) -> subprocess.CompletedProcess[str]:
    """Run its test in a copy of the project that has the fault, on this session's database."""
    shutil.copytree(PROJECT, place, ignore=LEFT_OUT)
    source = place / mutant.path
    source.write_text(source.read_text().replace(mutant.old, mutant.new))
    try:
        return subprocess.run(
            [sys.executable, "-m", "pytest", mutant.test, *OPTIONS],
            cwd=place,
            env=os.environ | _environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        shutil.rmtree(place)


def _environment() -> dict[str, str]:
    return {
        "DATABASE_URL": database.url(),
        "REDIS_URL": settings.REDIS_URL,
        "MAWARU_TESTING": "1",
        "MAWARU_TIER": "test",
        database.IS_READY: "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.mark.gate
@pytest.mark.parametrize("mutant", TRIED, ids=name_of)
def test_is_noticed(mutant: Mutant, django_db_setup: None, tmp_path: Path) -> None:
    done = run(mutant, tmp_path / "project")
    noticed = done.returncode == TESTS_FAILED and re.search(r"\d+ failed", done.stdout)
    assert noticed, f"{mutant.path} was changed, and {mutant.test} did not fail:\n{done.stdout[-3000:]}{done.stderr}"


def test_the_table_is_up_to_date() -> None:
    for mutant in MUTANTS:
        assert (PROJECT / mutant.path).read_text().count(mutant.old) == 1, f"{mutant.path}: {mutant.old}"
        assert mutant.old != mutant.new
        assert f"def {mutant.test_name}(" in (PROJECT / mutant.test_file).read_text(), mutant.test
