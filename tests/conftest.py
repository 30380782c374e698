"""Two companies for every test, made once by the real provisioning; each test is rolled back.

People: dave (owner), alice (manager), bob (member), vera (viewer) and hana (HR) of acme; mallory (manager) of globex;
carol, a consultant of the console with a grant for both. Use `acme_people` and `client_for`.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client, override_settings
from django.utils import timezone, translation
from hypothesis import Phase
from hypothesis import settings as hypothesis
from pytest_django import DjangoDbBlocker

from tenants.accounts.choices import Role
from tenants.accounts.models import User
from tenants.accounts.services import create_user
from tenants.context import public_context, tenant_context
from tenants.models import Company
from tenants.outbox.models import Event
from tenants.outbox.services import drain
from tenants.services.grants import grant_access, mirror_consultant
from tests import database
from tests.worker import broker, worker  # noqa: F401 - fixtures of the gate

# A change is judged by the same examples as the one before it; the proof looks for new ones.
for tier, examples in {"test": 25, "gate": 100, "proof": 2000}.items():
    hypothesis.register_profile(tier, max_examples=examples, deadline=None, derandomize=tier != "proof")
# Where a failure is what is waited for, nobody reads its smallest example.
hypothesis.register_profile("first failure", max_examples=25, deadline=None, phases=[Phase.generate], database=None)
hypothesis.load_profile(os.environ.get("MAWARU_TIER", "test"))

STAFF = {
    "acme": {"dave": Role.OWNER, "alice": Role.MANAGER, "bob": Role.MEMBER, "vera": Role.VIEWER, "hana": Role.HR},
    "globex": {"mallory": Role.MANAGER, "gina": Role.OWNER},
}


def pytest_itemcollected(item: Any) -> None:
    """The database of the session is made before all else in a test, above all before the clock is set back.

    People made at a time set back would be gone, eight hours later by that clock, for all tests that follow.
    """
    if needs_database(item):
        item.fixturenames.insert(0, "django_db_setup")


def needs_database(item: Any) -> bool:
    names = getattr(item, "fixturenames", [])
    return not {"any_db", "db", "committed_db"}.isdisjoint(names) or item.get_closest_marker("django_db") is not None


@pytest.fixture(scope="session")
def quick_passwords() -> Iterator[None]:
    """Hashing that is slow on purpose would be most of what signing in costs here."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, quick_passwords: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[None]:
    if os.environ.get(database.IS_READY):
        yield
        return
    process = getattr(request.config, "workerinput", {}).get("workerid", "")
    name = f"{database.PREFIX}_{process}" if process else database.PREFIX
    with django_db_blocker.unblock():
        database.make(name)
        _seed_people()
    yield
    with django_db_blocker.unblock():
        database.drop(name)


def _seed_people() -> None:
    now = timezone.now()
    companies = {company.slug: company for company in Company.objects.all()}
    with tenant_context(companies["console"]):
        boss = create_user(username="olivia", name="Olivia", role=Role.OWNER)
        carol = create_user(username="carol", name="Carol", role=Role.CONSULTANT)
    for slug, people in STAFF.items():
        with tenant_context(companies[slug]):
            for username, role in people.items():
                create_user(username=username, name=username.title(), role=role)
        grant = grant_access(
            company=companies[slug], console_user_id=carol.public_id, granted_by_id=boss.public_id, now=now
        )
        mirror_consultant(company=companies[slug], consultant=carol, role=grant.role, now=now)
    Event.objects.all().delete()


@pytest.fixture(autouse=True)
def _own_cache() -> Iterator[None]:
    """Every test begins with an empty cache: its keys carry a prefix of their own."""
    caches["default"].key_prefix = uuid.uuid4().hex
    yield


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """A page asked for in English leaves its language behind in the thread; the next test begins with the default."""
    yield
    translation.deactivate()


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A copy of the test database for this test alone, in which commits are real (threads, kills, other processes)."""
    with django_db_blocker.unblock(), database.copied():
        yield


@pytest.fixture
def any_db(request: pytest.FixtureRequest) -> None:
    """The test's database: its own copy where it asked for one, else the shared one with a rollback at the end."""
    request.getfixturevalue("committed_db" if "committed_db" in request.fixturenames else "db")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Marks what is chosen by its mark; then, behind the choice and the shuffling, the order."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("property")
        if "demo" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("demo"))  # one demo is enough
        marker = item.get_closest_marker("django_db")
        if "transactional_db" in getattr(item, "fixturenames", ()) or (marker and marker.kwargs.get("transaction")):
            raise pytest.UsageError(f"{item.nodeid}: use the fixture committed_db, a flush would remove the companies.")
    yield
    items[:] = _arranged(items)


def _arranged(items: list[pytest.Item]) -> list[pytest.Item]:
    """What takes longest begins first, so that no process is left alone with it at the end.

    The second of two processes begins in the middle: with what needs no database, while the first makes it.
    """
    properties = [item for item in items if item.get_closest_marker("property")]
    others = [item for item in items if not item.get_closest_marker("property")]
    with_database = [*properties, *(item for item in others if needs_database(item))]
    middle = len(items) // 2
    return [*with_database[:middle], *(item for item in others if not needs_database(item)), *with_database[middle:]]


@pytest.fixture
def console(any_db: None) -> Company:
    return Company.objects.get(slug="console")


@pytest.fixture
def acme(any_db: None) -> Company:
    return Company.objects.get(slug="acme")


@pytest.fixture
def globex(any_db: None) -> Company:
    return Company.objects.get(slug="globex")


@pytest.fixture
def in_acme(acme: Company) -> Iterator[Company]:
    """The test runs inside acme's schema."""
    with tenant_context(acme):
        yield acme


@pytest.fixture
def in_globex(globex: Company) -> Iterator[Company]:
    """The test runs inside globex's schema."""
    with tenant_context(globex):
        yield globex


def _find(company: Company, username: str) -> User:
    with tenant_context(company):
        return User.objects.get(username=username)


@pytest.fixture
def alice(acme: Company) -> User:
    return _find(acme, "alice")


@pytest.fixture
def bob(acme: Company) -> User:
    return _find(acme, "bob")


@pytest.fixture
def dave(acme: Company) -> User:
    return _find(acme, "dave")


@pytest.fixture
def vera(acme: Company) -> User:
    return _find(acme, "vera")


@pytest.fixture
def hana(acme: Company) -> User:
    return _find(acme, "hana")


@pytest.fixture
def mallory(globex: Company) -> User:
    return _find(globex, "mallory")


@pytest.fixture
def carol(console: Company) -> User:
    """Carol as the console knows her; `client_for` finds her mirrored user in a company."""
    return _find(console, "carol")


@pytest.fixture
def olivia(console: Company) -> User:
    """The owner of the console."""
    return _find(console, "olivia")


def host_of(company: Company) -> str:
    return f"{company.slug}.localhost:8000"


@pytest.fixture
def client_for(any_db: None) -> Callable[..., Client]:
    """`client_for(user, company)`: a browser on the company's host, signed in as `user` (None: signed out)."""

    def make(user: User | None, company: Company) -> Client:
        client = Client(headers={"host": host_of(company)})
        if user is not None:
            with tenant_context(company):
                mirrored = None if company.is_console else User.objects.filter(mirrored_from=user.public_id).first()
                client.force_login(mirrored or user, backend="tenants.accounts.backends.RoleBackend")
        return client

    return make


@pytest.fixture
def drain_outbox(any_db: None) -> Callable[[], int]:
    """Work through all open events here and now, raising what a handler raises; returns how many were done."""

    def run() -> int:
        with public_context():
            return drain(reraise=True).done_count

    return run
