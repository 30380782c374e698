"""The demo's CRM: it answers as a source does, and calls as the product proves calls."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from config.demo.calling import describe
from config.demo.crm import DEALS, server
from config.demo.selling import ask, change_a_deal, folder_of
from config.demo.stage import DemoError
from integrations.connectors.document import read_document
from integrations.connectors.hooks import Call, read_described, verify_hmac

TODAY = date(2026, 11, 24)
SECRET = "the secret that both know"


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """A demo's directory with a CRM that runs."""
    folder = folder_of(tmp_path)
    crm = server(port=0, folder=folder, today=TODAY)
    (folder / "port").write_text(str(crm.server_address[1]))
    with running(crm):
        yield tmp_path


@pytest.fixture
def calls(directory: Path) -> Iterator[list[Call]]:
    """What the CRM sends to the address that it was given."""
    came: list[Call] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            came.append(Call("POST", (f"http://{headers['host']}{self.path}",), headers, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    receiver = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    told = {"host": "sakura.localhost", "port": receiver.server_address[1], "path": "/hooks/x/", "secret": SECRET}
    (folder_of(directory) / "hook.json").write_text(json.dumps(told))
    with running(receiver):
        yield came


@contextmanager
def running(serving: ThreadingHTTPServer) -> Iterator[None]:
    """The server answers during the block."""
    threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield
    serving.shutdown()
    serving.server_close()


def asked(directory: Path, path: str) -> dict:
    return ask(int((folder_of(directory) / "port").read_text()), "GET", path)


class TestCrm:
    def test_is_described_as_the_product_reads_it(self) -> None:
        assert read_document(describe(1)).webhook is not None

    def test_lists_what_has_changed_by_id(self, directory: Path) -> None:
        assert len(asked(directory, "/deals")["items"]) == len(DEALS)
        assert [deal["id"] for deal in asked(directory, "/deals?after=CRM-004")["items"]] == ["CRM-005", "CRM-006"]
        since = datetime.now(UTC).isoformat().replace("+", "%2B")
        won = change_a_deal(directory, today=TODAY).deal
        assert asked(directory, f"/deals?updated_since={since}")["items"] == [won]

    def test_a_deal_is_won_then_the_next_then_the_first_one_grows(self, directory: Path) -> None:
        changes = [change_a_deal(directory, today=TODAY).deal for _number in range(len(DEALS) + 1)]
        assert [deal["id"] for deal in changes] == [*(f"CRM-{n:03}" for n in range(1, len(DEALS) + 1)), "CRM-001"]
        assert {deal["stage"] for deal in changes} == {"受注"}
        assert changes[-1]["amount"] == 2_640_000

    def test_remembers(self, directory: Path) -> None:
        won = change_a_deal(directory, today=TODAY).deal
        again = server(port=0, folder=folder_of(directory), today=TODAY)
        with running(again):
            assert ask(again.server_address[1], "GET", f"/deals/{won['id']}") == won

    def test_knows_what_it_does_not_have(self, directory: Path) -> None:
        assert asked(directory, "/deals/CRM-999") is None


class TestCall:
    def test_is_proven_and_names_the_deal(self, directory: Path, calls: list[Call]) -> None:
        change = change_a_deal(directory, today=TODAY)
        assert change.call == 204
        document = read_document(describe(1))
        verify_hmac(calls[0], SECRET, document, datetime.now(UTC))
        (notice,) = read_described(calls[0].body, document)
        assert (notice.stream, notice.external_id) == ("deals", change.deal["id"])

    def test_every_change_is_an_event_of_its_own(self, directory: Path, calls: list[Call]) -> None:
        for _number in range(2 * len(DEALS)):
            change_a_deal(directory, today=TODAY)
        document = read_document(describe(1))
        assert len({read_described(call.body, document)[0].event_id for call in calls}) == 2 * len(DEALS)

    def test_that_reaches_nobody_is_told(self, directory: Path) -> None:
        assert change_a_deal(directory, today=TODAY).call is None

    def test_without_a_demo_says_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(DemoError, match="make demo"):
            change_a_deal(tmp_path, today=TODAY)
