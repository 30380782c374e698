"""One table: every URL × role × tenant → status. A URL that is missing from it fails the test.

Columns are who asks with GET (with an empty POST where GET is not allowed): nobody, then the roles of acme, then
mallory, who is signed in to globex and brings her cookie to acme's host. Objects named in a URL do not exist, so 404
means that the role may ask.
After adding a URL run this test: it prints the line to add, to be read with care before it is added.
"""

from pathlib import Path

import pytest
from django.test import Client

from tenants.models import Company
from tests.isolation.routes import example_of, routes_of

pytestmark = pytest.mark.gate
HERE = Path(__file__).parent
COMPANY_COLUMNS = ("nobody", "owner", "manager", "member", "viewer", "hr", "consultant", "mallory")
CONSOLE_COLUMNS = ("nobody", "owner", "consultant", "alice")
PEOPLE = {"owner": "dave", "manager": "alice", "member": "bob", "viewer": "vera", "hr": "hana", "consultant": "carol"}


def read_table(name: str) -> dict[str, list[int]]:
    lines = (HERE / name).read_text().splitlines()
    rows = [line.rsplit(maxsplit=_width(name)) for line in lines if line and not line.startswith("#")]
    return {route.strip(): [int(status) for status in statuses] for route, *statuses in rows}


def _width(name: str) -> int:
    return len(COMPANY_COLUMNS if name == "company.txt" else CONSOLE_COLUMNS)


def line_of(route: str, statuses: list[int]) -> str:
    return f"{route or '/':75} {' '.join(str(status) for status in statuses)}"


@pytest.fixture
def company_clients(request, client_for, acme, globex) -> list[Client]:
    signed_in = [client_for(request.getfixturevalue(PEOPLE[role]), acme) for role in COMPANY_COLUMNS[1:-1]]
    outsider = client_for(request.getfixturevalue("mallory"), globex)
    return [client_for(None, acme), *signed_in, _taken_to(outsider, acme)]


@pytest.fixture
def console_clients(client_for, console, olivia, carol, alice, acme) -> list[Client]:
    outsider = _taken_to(client_for(alice, acme), console)
    return [client_for(None, console), client_for(olivia, console), client_for(carol, console), outsider]


def _taken_to(client: Client, company: Company) -> Client:
    client.defaults["HTTP_HOST"] = f"{company.slug}.localhost:8000"
    return client


def observed(route: str, clients: list[Client]) -> list[int]:
    return [_ask(client, example_of("" if route == "/" else route)) for client in clients]


def _ask(client: Client, address: str) -> int:
    client.raise_request_exception = False
    status = client.get(address).status_code
    return client.post(address, {}).status_code if status == 405 else status


def observe(urlconf: str, clients: list[Client]) -> dict[str, list[int]]:
    """Signing out comes last, since it ends the sessions that the others need."""
    routes = sorted(routes_of(urlconf), key=lambda route: (route == "logout/", route))
    return {route or "/": observed(route, clients) for route in routes}


class TestCompany:
    def test_every_url_answers_each_role_as_the_table_says(self, company_clients):
        expected = read_table("company.txt")
        seen = observe("config.urls.company", company_clients)
        wrong = [line_of(route, statuses) for route, statuses in seen.items() if expected.get(route) != statuses]
        assert not wrong, "Not as in tests/isolation/company.txt:\n" + "\n".join(wrong)
        assert set(expected) == set(seen), f"No such URL any more: {sorted(set(expected) - set(seen))}"

    def test_somebody_of_another_company_is_nobody_here(self):
        for route, statuses in read_table("company.txt").items():
            assert statuses[0] == statuses[-1], route

    def test_nothing_breaks(self):
        assert [route for route, statuses in read_table("company.txt").items() if max(statuses) >= 500] == []


class TestConsole:
    def test_every_url_answers_each_role_as_the_table_says(self, console_clients):
        expected = read_table("console.txt")
        seen = observe("config.urls.console", console_clients)
        wrong = [line_of(route, statuses) for route, statuses in seen.items() if expected.get(route) != statuses]
        assert not wrong, "Not as in tests/isolation/console.txt:\n" + "\n".join(wrong)
        assert set(expected) == set(seen), f"No such URL any more: {sorted(set(expected) - set(seen))}"

    def test_nothing_of_a_company_is_there(self, client_for, olivia, console):
        client = client_for(olivia, console)
        for route in set(routes_of("config.urls.company")) - set(routes_of("config.urls.console")):
            assert client.get(example_of(route)).status_code == 404, route


class TestUnknownHosts:
    @pytest.mark.parametrize("host", ["nobody.localhost:8000", "localhost:8000"])
    def test_no_page_of_a_company_answers(self, db, host):
        client = Client(headers={"host": host})
        for route in routes_of("config.urls.company"):
            if route:
                assert client.get(example_of(route)).status_code == 404, route
