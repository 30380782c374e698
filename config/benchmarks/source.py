"""A CRM on loopback for the measurements: `python -m config.benchmarks.source` prints its port and serves.

`GET /deals?count=…&page=…&size=…` gives deals in pages from 1 on; with `updated_since` the one in twenty that has
changed since the first load. What a page says depends on nothing but its address, and is written once for each.
"""

from __future__ import annotations

import email.utils
import json
import sys
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FIRST_DAY = date(2023, 4, 1)
CREATED, CHANGED = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)
DAYS, CLOSES_WITHIN, ONE_IN = 1_000, 120, 20
STAGES = ("受注", "失注", "見送り", "商談中", "商談中")
LEAD_SOURCES = ("Web", "展示会", "紹介", "セミナー", "メール", "代理店", "電話", "広告")
PHASES = ("ヒアリング", "提案", "見積", "内示")
ACCOUNTS, PEOPLE = 5_000, 500
PAGES_KEPT = 2_000


def deal(number: int, *, is_changed: bool) -> dict[str, Any]:
    """One deal as the CRM writes it."""
    created = FIRST_DAY + timedelta(days=number % DAYS)
    stage = STAGES[number % len(STAGES)]
    closed = created + timedelta(days=1 + number % CLOSES_WITHIN)
    return {
        "id": f"D{number:07}",
        "name": f"案件 {number:07} 営業支援システム導入",
        "account_id": f"A{number * 7 % ACCOUNTS}",
        "owner_id": f"P{number * 3 % PEOPLE}",
        "created_on": created.isoformat(),
        "expected_close_on": (created + timedelta(days=60)).isoformat(),
        "closed_on": None if stage == "商談中" else closed.isoformat(),
        "stage": stage,
        "phase": PHASES[number % len(PHASES)],
        "amount": 50_000 + number % 397 * 10_000 + (1_000 if is_changed else 0),
        "lead_source": LEAD_SOURCES[number % len(LEAD_SOURCES)],
        "updated_at": ((CHANGED if is_changed else CREATED) + timedelta(seconds=number % 80_000)).isoformat(),
    }


def page(count: int, number: int, size: int, *, only_changed: bool) -> bytes:
    """The body of one page; after the last one it is an empty list."""
    step = ONE_IN if only_changed else 1
    numbers = range((number - 1) * size * step, min(count, number * size * step), step)
    records = [deal(each, is_changed=only_changed) for each in numbers]
    return json.dumps({"data": records}, ensure_ascii=False).encode()


_kept_page = lru_cache(PAGES_KEPT)(page)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else headers and body wait for each other's acknowledgement

    def do_GET(self) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        body = _kept_page(
            int(asked["count"]), int(asked["page"]), int(asked["size"]), only_changed="updated_since" in asked
        )
        self._say(200, body)

    def do_HEAD(self) -> None:
        self._say(404, b"")

    def log_message(self, format: str, *args: Any) -> None:
        return

    def _say(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Date", email.utils.format_datetime(datetime.now(UTC), usegmt=True))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def serve() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    serve()
