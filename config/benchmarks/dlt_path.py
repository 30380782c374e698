"""The same records loaded by dlt with plain dicts, in an environment of its own: another reference in the same run.

dlt ends in a table of its own, of texts and with no index. Until the records are where the product reads them, there is
the one statement of the bare limit left to do: into the same table of the company, references by join. Both are told.

dlt is no part of the product. It is installed where this is asked for, beside the data of the measurement.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from django.db import connection, transaction

from config import embedded
from config.benchmarks.report import Line, Report, timed
from config.benchmarks.syncing import KEEP_DAYS, PAGES, ROUNDS, STAGED, UPSERT, Stage, connect, empty, load
from tenants.context import tenant_context

REQUIREMENT = "dlt[postgres]>=1.31,<2"
GOAL = 2
LOADER = """
import json, sys, time
import dlt, httpx

def deals(url):
    with httpx.Client() as client:
        number = 1
        while records := json.loads(client.get(f"{url}&page={number}").content)["data"]:
            yield records
            number += 1

url, database, name, home = sys.argv[1:]
pipeline = dlt.pipeline(name, destination=dlt.destinations.postgres(database), dataset_name=name, pipelines_dir=home)
began = time.perf_counter()
pipeline.run(deals(url), table_name="deals", write_disposition="merge", primary_key="id")
print(json.dumps({"seconds": time.perf_counter() - began}))
"""


def measure_dlt(stage: Stage, report: Report) -> None:
    """How many times as fast as dlt's way with dicts the first load is; dlt keeps nothing of what came but the rows."""
    home = embedded.directory() / "dlt"
    python = _installed(home, report)
    size = PAGES[0]
    theirs: list[tuple[float, float]] = []
    ours: dict[int, list[float]] = {0: [], KEEP_DAYS: []}
    with tenant_context(stage.company):
        for number in range(ROUNDS):
            empty()
            theirs.append(_load_by_dlt(stage, python, home, size, number))
            for keep_days, taken in ours.items():
                taken.append(_first_load(stage, size, keep_days, f"{keep_days} days, {number}"))
    for keep_days, name, goal in ((0, "without", GOAL), (KEEP_DAYS, "with", None)):
        for until, place, aim in ((1, "into the same table", goal), (0, "into a table of its own", None)):
            ratio = median(each[until] / own for each, own in zip(theirs, ours[keep_days], strict=True))
            remark = f"dlt {min(each[until] for each in theirs):.2f} s, ours {min(ours[keep_days]):.2f} s"
            label = f"dlt's way with dicts {place} ÷ first load {name} keeping what came"
            report.add(Line(label, ratio, "", aim, remark, is_least=True))


def _load_by_dlt(stage: Stage, python: Path, home: Path, size: int, number: int) -> tuple[float, float]:
    """Seconds from an empty place to all records in a table of dlt's own, and to all in that of the company."""
    url = f"http://127.0.0.1:{stage.port}/deals?count={stage.count}&size={size}"
    name = f"dlt_{stage.company.slug.replace('-', '_')}_{number}"
    # dlt asks for a host and a password, although what it reaches by the socket needs neither.
    database = f"postgresql://mawaru:none@localhost/mawaru?host={embedded.directory() / 'run'}"
    command = [str(python), "-c", LOADER, url, database, name, str(home / "pipelines")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        seconds = float(json.loads(done.stdout.splitlines()[-1])["seconds"])
        return seconds, seconds + _put_into_place(name)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE; DROP SCHEMA IF EXISTS "{name}_staging" CASCADE')


def _put_into_place(schema: str) -> float:
    """Seconds from dlt's table to the company's."""
    typed = ", ".join(f"{name}::{kind}" for name, kind in (each.split() for each in STAGED.split(", ")))
    with timed() as taken, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f'ANALYZE "{schema}".deals')
        cursor.execute(f'CREATE TEMPORARY VIEW bare AS SELECT {typed} FROM "{schema}".deals')
        cursor.execute(UPSERT)
        cursor.execute("DROP VIEW bare")
    return taken[0]


def _first_load(stage: Stage, size: int, keep_days: int, name: str) -> float:
    empty()
    return load(stage, connect(stage, size, keep_days=keep_days, name=f"beside dlt {name}")).seconds


def _installed(home: Path, report: Report) -> Path:
    python = home / "bin" / "python"
    if not python.exists():
        report.say(f"Installing dlt into {home} …")
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT, "httpx"]
        subprocess.run(command, check=True)
    return python
