"""How long a reader waits, over HTTP with session, permission and company, against an empty view and plain SQL."""

from __future__ import annotations

import http.client
import json
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
from django.conf import settings
from django.db import connection
from django.utils import timezone

from config import embedded
from config.benchmarks.report import Line, Report, p95
from config.benchmarks.world import PASSWORD, World
from config.demo.supervisor import Supervisor
from kpis.choices import DimensionCode, Grain
from kpis.models import KpiTree, Period
from kpis.selectors.matrix import MatrixQuery, build_matrix
from tenants.context import tenant_context

CALLS = 200
CLIENTS = 4
GRAIN = "month"
Statement = tuple[str, Any]

# What a person who knows the tables would write: each deal in the team of its owner, its month by the calendar's row.
WIN_RATE = """
    SELECT m.team_id, f.product_id, c.month, count(*) FILTER (WHERE f.outcome = 'won') AS won, count(*) AS closed
    FROM kpis_deal f JOIN kpis_calendarday c ON c.day = f.closed_on
    JOIN kpis_teammembership m ON m.person_id = f.owner_id AND m.credited AND m.deleted_at IS NULL
    WHERE f.deleted_at IS NULL AND f.outcome IN ('won', 'lost', 'no_decision') GROUP BY 1, 2, 3
"""


def measure_reads(world: World, report: Report, *, logs: Path) -> None:
    """The matrix from blocks, the breakdown from events, and the first page of a manager."""
    months = (world.first_day, world.last_day)
    with _served(world, logs) as client, tenant_context(world.company):
        year = Period.objects.filter(grain=Grain.YEAR, start_date__lte=world.last_day).latest("start_date")
        empty = p95(client.times("/api/v1/bench/empty/"))
        report.add(Line("An empty view behind the same middleware, p95", empty * 1000, "ms"))
        _read_matrix(world, report, client, empty, "Win rate per month and team from blocks", 1.5, ["win_rate"], months)
        _read_matrix(
            world, report, client, empty, "12 months × 40 nodes × 60 teams", 3, None, (year.start_date, year.end_date)
        )
        for name, product, groups in (
            ("month, team", "", "1, 2"),
            ("month, team, product", "f.product_id,", "1, 2, 3"),
        ):
            tuned = p95(_plain_times([(WIN_RATE.format(product=product, groups=groups), None)], calls=20))
            report.add(Line(f"Tuned SQL over the deals, win rate per {name}, p95", tuned * 1000, "ms"))
        asked = {"metric": "win_rate", "by": "team,product", **_asked(months)}
        taken = p95(client.times(f"/api/v1/breakdowns/?{urlencode(asked)}", calls=20))
        report.add(
            Line("The same asked for over HTTP ÷ the tuned SQL, p95", taken / tuned, "×", 1.3, f"{taken * 1000:.0f} ms")
        )
        today = p95(client.times("/"))
        report.add(Line("Today page, p95", today * 1000, "ms", 200))


def _read_matrix(
    world: World,
    report: Report,
    client: Client,
    empty: float,
    name: str,
    goal: float,
    codes: Sequence[str] | None,
    stretch: tuple[date, date],
) -> None:
    asked = {"tree": str(world.tree.public_id), "dimension": "team", **_asked(stretch)}
    if codes:
        asked["nodes"] = ",".join(codes)
    path = f"/api/v1/matrix/?{urlencode(asked)}"
    query = MatrixQuery(world.tree, GRAIN, *stretch, dimension=DimensionCode.TEAM, codes=codes)
    statements = _statements(lambda: build_matrix(query, now=timezone.now()))
    reference = empty + p95(_plain_times(statements))
    taken, side_by_side = p95(client.times(path)), p95(client.times_side_by_side(path))
    remark = f"{taken * 1000:.0f} ms alone, {side_by_side * 1000:.0f} ms with {CLIENTS} clients"
    report.add(Line(f"{name} ÷ (empty view + its SQL as JSON), p95", taken / reference, "×", goal, remark))
    first = p95(client.times(path, before=lambda: _change(world)))
    name_of_first = f"{name}, each time after a change ÷ the same, p95"
    report.add(Line(name_of_first, first / reference, "×", remark=f"{first * 1000:.0f} ms; nothing that was kept"))
    report.add(Line(f"Queries of {name}", len(statements), "", 12))


def _change(world: World) -> None:
    """Something that answers show is written, so that none that was kept is given again."""
    KpiTree.objects.filter(pk=world.tree.pk).update(name=world.tree.name)


def _asked(stretch: tuple[date, date]) -> dict[str, str]:
    return {"grain": GRAIN, "from": str(stretch[0]), "to": str(stretch[1])}


def _statements(read: Callable[[], Any]) -> list[Statement]:
    """The statements that a reading sends."""
    sent: list[Statement] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        read()
    return [statement for statement in sent if statement[0].lstrip().upper().startswith(("SELECT", "WITH"))]


def _plain_times(statements: Sequence[Statement], *, calls: int = CALLS) -> list[float]:
    """Seconds to run statements by psycopg alone and write their rows as JSON."""
    times: list[float] = []
    with closing(psycopg.connect(embedded.database_url())) as plain:
        plain.execute(f'SET search_path TO "{connection.tenant.schema_name}"')  # type: ignore[attr-defined]
        for _call in range(calls):
            start = time.perf_counter()
            for sql, params in statements:
                json.dumps(plain.execute(sql, params).fetchall(), default=str)  # type: ignore[arg-type]
            times.append(time.perf_counter() - start)
    return times[len(times) // 10 :]


@contextmanager
def _served(world: World, logs: Path) -> Iterator[Client]:
    """The application as in production, and a client that has signed in."""
    port = _free_port()
    server = [sys.executable, "-m", "gunicorn", "config.benchmarks.wsgi:application", f"--bind=127.0.0.1:{port}"]
    with Supervisor(logs) as supervisor:
        supervisor.start("web", [*server, "--worker-class=gthread", "--workers=2", "--threads=4", "--preload"])
        client = Client(port, f"{world.company.slug}.{settings.BASE_DOMAIN}:{port}")
        client.sign_in()
        yield client


def _free_port() -> int:
    with socket.socket() as attempt:
        attempt.bind(("127.0.0.1", 0))
        return attempt.getsockname()[1]


@dataclass
class Client:
    """A reader with a session; one connection that is kept open for each series of calls."""

    port: int
    host: str
    cookies: str = ""

    def sign_in(self) -> None:
        """Log in through the page, as soon as the server answers."""
        for _attempt in range(120):
            try:
                page = self._open()
                page.request("GET", "/login/", headers={"Host": self.host})
                answer = page.getresponse()
                break
            except OSError:
                time.sleep(0.5)
        else:
            raise RuntimeError("The server of the measurement does not answer; its log says why.")
        token = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', answer.read())
        assert token is not None, "the login page has a form"
        self._keep(answer)
        form = {"username": "owner", "password": PASSWORD, "csrfmiddlewaretoken": token.group(1).decode()}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Referer": f"http://{self.host}/login/"}
        page.request("POST", "/login/", urlencode(form), self._headers() | headers)
        answer = page.getresponse()
        answer.read()
        assert answer.status == http.HTTPStatus.FOUND, answer.status
        self._keep(answer)
        page.close()

    def times(self, path: str, *, calls: int = CALLS, before: Callable[[], object] = lambda: None) -> list[float]:
        """Seconds of each call after a few to warm up; `before` is done ahead of each and not measured."""
        times = []
        with closing(self._open()) as page:
            for _call in range(3 + calls):
                before()
                times.append(self._call(page, path))
        return times[3:]

    def times_side_by_side(self, path: str) -> list[float]:
        """The same from several clients at once."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            series = list(pool.map(lambda _n: self.times(path, calls=CALLS // CLIENTS), range(CLIENTS)))
        return [seconds for each in series for seconds in each]

    def _call(self, page: http.client.HTTPConnection, path: str) -> float:
        start = time.perf_counter()
        page.request("GET", path, headers=self._headers())
        answer = page.getresponse()
        answer.read()
        taken = time.perf_counter() - start
        assert answer.status == http.HTTPStatus.OK, f"{path} answered {answer.status}"
        return taken

    def _open(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def _headers(self) -> dict[str, str]:
        return {"Host": self.host, "Cookie": self.cookies}

    def _keep(self, answer: http.client.HTTPResponse) -> None:
        found = dict(pair.split("=", 1) for pair in filter(None, self.cookies.split("; ")))
        for line in answer.msg.get_all("Set-Cookie") or ():
            name, value = line.split(";", 1)[0].split("=", 1)
            found[name] = value
        self.cookies = "; ".join(f"{name}={value}" for name, value in found.items())
