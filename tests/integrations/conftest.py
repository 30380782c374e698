"""A file connection of acme and a way to send it files; a source that is called."""

from datetime import UTC, datetime, timedelta

import pytest
import stamina
from django.core.files.base import ContentFile

from integrations.choices import Carries, Trigger
from integrations.services.api_keys import create_api_key
from integrations.services.budgets import SharedBudget
from integrations.services.connections import create_connection
from integrations.services.runs import request_run
from integrations.services.sync import run_sync
from integrations.services.uploads import IncomingFile, receive_files
from tests.fakes.rest import RestFake
from tests.fakes.server import served
from tests.kpis.api.conftest import api, caller_with, plan, signed_in  # noqa: F401 - to see numbers in the matrix

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_media(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path / "media")


@pytest.fixture
def waits_for_rates():
    """The test keeps to the rates of sources, as the product does."""


@pytest.fixture(autouse=True)
def _free_of_rates(request, monkeypatch):
    """Sources of tests bear as many calls as come: they are counted as always, and nobody waits for the next."""
    if "waits_for_rates" in request.fixturenames:
        return
    take = SharedBudget.take
    monkeypatch.setattr(SharedBudget, "take", lambda budget, name: take(budget, name) * 0)


@pytest.fixture
def connection(in_acme):
    return create_connection(
        name="CRM", source="crm", carries=Carries.SFA, preset="contract", every=timedelta(days=1), now=NOW
    )


@pytest.fixture
def receive():
    """`receive(connection, {"deals.csv": "…"})`: the files as an upload."""

    def run(connection, files, now=NOW):
        incoming = [
            IncomingFile(name, ContentFile(body if isinstance(body, bytes) else body.encode(), name=name))
            for name, body in files.items()
        ]
        return receive_files(connection=connection, files=incoming, trigger=Trigger.UPLOAD, actor=None, now=now)

    return run


@pytest.fixture
def sync(receive):
    """`sync(connection, {"deals.csv": "…"})`: the files imported; returns the run."""

    def run(connection, files, now=NOW):
        upload = receive(connection, files, now)
        asked = request_run(connection=connection, upload=upload, trigger=Trigger.UPLOAD, actor=None, now=now)
        return run_sync(run_id=asked.pk, owner="worker", now=now)

    return run


@pytest.fixture
def key_for(in_acme):
    """`key_for("read", "write")`: the text of a new key of acme."""

    def make(*scopes):
        return create_api_key(name="BI tool", scopes=scopes, actor=None, now=NOW)[1]

    return make


@pytest.fixture
def caller(client_for, acme):
    """`caller(text)`: a client of acme's API that sends this key."""

    def make(text):
        client = client_for(None, acme)
        client.defaults["HTTP_AUTHORIZATION"] = f"Api-Key {text}"
        return client

    return make


@pytest.fixture
def fake():
    """A source with a bearer token and pages of three records; nothing waits before it is asked again."""
    made = RestFake("keyset", "bearer")
    with served(made), stamina.set_testing(True, attempts=2, cap=True):
        made.world.now = made.now() - timedelta(days=2)
        yield made
