"""The test database, copied from one that is kept until the code of the product changes.

Two are kept. `migrated` holds the schemas of console, acme and globex right after their migrations, as if provisioning
had been killed there, until a migration changes. `ready` is a copy of it in which the real provisioning has finished
them, until the product changes or the day ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from tenants.context import tenant_context
from tenants.models import Company
from tenants.services.companies import request_company, request_console
from tenants.services.provisioning import create_schema, migrate_schema, provision_company

PREFIX = "test_mawaru"
# Set for a session inside a session: its DATABASE_URL names a database that is ready and not its own to drop.
IS_READY = "MAWARU_DATABASE_IS_READY"
WRITING = ("ALTER", "COMMENT", "CREATE", "DELETE", "DO", "DROP", "INSERT", "SET CONSTRAINTS", "UPDATE")
PRODUCT = ("config", "integrations", "kpis", "reviews", "tenants")
NAMES = {"acme": "株式会社アクメ", "globex": "グロベックス株式会社"}


def make(name: str) -> None:
    """Let the connection use a fresh test database called `name`, with all companies ready."""
    with _maintenance() as server:
        server.execute("SELECT pg_advisory_lock(4710)")
        migrated = _kept(server, f"{PREFIX}_migrated", _hash_of_migrations(), _migrate)
        ready = _kept(server, f"{PREFIX}_ready", _hash_of_product(), _provision, template=migrated)
        _copy(server, ready, name)
    _use(name)


def drop(name: str) -> None:
    connection.close()
    with _maintenance() as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def copied() -> Iterator[None]:
    """Let the connection use a copy of the test database inside the block."""
    original = connection.settings_dict["NAME"]
    copy = f"{original}_own"
    connection.close()
    with _maintenance() as server:
        _copy(server, original, copy)
    _use(copy)
    try:
        yield
    finally:
        drop(copy)
        _use(original)


def url() -> str:
    """The address of the database in use, for another process."""
    known = _parameters()
    login = quote(known["user"], safe="") + (f":{quote(known['password'], safe='')}" if "password" in known else "")
    place = {name: known[name] for name in ("host", "port") if name in known}
    return f"postgres://{login}@/{known['dbname']}?{urlencode(place)}"


@contextmanager
def another_connection(dbname: str | None = None) -> Iterator[psycopg.Connection]:
    """A connection of its own, as another process would have."""
    with psycopg.connect(**_parameters() | ({"dbname": dbname} if dbname else {}), autocommit=True) as server:
        yield server


@contextmanager
def held_elsewhere(name: str) -> Iterator[None]:
    """Another process holds the lock `name` of tenants.locks during the block."""
    with another_connection() as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        yield
        other.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def _maintenance() -> AbstractContextManager[psycopg.Connection]:
    return another_connection("postgres")


def _parameters() -> dict[str, str]:
    given = connection.get_connection_params()
    return {key: str(given[key]) for key in ("dbname", "host", "port", "user", "password") if given.get(key)}


def _use(name: str) -> None:
    connection.close()
    settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name


def _copy(server: psycopg.Connection, original: str, copy: str) -> None:
    server.execute(f'DROP DATABASE IF EXISTS "{copy}" WITH (FORCE)')
    server.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{original}"')


def _kept(
    server: psycopg.Connection, name: str, fingerprint: str, build: Callable[[], None], *, template: str = "template1"
) -> str:
    """The name of the database of this fingerprint, built in a copy of `template` in place of older ones if need be."""
    kept = f"{name}_{fingerprint}"
    found = server.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"{name}_"])
    existing = [each for (each,) in found]
    if kept in existing:
        return kept
    for old in existing:
        server.execute(f'DROP DATABASE IF EXISTS "{old}" WITH (FORCE)')
    building = f"{PREFIX}_building"
    _copy(server, template, building)
    _use(building)
    build()
    connection.close()
    server.execute(f'ALTER DATABASE "{building}" RENAME TO "{kept}"')
    return kept


def _provision() -> None:
    for company in Company.objects.order_by("-type"):
        provision_company(company_id=company.id, now=timezone.now())


def _migrate() -> None:
    now = timezone.now()
    call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)
    console = request_console(now=now)
    create_schema(company=console)
    migrate_schema(company=console)
    first, *others = (request_company(slug=slug, name=name, now=now) for slug, name in NAMES.items())
    create_schema(company=first)
    with _noted() as statements:
        migrate_schema(company=first)
    for company in others:
        create_schema(company=company)
        with tenant_context(company), connection.cursor() as cursor:
            for sql, params in statements:
                cursor.execute(sql, params)


@contextmanager
def _noted() -> Iterator[list[tuple[str, Any]]]:
    """What is made and written in the block, to be said again in another empty schema.

    Nearly all the time of migrations goes into working out what the models were like before each of them.
    """
    statements: list[tuple[str, Any]] = []

    def note(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if str(sql).lstrip().upper().startswith(WRITING):
            statements.extend((sql, each) for each in (params if many else [params]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield statements


def _hash_of_migrations() -> str:
    """Changes with every migration of every app, and with the order in which they run."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for config in apps.get_app_configs():
        digest.update(config.name.encode())
        try:
            package = import_module(f"{config.name}.migrations")
        except ModuleNotFoundError:
            continue
        for path in sorted(Path(package.__path__[0]).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _hash_of_product() -> str:
    """Changes with whatever provisioning could read, and with the day on which companies are made."""
    digest = hashlib.sha256(f"{_hash_of_migrations()} {timezone.localdate()}".encode())
    for path in sorted(each for app in PRODUCT for each in (settings.BASE_DIR / app).rglob("*") if each.is_file()):
        if path.suffix != ".pyc":
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
