"""The same records loaded by dlt with plain dicts, in an environment of its own: another reference in the same run.

dlt is no part of the product. It is installed where this is asked for, beside the data of the measurement.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from django.db import connection

from config import embedded
from config.benchmarks.report import Line, Report
from config.benchmarks.syncing import KEEP_DAYS, PAGES, ROUNDS, Stage, connect, empty, load
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
    theirs = min(_load_by_dlt(stage, python, home, size, number) for number in range(ROUNDS))
    with tenant_context(stage.company):
        for name, keep_days, goal in (("without", 0, GOAL), ("with", KEEP_DAYS, None)):
            ours = min(_first_load(stage, size, keep_days, f"{name}, {n}") for n in range(ROUNDS))
            remark = f"dlt {theirs:.2f} s, ours {ours:.2f} s"
            label = f"dlt's way with dicts ÷ first load {name} keeping what came"
            report.add(Line(label, theirs / ours, "", goal, remark, True))


def _load_by_dlt(stage: Stage, python: Path, home: Path, size: int, number: int) -> float:
    """Seconds from an empty place to all records in a table of dlt's own."""
    url = f"http://127.0.0.1:{stage.port}/deals?count={stage.count}&size={size}"
    name = f"dlt_{stage.company.slug.replace('-', '_')}_{number}"
    # dlt asks for a host and a password, although what it reaches by the socket needs neither.
    database = f"postgresql://mawaru:none@localhost/mawaru?host={embedded.directory() / 'run'}"
    command = [str(python), "-c", LOADER, url, database, name, str(home / "pipelines")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE; DROP SCHEMA IF EXISTS "{name}_staging" CASCADE')
    if done.returncode:
        raise RuntimeError(done.stderr)
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


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
