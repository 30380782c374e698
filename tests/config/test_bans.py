"""What the checks forbid is forbidden: a fault of each kind, put before the real rules."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent
FLOORS = ("config", "reviews", "integrations", "kpis", "tenants")


class TestLint:
    @pytest.mark.parametrize(
        ("source", "rule"),
        [
            ("from django_tenants.utils import schema_context\n", "TID251"),
            ("from django_tenants.utils import tenant_context\n", "TID251"),
            ("from django.db import connection\n\nconnection.set_tenant(None)\n", "TID251"),
            ("import threading\n\nthreading.Thread(target=id).start()\n", "TID251"),
            ("from concurrent.futures import ThreadPoolExecutor\n", "TID251"),
            ("from datetime import datetime\n\nnow = datetime.now()\n", "DTZ005"),
            ("print(1)\n", "T201"),
        ],
    )
    def test_refuses(self, source: str, rule: str) -> None:
        command = [
            TOOLS / "ruff",
            "check",
            "--no-cache",
            "--output-format=concise",
            "--stdin-filename",
            "kpis/new.py",
            "-",
        ]
        found = subprocess.run(command, cwd=PROJECT, input=source, capture_output=True, text=True)
        assert found.returncode == 1, found.stderr
        assert rule in found.stdout


@pytest.mark.gate
class TestFloors:
    @pytest.mark.parametrize(
        ("path", "fault"),
        [
            ("kpis/selectors/today.py", "import reviews.models\n"),
            ("tenants/cache.py", "import kpis.models\n"),
            ("kpis/engine/status.py", "import django.utils.timezone\n"),
            ("kpis/models/facts.py", "import kpis.services.facts\n"),
            ("kpis/helpers.py", ""),
        ],
        ids=["an upper floor", "the lowest floor", "an engine with Django", "an upper room", "a room of no name"],
    )
    def test_refuse(self, tmp_path: Path, path: str, fault: str) -> None:
        for floor in FLOORS:
            shutil.copytree(PROJECT / floor, tmp_path / floor, ignore=shutil.ignore_patterns("__pycache__", "static"))
        shutil.copy(PROJECT / "pyproject.toml", tmp_path)
        with (tmp_path / path).open("a") as source:
            source.write(fault)
        found = subprocess.run([TOOLS / "lint-imports", "--no-cache"], cwd=tmp_path, capture_output=True, text=True)
        assert found.returncode == 1, found.stdout + found.stderr
        assert "BROKEN" in found.stdout


class TestTests:
    def test_reach_nothing_outside(self) -> None:
        with (
            socket.socket() as attempt,
            pytest.warns(UserWarning, match="192.0.2.1"),
            pytest.raises(SocketConnectBlockedError),
        ):
            attempt.connect(("192.0.2.1", 80))

    def test_come_in_random_order(self, request: pytest.FixtureRequest) -> None:
        assert request.config.pluginmanager.hasplugin("randomly")
