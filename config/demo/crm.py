"""The demo's CRM, a program of its own: it keeps a few deals, answers for them, and calls whoever wants to know.

`GET /deals?updated_since=&after=` lists, `GET /deals/<id>` shows one, `PATCH /deals/<id>` is what a salesperson does on
its screen: the deal is changed, and the CRM sends a signed webhook to the address that it was given.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import http.client
import json
import os
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

from config.demo.keeping import write_whole

PAGE = 100
CALL_SECONDS = 10
HEADER, PREFIX = "X-Crm-Signature", "sha256="
STAGES = {"商談中": "open", "受注": "won", "失注": "lost"}
OPENED_DAYS_AGO, EXPECTED_IN_DAYS, SPOKEN_DAYS_AGO = 20, 15, 2
DEALS = (
    ("株式会社常盤台フーズ様 在庫管理クラウド", "E013", "A", 2_400_000),
    ("港南精機株式会社様 受発注クラウド", "E014", "A", 1_850_000),
    ("株式会社あけぼの物流様 EDI接続サービス", "E015", "B", 1_320_000),
    ("有限会社北条木工様 在庫管理クラウド", "E013", "B", 980_000),
    ("株式会社潮見商会様 ハンディ端末", "E014", "B", 760_000),
    ("三ツ沢メディカル株式会社様 導入支援", "E015", "C", 540_000),
)
Deal = dict[str, Any]


def first_deals(today: date) -> list[Deal]:
    """The deals of an empty CRM, all of them open; `today` is the day on which it was set up."""
    stamp = datetime.now(UTC).isoformat()
    return [
        {
            "id": f"CRM-{number:03}",
            "name": name,
            "owner": owner,
            "stage": "商談中",
            "rank": rank,
            "amount": amount,
            "created": str(today - timedelta(days=OPENED_DAYS_AGO)),
            "expected": str(today + timedelta(days=EXPECTED_IN_DAYS)),
            "closed": None,
            "spoken": str(today - timedelta(days=SPOKEN_DAYS_AGO)),
            "revision": 1,
            "updated_at": stamp,
        }
        for number, (name, owner, rank, amount) in enumerate(DEALS, 1)
    ]


class Book:
    """The CRM's deals in a file, by id."""

    def __init__(self, path: Path, *, today: date) -> None:
        self._path = path
        self._lock = Lock()
        kept = json.loads(path.read_text()) if path.exists() else first_deals(today)
        self._deals: dict[str, Deal] = {deal["id"]: deal for deal in kept}

    def find(self, external_id: str) -> Deal | None:
        return self._deals.get(external_id)

    def listed(self, *, since: datetime | None, after: str) -> list[Deal]:
        """One page of those changed since then, by id."""
        found = [deal for id, deal in sorted(self._deals.items()) if id > after]
        return [deal for deal in found if since is None or datetime.fromisoformat(deal["updated_at"]) >= since][:PAGE]

    def change(self, external_id: str, values: Deal) -> Deal:
        """The deal as it is from now on. Raises KeyError where there is none."""
        with self._lock:
            before = self._deals[external_id]
            known = {name: value for name, value in values.items() if name in before}
            stamp = datetime.now(UTC).isoformat()
            changed = {**before, **known, "id": external_id, "revision": before["revision"] + 1, "updated_at": stamp}
            self._deals[external_id] = changed
            write_whole(self._path, json.dumps(list(self._deals.values()), ensure_ascii=False))
        return changed


def call(hook: Path, deal: Deal) -> int | None:
    """Tell of a change as CRMs do; the status of the answer, None where nobody is to be told or nobody answers."""
    if not hook.exists():
        return None
    told = json.loads(hook.read_text())
    body = json.dumps({"event": f"{deal['id']}:{deal['revision']}", "deal": deal["id"]}).encode()
    signed = hmac.new(told["secret"].encode(), body, hashlib.sha256).hexdigest()
    # Names below localhost do not resolve everywhere.
    line = http.client.HTTPConnection("127.0.0.1", told["port"], timeout=CALL_SECONDS)
    headers = {"Host": told["host"], "Content-Type": "application/json", HEADER: f"{PREFIX}{signed}"}
    try:
        line.request("POST", told["path"], body, headers)
        return line.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        line.close()


def server(*, port: int, folder: Path, today: date) -> ThreadingHTTPServer:
    """The CRM on loopback; `folder` holds its deals and, once somebody wants to be called, where."""
    book, hook = Book(folder / "deals.json", today=today), folder / "hook.json"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else headers and body wait for each other's acknowledgement

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if parts.path == "/deals":
                since = datetime.fromisoformat(asked["updated_since"]) if "updated_since" in asked else None
                self._answer({"items": book.listed(since=since, after=asked.get("after", ""))})
            else:
                self._answer(book.find(self._deal_id()))

        def do_PATCH(self) -> None:
            values = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            if book.find(self._deal_id()) is None:
                self._answer(None)
                return
            deal = book.change(self._deal_id(), values)
            self._answer({"deal": deal, "call": call(hook, deal)})

        def _deal_id(self) -> str:
            return urlsplit(self.path).path.removeprefix("/deals/")

        def _answer(self, content: Any) -> None:
            body = json.dumps(content, ensure_ascii=False).encode()
            self.send_response(HTTPStatus.NOT_FOUND if content is None else HTTPStatus.OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    folder.mkdir(parents=True, exist_ok=True)
    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--today", type=date.fromisoformat, required=True)
    options = parser.parse_args()
    os.umask(0o077)
    with server(port=options.port, folder=options.folder, today=options.today) as serving:
        serving.serve_forever()


if __name__ == "__main__":
    main()
