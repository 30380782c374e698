"""A server on loopback that a fake answers from: faults on request, and a look at every call that came."""

from __future__ import annotations

import email.utils
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        return json.loads(self.body or b"null")

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))


@dataclass(frozen=True)
class Reply:
    """What is answered: JSON unless `raw` is given."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


class RollingLimit:
    """So many calls within any stretch of so many seconds, by the clock of the source; a refused call counts not."""

    def __init__(self, calls: int, seconds: float) -> None:
        self._calls, self._seconds = calls, timedelta(seconds=seconds)
        self._made: list[datetime] = []

    def takes(self, now: datetime) -> bool:
        self._made = [at for at in self._made if now - at < self._seconds]
        if len(self._made) >= self._calls:
            return False
        self._made.append(now)
        return True


Answering = Callable[[Call], Reply]


class FakeServer:
    """Answers calls by `answer`. `faults` are answered first, one for each call; `before` runs before every call.

    Records that are `swallowed` are counted in totals, and no page of a list or search shows them.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.faults: list[Reply | None] = []
        self.before: Callable[[int], None] = lambda number: None
        self.swallowed: set[str] = set()
        self.clock_ahead = timedelta()
        self.port = 0
        self._lock = Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, call: Call) -> Reply:
        raise NotImplementedError

    def external_id(self, name: str) -> str:
        """What the source calls the record that the world calls `name`."""
        return name

    def world_id(self, external_id: str) -> str:
        """What the world calls a record of the source."""
        return external_id

    def now(self) -> datetime:
        """The time that the source's clock shows."""
        return datetime.now(UTC) + self.clock_ahead

    def fail(self, *replies: Reply | None) -> None:
        """The next calls are answered with these; None lets one through."""
        self.faults += replies

    def reply_to(self, call: Call) -> Reply:
        with self._lock:
            if call.method == "HEAD":
                return Reply(404)
            self.calls.append(call)
            fault = self.faults.pop(0) if self.faults else None
            if fault is not None:
                return fault
            self.before(len(self.calls))
            return self.answer(call)


@contextmanager
def served(fake: FakeServer) -> Iterator[None]:
    """The fake listens on a free port during the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else headers and body wait for each other's acknowledgement

        def handle_one(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = fake.reply_to(Call(self.command, parts.path, query, headers, body))
            sent = reply.raw if reply.raw is not None else json.dumps(reply.body, ensure_ascii=False).encode()
            self.send_response_only(reply.status)
            self.send_header("Date", email.utils.format_datetime(fake.now(), usegmt=True))
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = handle_one

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
