"""A connector reaches the open internet and nothing else, whatever a name resolves to and wherever an answer points."""

from __future__ import annotations

import ipaddress
import socket

import httpx
import pytest
import stamina

from integrations.connectors.auth import bearer
from integrations.connectors.errors import ConnectorError
from integrations.connectors.guard import Guard, is_open
from integrations.connectors.http import Http
from tests.fakes.server import Call, FakeServer, Reply, served

CLOSED = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.127.255.254",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "::8.8.8.8",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:a00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OPEN = ["8.8.8.8", "100.63.255.255", "172.32.0.1", "203.0.114.1", "2400:4050::1", "2606:4700::1111"]


class TestAddresses:
    @pytest.mark.parametrize("address", CLOSED)
    def test_a_closed_one_is_refused(self, address):
        assert not is_open(ipaddress.ip_address(address))

    @pytest.mark.parametrize("address", OPEN)
    def test_an_open_one_is_not(self, address):
        assert is_open(ipaddress.ip_address(address))

    def test_one_closed_address_among_open_ones_is_enough(self, monkeypatch):
        monkeypatch.setattr(socket, "getaddrinfo", answering("8.8.8.8", "10.0.0.1"))
        with pytest.raises(ConnectorError, match="closed_address"):
            Guard().addresses("crm.example.com", 443)


class TestConnecting:
    def test_a_name_that_stands_for_this_machine_is_refused_before_anything_is_sent(self, monkeypatch, listening):
        monkeypatch.setattr(socket, "getaddrinfo", answering("127.0.0.1"))
        refused(Http(f"https://crm.example.com:{listening.port}"), "closed_address")
        assert listening.calls == []

    def test_a_name_that_answers_differently_the_second_time_gains_nothing(self, monkeypatch):
        asked: list[str] = []

        def rebinding(host, port, *args, **options):
            asked.append(host)
            return answering("10.0.0.1" if len(asked) > 1 else "8.8.8.8")(host, port)

        tried: list[str] = []
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        monkeypatch.setattr(socket, "create_connection", lambda address, *a, **o: tried.append(address[0]) or fail())
        with stamina.set_testing(True, attempts=1):
            refused(Http("https://crm.example.com"), "not_reached", permanent=False)
        assert (tried, len(asked)) == (["8.8.8.8"], 1)

    @pytest.mark.parametrize(
        "url", ["http://crm.example.com/", "ftp://crm.example.com/", "https://u:p@crm.example.com/"]
    )
    def test_what_is_not_plain_https_is_refused(self, url):
        refused(Http(url), "not_https" if "@" not in url else "bad_address")

    @pytest.mark.parametrize("host", ["mawaru.example", "sakura.mawaru.example", "CONSOLE.mawaru.example."])
    def test_our_own_hosts_are_refused(self, host):
        refused(Http(f"https://{host}/", guard=Guard(own_domains=("mawaru.example",))), "closed_address")

    def test_proxies_of_the_environment_are_not_used(self, monkeypatch, listening):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        with Http(listening.url, guard=Guard(allows_loopback=True)) as http:
            assert http.get("").status == 200


class TestAnswers:
    def test_a_redirect_is_not_followed(self, listening):
        listening.fail(Reply(302, None, {"Location": "http://169.254.169.254/latest/meta-data/"}))
        refused(Http(listening.url, guard=Guard(allows_loopback=True)), "moved")
        assert len(listening.calls) == 1

    def test_a_next_page_elsewhere_does_not_get_the_credentials(self, listening):
        http = Http(listening.url, auth=bearer("t0ken"), guard=Guard(allows_loopback=True))
        refused(http, "foreign_address", path="https://evil.example.com/next")

    def test_an_answer_without_end_is_cut_off(self, listening, monkeypatch):
        monkeypatch.setattr("integrations.connectors.http.MAX_ANSWER_BYTES", 1000)
        listening.fail(Reply(200, None, raw=b"x" * 2000))
        refused(Http(listening.url, guard=Guard(allows_loopback=True)), "answer_too_large")


class Listening(FakeServer):
    def answer(self, call: Call) -> Reply:
        return Reply(200, {})


@pytest.fixture
def listening():
    fake = Listening()
    with served(fake):
        yield fake


def refused(http: Http, code: str, *, path: str = "deals", permanent: bool = True) -> None:
    with http, pytest.raises(ConnectorError) as caught:
        http.get(path)
    assert (caught.value.code, caught.value.permanent) == (code, permanent)


def answering(*addresses: str):
    return lambda host, port, *args, **options: [(socket.AF_INET, 1, 6, "", (address, port)) for address in addresses]


def fail() -> None:
    raise ConnectionRefusedError


def test_the_guard_sits_in_httpx():
    assert isinstance(Http("https://crm.example.com")._transport, httpx.HTTPTransport)
